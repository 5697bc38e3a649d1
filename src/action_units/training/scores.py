"""What an epoch is judged by on the validation rows.

The macro average precision chooses the epoch: it needs no threshold, uses the rank of
every face and so moves less from epoch to epoch than an F1, most of all for rare AUs. An
AU joins the mean when the rows hold at least ten faces of each class; where no AU has
that many, all that have one of each join. The F1 beside it is each AU's best over all
thresholds: optimistic, since the threshold is chosen on the same rows, and for watching.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

ENOUGH = 10


@dataclass(frozen=True)
class Scores:
    """Macro scores of one evaluation; NaN where no AU has both classes."""

    average_precision: float
    macro_f1: float


def validation_scores(
    targets: npt.NDArray[np.floating], probabilities: npt.NDArray[np.floating]
) -> Scores:
    """Score probabilities against labels.

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
    chosen = [row for row in results if row[0] >= ENOUGH] or results
    if not chosen:
        return Scores(math.nan, math.nan)
    return Scores(
        float(np.mean([row[1] for row in chosen])), float(np.mean([row[2] for row in chosen]))
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
