"""Scores of a network across folds, with intervals over subjects, and paired differences.

Two numbers are often confused. The *mean of folds* computes a metric in each fold and averages;
it is what the literature prints. The *pooled* score takes the frames of all folds together and
computes the metric once. They differ, and each is reported under its own name.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import BeforeValidator, Field, PlainSerializer

from action_units.evaluation import bootstrap
from action_units.evaluation.metrics import Floats, average_sets, mean_defined
from action_units.evaluation.predictions import Predictions, pool
from action_units.evaluation.subject_statistics import (
    MetricValues,
    SubjectCounts,
    SubjectStatistics,
    subject_statistics,
)

Number = Annotated[
    float,
    BeforeValidator(lambda value: math.nan if value is None else value),
    PlainSerializer(lambda value: None if math.isnan(value) else value),
]
"""A float that is null in JSON where it is undefined (NaN)."""

Reasons = list[dict[str, str]]
"""For each AU, why metrics are undefined, by metric."""


@dataclass(frozen=True)
class Estimate:
    """A score and its 95 % interval over subjects; NaN where undefined.

    Attributes:
        value: The score.
        low: Low end of the interval.
        high: High end.
        n_resamples: Bootstrap resamples in which the metric is defined; the interval is over
            these.
        why: Why the score or its interval is undefined; empty where both are defined.
    """

    value: Number
    low: Number = math.nan
    high: Number = math.nan
    n_resamples: Annotated[int, Field(alias="kept")] = 0
    why: str = ""

    @property
    def excludes_zero(self) -> bool:
        """The interval does not contain 0."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class ScoreLine:
    """One metric, or a difference of it, for one AU or an average over AUs, across folds.

    Attributes:
        name: ``AU12`` or ``12 AUs``.
        by_fold: In each fold.
        mean_of_folds: Mean of the folds where it is defined.
        pooled: Of the frames of all folds together; of an average, the mean over AUs of
            their pooled scores.
        defined: Over how many (AU, fold) pairs `mean_of_folds` runs …
        possible: … of how many.
        why: Why it is undefined, of the folds where it is.
    """

    name: str
    by_fold: dict[int, Number]
    mean_of_folds: Estimate
    pooled: Estimate
    defined: int
    possible: int
    why: dict[int, str]


@dataclass(frozen=True)
class MetricScores:
    """All lines of one metric: AUs by number, averages by name."""

    aus: dict[int, ScoreLine]
    averages: dict[str, ScoreLine]

    @property
    def lines(self) -> list[ScoreLine]:
        """AUs first, then averages."""
        return [*self.aus.values(), *self.averages.values()]


@dataclass(frozen=True, eq=False)
class BootstrapScores:
    """All metrics of one network, with their resamples; two can be subtracted.

    Networks tested on the same subjects have the same resamples. So the difference is paired:
    what makes a subject easy or hard for both does not widen its interval. A mean of it runs
    over the AUs and folds where both are defined.

    Attributes:
        aus: The AUs of the columns.
        folds: The folds' numbers.
        subject_counts: Of the subjects of all folds.
        by_fold: Each metric in each fold, (F, A).
        by_fold_resampled: In resamples of each fold's subjects, or of the folds, (R, F, A).
        by_fold_why: Why metrics are undefined, of each fold.
        pooled: Each metric of all folds together, (A,).
        pooled_resampled: In resamples of all subjects, (R, A).
        pooled_why: Why pooled metrics are undefined.
    """

    aus: tuple[int, ...]
    folds: tuple[int, ...]
    subject_counts: SubjectCounts
    by_fold: MetricValues
    by_fold_resampled: MetricValues
    by_fold_why: tuple[Reasons, ...]
    pooled: MetricValues
    pooled_resampled: MetricValues
    pooled_why: Reasons

    def __sub__(self, other: "BootstrapScores") -> "BootstrapScores":
        """Every metric of this network minus that of another, tested on the same frames."""

        def minus(name: str) -> MetricValues:
            ours, theirs = getattr(self, name), getattr(other, name)
            return {metric: ours[metric] - theirs[metric] for metric in ours}

        def either(ours: Reasons, theirs: Reasons) -> Reasons:
            return [two | one for one, two in zip(ours, theirs, strict=True)]

        return BootstrapScores(
            aus=self.aus,
            folds=self.folds,
            subject_counts=self.subject_counts,
            by_fold=minus("by_fold"),
            by_fold_resampled=minus("by_fold_resampled"),
            by_fold_why=tuple(map(either, self.by_fold_why, other.by_fold_why)),
            pooled=minus("pooled"),
            pooled_resampled=minus("pooled_resampled"),
            pooled_why=either(self.pooled_why, other.pooled_why),
        )

    def mean_of_folds(self, metric: str, columns: list[int]) -> Estimate:
        """The mean of folds of one AU, or of the mean of several."""
        value = mean_defined(mean_defined(self.by_fold[metric][:, columns]))
        # Mean over AUs in each fold, then over folds: (R, F, A) to (R,).
        resampled = mean_defined(mean_defined(self.by_fold_resampled[metric][:, :, columns]))
        return self._estimate(value, resampled, metric, columns)

    def scores(self) -> dict[str, MetricScores]:
        """Every metric by AU and by average, with intervals."""
        sets = average_sets(self.aus)
        return {
            metric: MetricScores(
                aus={
                    au: self._line(metric, f"AU{au:02d}", [column])
                    for column, au in enumerate(self.aus)
                },
                averages={
                    name: self._line(metric, name, [self.aus.index(au) for au in members])
                    for name, members in sets.items()
                },
            )
            for metric in self.by_fold
        }

    def _line(self, metric: str, name: str, columns: list[int]) -> ScoreLine:
        values = self.by_fold[metric][:, columns]  # (F, a)
        means = dict(zip(self.folds, mean_defined(values).tolist(), strict=True))
        pooled = mean_defined(self.pooled[metric][columns])
        resampled = mean_defined(self.pooled_resampled[metric][:, columns])
        return ScoreLine(
            name=name,
            by_fold=means,
            mean_of_folds=self.mean_of_folds(metric, columns),
            pooled=self._estimate(pooled, resampled, metric, columns),
            defined=int(np.count_nonzero(~np.isnan(values))),
            possible=values.size,
            why={
                fold: why[columns[0]][metric]
                for fold, why in zip(self.folds, self.by_fold_why, strict=True)
                if math.isnan(means[fold])
            },
        )

    def _estimate(
        self, value: Floats, resampled: Floats, metric: str, columns: list[int]
    ) -> Estimate:
        n_resamples = int(bootstrap.n_defined(resampled))
        if np.isnan(value):
            each = (self.pooled_why, *self.by_fold_why)
            reasons = (why[column].get(metric, "") for why in each for column in columns)
            why = next(filter(None, reasons), "")
            return Estimate(float(value), n_resamples=n_resamples, why=why)
        if not self.subject_counts.has_interval(metric)[columns].any():
            why = "no interval: fewer than two subjects show it"
            return Estimate(float(value), n_resamples=n_resamples, why=why)
        low, high = bootstrap.interval(resampled)
        return Estimate(float(value), float(low), float(high), n_resamples)


def bootstrap_scores(
    folds: Mapping[int, SubjectStatistics],
    pooled: SubjectStatistics,
    aus: Sequence[int],
    seed: int = 0,
) -> BootstrapScores:
    """All metrics of one network and their resamples.

    Subjects are resampled within their fold. Where a fold tests fewer subjects than there are
    folds, whole folds are resampled instead: of n units, resampling shows (n − 1)/n of the
    variance, so a fold of one subject would have an interval without any width.

    Args:
        folds: What each test subject contributes, by fold.
        pooled: The same of all folds together.
        aus: The AUs of the columns.
        seed: Of the bootstrap; each fold has draws of its own.
    """
    values = [part.values for part in folds.values()]
    whole = pooled.values
    by_fold = {name: np.stack([part[name] for part in values]) for name in whole}
    smallest = min(len(part.subject_counts.subjects) for part in folds.values())
    if smallest < len(folds):
        drawn = bootstrap.draw_folds(len(folds), [seed])  # (R, F)
        resampled = {name: by_fold[name][drawn] for name in whole}
    else:
        within = [part.resampled([seed, fold]) for fold, part in folds.items()]
        resampled = {name: np.stack([part[name] for part in within], axis=1) for name in whole}
    return BootstrapScores(
        aus=tuple(aus),
        folds=tuple(folds),
        subject_counts=pooled.subject_counts,
        by_fold=by_fold,
        by_fold_resampled=resampled,
        by_fold_why=tuple(
            part.why_undefined(own) for part, own in zip(folds.values(), values, strict=True)
        ),
        pooled=whole,
        pooled_resampled=pooled.resampled([seed]),
        pooled_why=pooled.why_undefined(whole),
    )


def score_folds(folds: Mapping[int, Predictions], seed: int = 0) -> BootstrapScores:
    """All metrics of one network over its folds, from its predictions of each frame."""
    statistics = {number: subject_statistics(part) for number, part in folds.items()}
    whole = pool(list(folds.values()))
    return bootstrap_scores(statistics, subject_statistics(whole), whole.aus, seed)
