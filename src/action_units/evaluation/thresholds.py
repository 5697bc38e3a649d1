"""The probability from which an AU is called present, chosen on validation subjects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from action_units.errors import ArtifactError
from action_units.evaluation.metrics import Floats, Ranking, checked, rank

DEFAULT_THRESHOLD = 0.5
"""Used for every AU when no AU has enough validation positives to fit one."""

MINIMUM_POSITIVES = 10
"""With fewer positive validation frames, the best threshold is mostly chance."""


@dataclass(frozen=True)
class FittedThresholds:
    """A threshold per AU, and which of them could not be fitted.

    Attributes:
        values: Present means probability ≥ value, (A,).
        fallback: True where the AU had too few validation positives and took
            the median of the fitted AUs (0.5 when none was fitted), (A,).
        f1: Validation F1 at the fitted threshold, NaN where it fell back, (A,).
    """

    values: tuple[float, ...]
    fallback: tuple[bool, ...]
    f1: tuple[float, ...]

    def to_json(self, aus: Sequence[int]) -> dict[str, Any]:
        """The thresholds by AU, undefined figures as null."""
        rows = zip(aus, self.values, self.fallback, self.f1, strict=True)
        return {
            str(au): {"threshold": t, "fallback": b, "validation_f1": None if b else f}
            for au, t, b, f in rows
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any], aus: Sequence[int]) -> "FittedThresholds":
        """The thresholds of these AUs, in this order.

        Raises:
            ArtifactError: An AU has no threshold.
        """
        if missing := [au for au in aus if str(au) not in content]:
            raise ArtifactError(
                f"the thresholds hold no AU {missing[0]}: they have AUs "
                f"{', '.join(content)}; fit them on the same AUs as the predictions."
            )
        rows = [content[str(au)] for au in aus]
        return cls(
            tuple(float(row["threshold"]) for row in rows),
            tuple(bool(row["fallback"]) for row in rows),
            tuple(float("nan" if row["fallback"] else row["validation_f1"]) for row in rows),
        )


def fit_thresholds(labels: ArrayLike, probabilities: ArrayLike) -> Floats:
    """The thresholds of `choose_thresholds` alone, float64 (A,)."""
    return np.array(choose_thresholds(labels, probabilities).values)


def choose_thresholds(
    labels: ArrayLike,
    probabilities: ArrayLike,
    minimum_positives: int = MINIMUM_POSITIVES,
) -> FittedThresholds:
    """Maximise each AU's F1 over all possible thresholds, exactly.

    F1 changes only where the threshold passes a score, so it is constant on
    intervals; the middle of the best one is taken, which leaves the same room
    for error on both sides. Of several best intervals the widest is taken, of
    equally wide ones the highest.

    Args:
        labels: Validation labels 1, 0 or −1, (N, A).
        probabilities: Validation probabilities, (N, A).
        minimum_positives: AUs with fewer positives (or no negatives) are not
            fitted; they take the median of the others, or 0.5.

    Raises:
        PredictionError: As `metrics.checked`.
    """
    y, p = checked(labels, probabilities)
    best = [
        _best(rank(y[:, column], p[:, column]), minimum_positives)
        for column in range(y.shape[1])
    ]
    fitted = [cut[0] for cut in best if cut]
    substitute = float(np.median(fitted)) if fitted else DEFAULT_THRESHOLD
    return FittedThresholds(
        values=tuple(cut[0] if cut else substitute for cut in best),
        fallback=tuple(cut is None for cut in best),
        f1=tuple(cut[1] if cut else float("nan") for cut in best),
    )


def _best(ranking: Ranking, minimum_positives: int) -> tuple[float, float] | None:
    """The threshold and its F1, or nothing where there is too little to go by."""
    if ranking.positives < max(minimum_positives, 1) or not ranking.negatives:
        return None
    scores = ranking.f1()  # (K,)
    upper = ranking.scores
    lower = np.append(upper[1:], 0.0)  # cut k holds for thresholds in (lower, upper]
    # Equal fractions of integers divide to equal floats, so == finds true ties;
    # neighbouring cuts that tie are one interval.
    tied = np.concatenate([[False], scores == scores.max(), [False]])
    first = np.flatnonzero(~tied[:-1] & tied[1:])
    last = np.flatnonzero(tied[:-1] & ~tied[1:]) - 1
    widest = int(np.argmax(upper[first] - lower[last]))
    high, low = float(upper[first[widest]]), float(lower[last[widest]])
    middle = (high + low) / 2
    # Between neighbouring floats the middle rounds to one of them; `low` is outside.
    return (middle if middle > low else high), float(scores.max())
