"""Confidence intervals that resample subjects, not frames.

Frames of one video are near copies of each other: an interval over resampled frames is far
too narrow. A new study would film other people, so whole subjects are drawn with replacement.
Confusion counts add up, so a resample is a weighted sum of per-subject counts and a thousand
of them cost one matrix product.

Where an AU is not scored for everyone, everyone is drawn all the same, so that means over AUs
are paired; how many of a resample's people count for the AU then varies, as it would in a new
study of the same design.

A resample in which a metric is undefined, for instance because no subject in it shows the AU,
is dropped; the number of those left is reported with the interval. A mean over AUs or folds
runs in each resample over those where it is defined.
"""

from collections.abc import Sequence

import numpy as np

from action_units.evaluation.metrics import Floats, Ints

RESAMPLES = 1000
LEVEL = 0.95


def resample(n_subjects: int, seed: Sequence[int], n_resamples: int = RESAMPLES) -> Floats:
    """How often each subject is drawn in each resample, (R, S).

    The draw depends on the seed and the number of subjects alone: two networks tested on the
    same subjects get the same resamples, so that their difference is a paired bootstrap.

    Args:
        n_subjects: S of them, and as many are drawn, with replacement.
        seed: Numbers that name the draw, such as ``[seed, fold]``.
        n_resamples: R.
    """
    if n_subjects == 0:
        return np.zeros((n_resamples, 0))
    generator = np.random.default_rng([n_subjects, *seed])
    shares = np.full(n_subjects, 1 / n_subjects)
    return generator.multinomial(n_subjects, shares, n_resamples).astype(np.float64)


def draw_folds(n_folds: int, seed: Sequence[int], n_resamples: int = RESAMPLES) -> Ints:
    """Which folds are in each resample of folds, (R, F): indices from 0.

    Args:
        n_folds: F of them, and as many are drawn, with replacement.
        seed: Numbers that name the draw.
        n_resamples: R.
    """
    generator = np.random.default_rng([n_folds, *seed])
    return generator.integers(n_folds, size=(n_resamples, n_folds))


def interval(resampled: Floats, level: float = LEVEL) -> tuple[Floats, Floats]:
    """The percentile interval along the first axis, over the resamples that are defined.

    Args:
        resampled: (R, ...).
        level: Share of resamples inside.

    Returns:
        Low and high ends, (...); NaN where no resample is defined.
    """
    ordered = np.sort(resampled, axis=0)  # NaN comes last
    last = n_defined(resampled) - 1  # (...)
    if not len(ordered):
        return np.full(last.shape, np.nan), np.full(last.shape, np.nan)

    def quantile(share: float) -> Floats:
        place = np.maximum(last, 0) * share
        below = np.floor(place).astype(np.intp)
        above = np.minimum(below + 1, np.maximum(last, 0))
        low, high = (np.take_along_axis(ordered, at[None], axis=0)[0] for at in (below, above))
        return np.asarray(low + (high - low) * (place - below), np.float64)

    return quantile((1 - level) / 2), quantile((1 + level) / 2)


def n_defined(resampled: Floats) -> Ints:
    """How many resamples are defined, along the first axis."""
    return np.asarray(np.count_nonzero(~np.isnan(resampled), axis=0), np.int64)
