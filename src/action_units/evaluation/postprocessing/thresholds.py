"""Decision thresholds: the probability from which an AU is called present."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from action_units.errors import ArtifactError
from action_units.evaluation.metrics import MISSING, Floats, Ints, Labels, confusion, f1
from action_units.evaluation.predictions import check_arrays, check_subjects

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


def choose_thresholds(
    labels: ArrayLike,
    probabilities: ArrayLike,
    minimum_positives: int = MINIMUM_POSITIVES,
    subjects: ArrayLike | None = None,
    seed: int = 0,
) -> FittedThresholds:
    """Maximise each AU's F1 over all possible thresholds, exactly.

    F1 changes only where the threshold passes a score, so it is constant on intervals; the
    middle of the best one is taken, which leaves the same margin on both sides. Of several
    best intervals the widest is taken, of equally wide ones the highest.

    With `subjects` the threshold is fitted to `RESAMPLES` draws of as many of those who are
    scored for the AU, with replacement, and the median is taken, so that no single person
    decides.

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
        PredictionError: As `check_arrays` and `check_subjects`.
    """
    y, p = check_arrays(labels, probabilities)
    subject, fitted_on, n_draws = np.zeros(len(y), np.intp), (), 0
    if subjects is not None:
        ids, subject = np.unique(check_subjects(subjects, len(y)), return_inverse=True)
        fitted_on, n_draws = tuple(ids.tolist()), RESAMPLES
    cuts = np.full((n_draws + 1, y.shape[1]), np.nan)  # (R + 1, A)
    for column in range(y.shape[1]):
        scored = y[:, column] != MISSING
        who, index = np.unique(subject[scored], return_inverse=True)
        times = np.ones((1, who.size), np.int64)
        if n_draws and who.size:
            times = np.concatenate([times, _draws(who.size, seed)])
        # Few subjects make few different draws.
        times, draw = np.unique(times, axis=0, return_inverse=True)
        best = _best(y[scored, column], p[scored, column], index, times, minimum_positives)
        cuts[: draw.size, column] = best[draw.ravel()]
    fallback = np.isnan(cuts[0])  # an AU is fitted where all the frames together allow it
    values = np.full(y.shape[1], DEFAULT_THRESHOLD)
    values[~fallback] = np.nanmedian(cuts[:, ~fallback], axis=0)
    values[fallback] = np.median(values[~fallback]) if not fallback.all() else DEFAULT_THRESHOLD
    reached = np.where(fallback, np.nan, f1(confusion(y, p >= values)))
    return FittedThresholds(
        tuple(values.tolist()), tuple(fallback.tolist()), tuple(reached.tolist()), fitted_on
    )


def _draws(n_subjects: int, seed: int) -> Ints:
    """How often each subject is drawn in each of `RESAMPLES` draws, (R, S)."""
    generator = np.random.default_rng([seed, n_subjects])
    draws = generator.integers(n_subjects, size=(RESAMPLES, n_subjects))
    return np.stack([np.bincount(draw, minlength=n_subjects) for draw in draws])


def _best(
    labels: Labels,
    scores: Floats,
    subject: NDArray[np.intp],
    times: Ints,
    minimum_positives: int,
) -> Floats:
    """The best threshold of each draw, (R,); NaN where the draw has too few positives.

    F1 rises only where a positive frame is found, so only the cuts at their scores, the
    *steps*, are compared. Frames are sorted once; a draw weights each subject's counts.

    Args:
        labels: 1 or 0, (N,).
        scores: Higher is more positive, (N,).
        subject: Index of each frame's subject, (N,).
        times: How often each subject is drawn, (R, S).
        minimum_positives: As in `choose_thresholds`.
    """
    order = np.argsort(scores)[::-1]
    falling, who, positive = scores[order], subject[order], np.flatnonzero(labels[order] == 1)
    ends = np.flatnonzero(np.append(np.diff(falling) != 0, True))[: falling.size]
    steps = ends[np.unique(np.searchsorted(ends, positive))]  # (K,), last frame at each score
    called = _counted_until(steps, np.arange(falling.size), who, times)  # (K, R)
    true_positives = _counted_until(steps, positive, who, times)
    frames = np.bincount(who, minlength=times.shape[1]) @ times.T  # (R,)
    cuts = np.full(len(times), np.nan)
    for row, drawn in enumerate(times):
        positives = int(true_positives[-1, row]) if steps.size else 0
        if positives < max(minimum_positives, 1) or positives == frames[row]:
            continue
        tp = true_positives[:, row]
        f1_of_cuts = np.where(
            np.diff(tp, prepend=0) > 0, 2 * tp / (called[:, row] + positives), -1.0
        )
        # Equal fractions of integers divide to equal floats, so == finds true ties.
        best = steps[f1_of_cuts == f1_of_cuts.max()]
        present = np.flatnonzero(drawn[who])
        below = np.append(present, falling.size)[np.searchsorted(present, best, side="right")]
        # A cut holds for thresholds in (lower, upper]; neighbours that tie are one interval.
        upper, lower = falling[best], np.append(falling, 0.0)[below]
        joined = upper[1:] == lower[:-1]
        first, last = np.append(True, ~joined), np.append(~joined, True)
        widest = int(np.argmax(upper[first] - lower[last]))
        high, low = float(upper[first][widest]), float(lower[last][widest])
        middle = (high + low) / 2
        # Between neighbouring floats the middle rounds to one of them; `low` is outside.
        cuts[row] = middle if middle > low else high
    return cuts


def _counted_until(
    steps: NDArray[np.intp], frames: NDArray[np.intp], who: NDArray[np.intp], times: Ints
) -> Ints:
    """How many of some frames come until each step, in each draw, (K, R)."""
    shape = (len(steps), times.shape[1])
    step = np.searchsorted(steps, frames)
    inside = step < len(steps)
    cells = step[inside] * shape[1] + who[frames[inside]]
    counts = np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)
    return np.asarray(np.cumsum(counts, axis=0) @ times.T, np.int64)
