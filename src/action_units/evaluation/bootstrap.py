"""Confidence intervals that resample people, not frames.

Frames of one video are near copies of each other: an interval from resampled
frames is far too narrow. A new study would film other people, so whole subjects
are drawn with replacement. Confusion counts add up, so a resample is a weighted
sum of per-subject counts and a thousand of them cost one matrix product.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from action_units.evaluation.metrics import (
    Bools,
    Confusion,
    Floats,
    Ints,
    Labels,
    checked_subjects,
    f1,
)

RESAMPLES = 1000
LEVEL = 0.95


@dataclass(frozen=True)
class SubjectCounts:
    """Confusion counts of each subject.

    Attributes:
        subjects: Their ids, sorted, S of them.
        counts: Counts per subject and AU, (S, A).
    """

    subjects: tuple[str, ...]
    counts: Confusion

    @property
    def with_positives(self) -> Ints:
        """How many subjects show each AU at all, (A,)."""
        return np.asarray(np.count_nonzero(self.counts.support > 0, axis=0), np.int64)


def subject_counts(labels: Labels, predicted: Bools, subjects: ArrayLike) -> SubjectCounts:
    """Confusion counts per subject and AU.

    Args:
        labels: 1, 0 or −1, (N, A).
        predicted: (N, A).
        subjects: Each frame's subject, (N,).

    Raises:
        PredictionError: As `metrics.checked_subjects`.
    """
    who = checked_subjects(subjects, len(labels))
    ids, index = np.unique(who, return_inverse=True)  # (S,), (N,)
    n_aus = labels.shape[1]
    cell = index[:, None] * n_aus + np.arange(n_aus)  # (N, A)

    def count(mask: Bools) -> Ints:
        flat = np.bincount(cell[mask], minlength=ids.size * n_aus)
        return flat.reshape(ids.size, n_aus).astype(np.int64)

    positive, negative = labels == 1, labels == 0
    counts = Confusion(
        tp=count(positive & predicted),
        fp=count(negative & predicted),
        fn=count(positive & ~predicted),
        tn=count(negative & ~predicted),
    )
    return SubjectCounts(tuple(ids.tolist()), counts)


def resampled_f1(
    counts: SubjectCounts, seed: Sequence[int], resamples: int = RESAMPLES
) -> Floats:
    """F1 per AU in each resample of the subjects, (R, A); NaN without positives.

    The draw depends on the seed and the number of subjects alone: two models
    tested on the same subjects get the same resamples, so that the difference of
    the two arrays is a paired bootstrap.

    Args:
        counts: Of the subjects to draw from.
        seed: Numbers that name the draw, such as ``[seed, fold]``.
        resamples: How many.
    """
    n = len(counts.subjects)
    if n == 0:
        return np.full((resamples, counts.counts.tp.shape[-1]), np.nan)
    generator = np.random.default_rng([n, *seed])
    times = generator.multinomial(n, np.full(n, 1 / n), size=resamples)  # (R, S)
    parts = counts.counts
    return f1(Confusion(times @ parts.tp, times @ parts.fp, times @ parts.fn, times @ parts.tn))


def interval(resampled: Floats, level: float = LEVEL) -> tuple[Floats, Floats]:
    """The percentile interval along the first axis, undefined resamples left out.

    Args:
        resampled: (R, ...).
        level: Share of resamples inside.

    Returns:
        Low and high ends, (...); NaN where no resample is defined.
    """
    flat = resampled.reshape(resampled.shape[0], -1)
    ends = np.full((2, flat.shape[1]), np.nan)
    tails = [(1 - level) / 2, (1 + level) / 2]
    for column in range(flat.shape[1]):
        known = flat[~np.isnan(flat[:, column]), column]
        if known.size:
            ends[:, column] = np.quantile(known, tails)
    shape = resampled.shape[1:]
    return ends[0].reshape(shape), ends[1].reshape(shape)


def f1_interval(
    counts: SubjectCounts, seed: Sequence[int], resamples: int = RESAMPLES
) -> tuple[Floats, Floats]:
    """The 95 % interval of each AU's F1, (A,) and (A,).

    NaN where fewer than two subjects show the AU: one person says nothing of how
    people differ.
    """
    low, high = interval(resampled_f1(counts, seed, resamples))
    enough = counts.with_positives >= 2
    return np.where(enough, low, np.nan), np.where(enough, high, np.nan)


def together(parts: Sequence[SubjectCounts]) -> SubjectCounts:
    """The subjects of several folds as one group, for pooled figures."""
    counts = [part.counts for part in parts]
    return SubjectCounts(
        tuple(subject for part in parts for subject in part.subjects),
        Confusion(
            tp=np.concatenate([c.tp for c in counts]),
            fp=np.concatenate([c.fp for c in counts]),
            fn=np.concatenate([c.fn for c in counts]),
            tn=np.concatenate([c.tn for c in counts]),
        ),
    )


def mean_defined(values: Floats, axis: int = -1) -> Floats:
    """Mean of what is defined along an axis; NaN where nothing is."""
    known: NDArray[np.bool_] = ~np.isnan(values)
    n = np.asarray(known.sum(axis=axis), np.float64)
    total = np.where(known, values, 0.0).sum(axis=axis)
    out: Floats = np.full(np.shape(total), np.nan)
    np.divide(total, n, out=out, where=n > 0)
    return out
