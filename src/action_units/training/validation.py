"""Scoring the network on the validation faces after an epoch."""

import math
from dataclasses import dataclass

import torch

from action_units.training.data.sources import HeldOut
from action_units.training.distributed.team import ALONE, Team
from action_units.training.inference import logits
from action_units.training.scores import validation_scores
from action_units.training.setup import Setup
from action_units.training.state import TrainingState

VALIDATION_BATCH = 512


@dataclass(frozen=True)
class Evaluation:
    """An epoch's validation; ``score`` is what the recipe selects by, higher is better.

    Between equal scores the smaller loss decides: on easy or few faces a ranking is soon
    perfect while the probabilities still improve.
    """

    judged: bool = False
    score: tuple[float, float] = (math.nan, math.nan)
    loss: float = math.nan
    macro_f1: float = math.nan
    average_precision: float = math.nan


@torch.no_grad()
def evaluate(
    setup: Setup,
    state: TrainingState,
    faces: HeldOut,
    epoch: int,
    team: Team = ALONE,
    most: int | None = None,
) -> Evaluation:
    """Score the network, or its average, on the validation faces.

    Args:
        setup: What is trained.
        state: Of the network.
        faces: uint8 (V, S, S), on the device or read when a slice is asked for.
        epoch: Counted from 0.
        team: The processes; each takes some blocks, and all get the same scores.
        most: Faces that may go through the network at once, the same in all processes.
    """
    if not len(faces):
        return Evaluation(judged=True, score=(float(epoch), 0.0))
    network = state.evaluated.eval()
    z = torch.zeros(len(faces), len(setup.data.aus), device=setup.machine.torch_device)
    size = min(VALIDATION_BATCH, most or VALIDATION_BATCH)
    starts = range(0, len(faces), size)
    for start in starts[team.rank :: team.size]:
        block = slice(start, start + size)
        z[block] = logits(network, faces[block], setup.machine, setup.spec.channels)
    team.total([z])
    targets = setup.data.targets[setup.data.validation_rows]
    loss = float(setup.loss(z, torch.from_numpy(targets).to(z.device)))
    scores = validation_scores(targets, z.cpu().numpy())
    score = {
        "average_precision": scores.average_precision,
        "macro_f1": scores.macro_f1,
        "loss": -loss,
    }[setup.recipe.select_by]
    if math.isnan(score):  # no AU has both classes here
        score = -loss
    return Evaluation(True, (score, -loss), loss, scores.macro_f1, scores.average_precision)
