"""What decision thresholds of a group's own would do.

They are fitted on the validation subjects of the group in each fold, and scored on its test
subjects. Where these are too few, the AU keeps the threshold that all groups share.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from action_units.evaluation import bootstrap
from action_units.evaluation.metrics import Floats, f1, mean_defined
from action_units.evaluation.postprocessing.thresholds import choose_thresholds
from action_units.evaluation.predictions import Predictions
from action_units.evaluation.scores import Estimate
from action_units.evaluation.subject_statistics import (
    MIN_SUBJECTS,
    pool_subjects,
    subject_counts,
)


@dataclass(frozen=True)
class GroupThresholds:
    """F1 of a group's test subjects at thresholds of its own.

    Attributes:
        fitted: In how many pairs of AU and fold the group's validation subjects sufficed …
        possible: … of how many in which it has test subjects; the others keep the threshold
            that all groups share.
        subjects: Its validation subjects in the folds that test it, each counted once a fold.
        f1: By AU or average.
        gain: Over the common thresholds, paired over subjects.
    """

    fitted: int
    possible: int
    subjects: int
    f1: dict[str, Estimate]
    gain: dict[str, Estimate]


def score_own_thresholds(
    members: Collection[str],
    folds: Mapping[int, tuple[Predictions, Predictions]],
    lines: Mapping[str, Sequence[int]],
    seeds: Sequence[int],
    n_resamples: int = bootstrap.RESAMPLES,
) -> GroupThresholds:
    """Fit thresholds to a group's validation subjects, and score its test subjects.

    Args:
        members: The group's subjects.
        folds: Of each fold, the validation and the test subjects, called by the common
            thresholds.
        lines: The AUs of each AU or average to score.
        seeds: Of the bootstrap; the first also of the draws that thresholds are fitted to.
        n_resamples: With 0 there are no intervals.
    """
    names = list(members)
    own, common = [], []
    fitted = possible = n_subjects = 0
    aus: tuple[int, ...] = ()
    for validation, test in folds.values():
        aus = test.aus
        mine = test.select(np.isin(test.subjects, names))
        if not len(mine.subjects):
            continue
        known = validation.select(np.isin(validation.subjects, names))
        limits = _fit(known, seeds[0])  # NaN where it cannot be fitted
        n_subjects += np.unique(known.subjects).size
        is_fitted = ~np.isnan(limits)
        fitted, possible = fitted + int(is_fitted.sum()), possible + len(aus)
        called = np.where(is_fitted, mine.probabilities >= limits, mine.predicted)
        common.append(subject_counts(mine.labels, mine.predicted, mine.subjects))
        own.append(subject_counts(mine.labels, called, mine.subjects))
    ours, shared = pool_subjects(own), pool_subjects(common)
    times = bootstrap.resample(len(ours.subjects), seeds, n_resamples)
    values = f1(ours.counts.sum()), f1(shared.counts.sum())  # (A,)
    resampled = f1(ours.counts.weighted(times)), f1(shared.counts.weighted(times))  # (R, A)
    has_interval = ours.has_interval("f1")

    def estimate(value: Floats, draws: Floats, columns: list[int]) -> Estimate:
        mean = float(mean_defined(value[columns]))
        if np.isnan(mean) or not has_interval[columns].any():
            return Estimate(mean)
        low, high = bootstrap.interval(mean_defined(draws[:, columns]))
        return Estimate(mean, float(low), float(high), n_resamples)

    scored: dict[str, Estimate] = {}
    gains: dict[str, Estimate] = {}
    for name, members_ in lines.items():
        columns = [aus.index(au) for au in members_]
        scored[name] = estimate(values[0], resampled[0], columns)
        gains[name] = estimate(values[0] - values[1], resampled[0] - resampled[1], columns)
    return GroupThresholds(fitted, possible, n_subjects, scored, gains)


def _fit(validation: Predictions, seed: int) -> Floats:
    """Thresholds of a group, (A,); NaN where its validation subjects are too few."""
    n_aus = len(validation.aus)
    if np.unique(validation.subjects).size < MIN_SUBJECTS:
        return np.full(n_aus, np.nan)
    y, subjects = validation.labels, validation.subjects
    chosen = choose_thresholds(y, validation.probabilities, subjects=subjects, seed=seed)
    shown = subject_counts(y, validation.predicted, subjects).has_interval("f1")
    return np.where(np.array(chosen.fallback) | ~shown, np.nan, chosen.values)
