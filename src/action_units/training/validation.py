"""Scores of the network on the validation faces after an epoch.

The macro average precision chooses the epoch: it needs no threshold, uses the rank of every
face and so varies less from epoch to epoch than an F1, most of all for rare AUs. An AU joins
the mean when the rows hold at least ten faces of each class; where no AU has that many, all
that have one of each join. The F1 is each AU's best over all thresholds: optimistic, since the
threshold is chosen on the same rows, and only for watching.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from action_units.training.context import TrainingContext
from action_units.training.inference import logits
from action_units.training.state import TrainingState
from action_units.training.streaming import MappedFaces

VALIDATION_BATCH = 512
MIN_FACES = 10


@dataclass(frozen=True)
class Evaluation:
    """An epoch's validation; ``score`` is what the recipe selects by, higher is better.

    Between equal scores the smaller loss decides: on easy or few faces a ranking is soon
    perfect while the probabilities still improve.
    """

    scored: bool = False
    score: tuple[float, float] = (math.nan, math.nan)
    loss: float = math.nan
    macro_f1: float = math.nan
    average_precision: float = math.nan


@torch.no_grad()
def evaluate(
    context: TrainingContext,
    state: TrainingState,
    faces: Tensor | MappedFaces,
    epoch: int,
    max_batch: int | None = None,
) -> Evaluation:
    """Score the network, or its average, on the validation faces.

    Args:
        context: The training.
        state: Of the network.
        faces: uint8 (V, S, S[, 3]); each process takes some, and all get the same scores.
            Without a face or a label the last epoch is the best.
        epoch: Counted from 0.
        max_batch: Most faces that go through the network at once, alike in all processes.
    """
    group, machine, data = context.group, context.machine, context.data
    targets = data.targets[data.validation_rows]
    if not (targets >= 0).any():
        return Evaluation(scored=True, score=(float(epoch), 0.0))
    network = state.evaluated.eval()
    z = torch.zeros(len(faces), len(data.aus), device=machine.torch_device)
    size = min(VALIDATION_BATCH, max_batch or VALIDATION_BATCH)
    for start in range(0, len(faces), size)[group.rank :: group.size]:
        block = slice(start, start + size)
        z[block] = logits(network, faces[block], machine, context.network_spec.channels)
    group.all_reduce([z])
    loss = float(context.loss(z, torch.from_numpy(targets).to(z.device)))
    average_precision, macro_f1 = validation_scores(targets, z.cpu().numpy())
    score = {"average_precision": average_precision, "macro_f1": macro_f1, "loss": -loss}[
        context.recipe.select_by
    ]
    if math.isnan(score):  # no AU has both classes here
        score = -loss
    return Evaluation(True, (score, -loss), loss, macro_f1, average_precision)


def validation_scores(
    targets: npt.NDArray[np.floating], probabilities: npt.NDArray[np.floating]
) -> tuple[float, float]:
    """Macro average precision and macro F1; NaN where no AU has both classes.

    Args:
        targets: (N, A); at least one half is positive, negative is missing.
        probabilities: (N, A), or anything that ranks the same.
    """
    results = []
    for column in range(targets.shape[1]):
        known = targets[:, column] >= 0
        positive = targets[known, column] >= 0.5
        smaller_class = int(min(positive.sum(), (~positive).sum()))
        if smaller_class:
            scores = _precision_and_f1(positive, probabilities[known, column])
            results.append((smaller_class, *scores))
    chosen = [row for row in results if row[0] >= MIN_FACES] or results
    if not chosen:
        return math.nan, math.nan
    return float(np.mean([row[1] for row in chosen])), float(
        np.mean([row[2] for row in chosen])
    )


def _precision_and_f1(
    positive: npt.NDArray[np.bool_], scores: npt.NDArray[np.floating]
) -> tuple[float, float]:
    """Average precision (scikit-learn's step sum) and the best F1 of one AU."""
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(positive[order])  # true positives among the k + 1 highest
    last_of_tie = np.append(np.diff(scores[order]) != 0, True)
    hits = hits[last_of_tie].astype(float)
    predicted = np.flatnonzero(last_of_tie) + 1.0
    precision, recall = hits / predicted, hits / hits[-1]
    average = np.sum(np.diff(recall, prepend=0.0) * precision)
    best = np.max(2.0 * hits / (predicted + hits[-1]))
    return float(average), float(best)
