"""The probability from which an AU is called present, chosen on validation subjects."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from action_units.errors import ArtifactError
from action_units.evaluation.metrics import (
    MISSING,
    Floats,
    Ints,
    Labels,
    Ranking,
    checked,
    checked_subjects,
    confusion,
    f1,
)

DEFAULT_THRESHOLD = 0.5
"""Used for every AU when no AU has enough validation positives to fit one."""

RESAMPLES = 50
"""Draws of the validation subjects that a threshold is fitted to."""

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
        fitted_on: The subjects they were fitted on, where these are known.
    """

    values: tuple[float, ...]
    fallback: tuple[bool, ...]
    f1: tuple[float, ...]
    fitted_on: tuple[str, ...] = ()

    def to_json(self, aus: Sequence[int]) -> dict[str, Any]:
        """The thresholds by AU, undefined figures as null, and ``fitted_on``."""
        rows = zip(aus, self.values, self.fallback, self.f1, strict=True)
        by_au: dict[str, Any] = {
            str(au): {"threshold": t, "fallback": b, "validation_f1": None if b else f}
            for au, t, b, f in rows
        }
        return {**by_au, "fitted_on": list(self.fitted_on)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any], aus: Sequence[int]) -> "FittedThresholds":
        """The thresholds of these AUs, in this order.

        Raises:
            ArtifactError: An AU has no threshold.
        """
        if missing := [au for au in aus if str(au) not in content]:
            raise ArtifactError(
                f"the thresholds hold no AU {missing[0]}: they have AUs "
                f"{', '.join(key for key in content if key.isdigit())}; fit them on the same "
                "AUs as the predictions."
            )
        rows = [content[str(au)] for au in aus]
        return cls(
            tuple(float(row["threshold"]) for row in rows),
            tuple(bool(row["fallback"]) for row in rows),
            tuple(float("nan" if row["fallback"] else row["validation_f1"]) for row in rows),
            tuple(content.get("fitted_on", ())),
        )


def fit_thresholds(labels: ArrayLike, probabilities: ArrayLike) -> Floats:
    """The thresholds of `choose_thresholds` alone, float64 (A,)."""
    return np.array(choose_thresholds(labels, probabilities).values)


def choose_thresholds(
    labels: ArrayLike,
    probabilities: ArrayLike,
    minimum_positives: int = MINIMUM_POSITIVES,
    subjects: ArrayLike | None = None,
    seed: int = 0,
) -> FittedThresholds:
    """Maximise each AU's F1 over all possible thresholds, exactly.

    F1 changes only where the threshold passes a score, so it is constant on
    intervals; the middle of the best one is taken, which leaves the same room
    for error on both sides. Of several best intervals the widest is taken, of
    equally wide ones the highest.

    The best threshold of a few subjects is one of a few subjects. With `subjects`
    it is fitted to `RESAMPLES` draws of as many of them, with replacement, and the
    median is taken, so that no single person decides.

    Args:
        labels: Validation labels 1, 0 or −1, (N, A).
        probabilities: Validation probabilities, (N, A).
        minimum_positives: AUs with fewer positives (or no negatives) are not
            fitted; they take the median of the others, or 0.5.
        subjects: Each frame's subject, (N,).
        seed: Of the draws of subjects.

    Returns:
        Thresholds, and the F1 that each reaches on these frames.

    Raises:
        PredictionError: As `metrics.checked` and `metrics.checked_subjects`.
    """
    y, p = checked(labels, probabilities)
    subject, times, fitted_on = np.zeros(len(y), np.intp), np.ones((1, 1), np.int64), ()
    if subjects is not None:
        ids, subject = np.unique(checked_subjects(subjects, len(y)), return_inverse=True)
        times = np.concatenate([np.ones((1, ids.size), np.int64), _draws(ids.size, seed)])
        fitted_on = tuple(ids.tolist())
    cuts = np.full((len(times), y.shape[1]), np.nan)  # (R + 1, A)
    for column in range(y.shape[1]):
        rankings = _rankings(y[:, column], p[:, column], subject, times)
        for row, ranking in enumerate(rankings):
            cut = _best(ranking, minimum_positives)
            cuts[row, column] = np.nan if cut is None else cut
    fallback = np.isnan(cuts[0])  # an AU is fitted where all the frames together allow it
    values = np.full(y.shape[1], DEFAULT_THRESHOLD)
    values[~fallback] = np.nanmedian(cuts[:, ~fallback], axis=0)
    values[fallback] = np.median(values[~fallback]) if not fallback.all() else DEFAULT_THRESHOLD
    reached = np.where(fallback, np.nan, f1(confusion(y, p >= values)))
    return FittedThresholds(
        tuple(values.tolist()), tuple(fallback.tolist()), tuple(reached.tolist()), fitted_on
    )


def _draws(n_subjects: int, seed: int) -> Ints:
    """How often each subject is in each of `RESAMPLES` draws with replacement, (R, S)."""
    drawn = np.random.default_rng([seed, n_subjects]).integers(
        n_subjects, size=(RESAMPLES, n_subjects)
    )
    return np.stack([np.bincount(draw, minlength=n_subjects) for draw in drawn])


def _rankings(
    labels: Labels, scores: Floats, subject: NDArray[np.intp], times: Ints
) -> Iterator[Ranking]:
    """As `rank` of the frames of each draw, with all frames sorted once.

    Args:
        labels: 1, 0 or −1 (left out), (N,).
        scores: Higher is more positive, (N,).
        subject: Index of each frame's subject, (N,).
        times: How often each subject is drawn, (R, S).
    """
    order = np.argsort(scores)[::-1]
    order = order[labels[order] != MISSING]
    falling, who = scores[order], subject[order]
    last = np.flatnonzero(np.append(np.diff(falling) != 0, True))[: falling.size]
    positive = np.flatnonzero(labels[order] == 1)
    found_at = np.searchsorted(positive, last, side="right")  # positive frames so far
    for drawn in times:
        frames = np.cumsum(drawn[who])[last]
        tp = np.concatenate([[0], np.cumsum(drawn[who[positive]])])[found_at]
        there = np.diff(frames, prepend=0) > 0  # scores that a drawn frame has
        yield Ranking(falling[last][there], tp[there], (frames - tp)[there])


def _best(ranking: Ranking, minimum_positives: int) -> float | None:
    """The threshold, or nothing where there is too little to go by."""
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
    return middle if middle > low else high
