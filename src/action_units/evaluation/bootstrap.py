"""Confidence intervals that resample people, not frames.

Frames of one video are near copies of each other: an interval from resampled
frames is far too narrow. A new study would film other people, so whole subjects
are drawn with replacement. Confusion counts add up, so a resample is a weighted
sum of per-subject counts and a thousand of them cost one matrix product.

A resample in which a figure is undefined, say because nobody drawn shows the AU, is
dropped; how many were kept stands beside the interval. A mean over AUs or folds runs in
each resample over those where it is defined.
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
    return SubjectCounts(tuple(ids.tolist()), counted(labels, predicted, index, ids.size))


def counted(
    labels: Labels, predicted: Bools, subject: NDArray[np.intp], n_subjects: int
) -> Confusion:
    """Confusion counts of each subject, (S, A).

    Args:
        labels: 1, 0 or −1, (N, A).
        predicted: (N, A).
        subject: Index of each frame's subject, (N,).
        n_subjects: How many there are.
    """
    n_aus = labels.shape[1]
    cell = subject[:, None] * n_aus + np.arange(n_aus)  # (N, A)
    # Six kinds of frame: missing, negative or positive, not called or called.
    kind = 2 * (labels.astype(np.intp) + 1) + predicted
    flat = np.bincount((6 * cell + kind).ravel(), minlength=n_subjects * n_aus * 6)
    kinds = flat.reshape(n_subjects, n_aus, 6).astype(np.int64)
    return Confusion(tn=kinds[..., 2], fp=kinds[..., 3], fn=kinds[..., 4], tp=kinds[..., 5])


def draws(n_subjects: int, seed: Sequence[int], resamples: int = RESAMPLES) -> Floats:
    """How often each subject is drawn in each resample, (R, S).

    The draw depends on the seed and the number of subjects alone: two networks
    tested on the same subjects get the same resamples, so that the difference of
    their figures is a paired bootstrap.

    Args:
        n_subjects: S of them, and as many are drawn, with replacement.
        seed: Numbers that name the draw, such as ``[seed, fold]``.
        resamples: How many.
    """
    if n_subjects == 0:
        return np.zeros((resamples, 0))
    generator = np.random.default_rng([n_subjects, *seed])
    times = generator.multinomial(n_subjects, np.full(n_subjects, 1 / n_subjects), resamples)
    return times.astype(np.float64)


def interval(resampled: Floats, level: float = LEVEL) -> tuple[Floats, Floats]:
    """The percentile interval along the first axis.

    Resamples in which the figure is undefined are dropped; `kept` counts the others.

    Args:
        resampled: (R, ...).
        level: Share of resamples inside.

    Returns:
        Low and high ends, (...); NaN where no resample is defined.
    """
    ordered = np.sort(resampled, axis=0)  # NaN comes last
    last = kept(resampled) - 1  # (...)
    if not len(ordered):
        return np.full(last.shape, np.nan), np.full(last.shape, np.nan)

    def quantile(share: float) -> Floats:
        place = np.maximum(last, 0) * share
        below = np.floor(place).astype(np.intp)
        above = np.minimum(below + 1, np.maximum(last, 0))
        low, high = (np.take_along_axis(ordered, at[None], axis=0)[0] for at in (below, above))
        return np.asarray(low + (high - low) * (place - below), np.float64)

    return quantile((1 - level) / 2), quantile((1 + level) / 2)


def kept(resampled: Floats) -> Ints:
    """How many resamples are defined, along the first axis."""
    return np.asarray(np.count_nonzero(~np.isnan(resampled), axis=0), np.int64)


def together(parts: Sequence[SubjectCounts]) -> SubjectCounts:
    """The subjects of several folds as one group, sorted, for pooled figures."""
    subjects = np.array([subject for part in parts for subject in part.subjects], np.str_)
    order = np.argsort(subjects, kind="stable")

    def joined(kind: str) -> Ints:
        return np.concatenate([getattr(part.counts, kind) for part in parts])[order]

    counts = Confusion(*(joined(kind) for kind in ("tp", "fp", "fn", "tn")))
    return SubjectCounts(tuple(subjects[order].tolist()), counts)


def mean_defined(values: Floats, axis: int = -1) -> Floats:
    """Mean of what is defined along an axis; NaN where nothing is."""
    known: NDArray[np.bool_] = ~np.isnan(values)
    n = np.asarray(known.sum(axis=axis), np.float64)
    total = np.where(known, values, 0.0).sum(axis=axis)
    out: Floats = np.full(np.shape(total), np.nan)
    np.divide(total, n, out=out, where=n > 0)
    return out
