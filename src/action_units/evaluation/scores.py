"""F1 across folds: by fold, mean of folds and pooled, with intervals over subjects.

Two numbers are often confused. The *mean of folds* computes F1 in each fold and
averages; the literature prints it. The *pooled* figure adds up the folds' counts
and computes F1 once. They differ, and each is reported under its own name.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from action_units.evaluation import bootstrap, metrics, tables
from action_units.evaluation.bootstrap import SubjectCounts, mean_defined
from action_units.evaluation.metrics import Confusion, Floats


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval over subjects; NaN where undefined."""

    value: float
    low: float = math.nan
    high: float = math.nan

    def to_json(self) -> dict[str, float | None]:
        """JSON values, null for what is undefined."""
        return {name: tables.plain(getattr(self, name)) for name in ("value", "low", "high")}


@dataclass(frozen=True)
class ScoreLine:
    """F1 of one AU, or of an average over AUs, across the folds of one network.

    Attributes:
        name: ``AU12`` or ``12 AUs``.
        by_fold: F1 in each fold.
        mean_of_folds: Mean of the folds where it is defined.
        pooled: From the counts of all folds together; of an average, the mean
            over AUs of their pooled F1.
        defined: Over how many (AU, fold) pairs `mean_of_folds` runs …
        possible: … of how many.
    """

    name: str
    by_fold: dict[int, float]
    mean_of_folds: Estimate
    pooled: Estimate
    defined: int
    possible: int

    def to_json(self) -> dict[str, Any]:
        """JSON values, null for what is undefined."""
        return {
            "name": self.name,
            "by_fold": {str(fold): tables.plain(v) for fold, v in self.by_fold.items()},
            "mean_of_folds": self.mean_of_folds.to_json(),
            "pooled": self.pooled.to_json(),
            "defined": self.defined,
            "possible": self.possible,
        }


@dataclass(frozen=True)
class ModelScores:
    """All score lines of one network: AUs by number, averages by name."""

    aus: dict[int, ScoreLine]
    averages: dict[str, ScoreLine]

    def to_json(self) -> dict[str, Any]:
        """JSON values, null for what is undefined."""
        return {
            "aus": {str(au): line.to_json() for au, line in self.aus.items()},
            "averages": {name: line.to_json() for name, line in self.averages.items()},
        }


def score(people: Mapping[int, SubjectCounts], aus: Sequence[int], seed: int) -> ModelScores:
    """F1 of one network over its folds, with intervals.

    Args:
        people: Each fold's counts per test subject.
        aus: The AUs of the columns.
        seed: Of the bootstrap; folds draw apart from each other.
    """
    pool = bootstrap.together(list(people.values()))
    drawn_pool = bootstrap.resampled_f1(pool, [seed])  # (R, A)
    return _lines(people, aus, (_resampled(people, seed), drawn_pool))


def floor(people: Mapping[int, SubjectCounts], aus: Sequence[int]) -> ModelScores:
    """F1 of calling every labelled frame positive, without intervals."""
    everything = {}
    for fold, part in people.items():
        c, none = part.counts, np.zeros_like(part.counts.tp)
        counts = Confusion(tp=c.support, fp=c.fp + c.tn, fn=none, tn=none)
        everything[fold] = SubjectCounts(part.subjects, counts)
    return _lines(everything, aus, None)


def paired_differences(
    ours: Mapping[int, SubjectCounts],
    other: Mapping[int, SubjectCounts],
    aus: Sequence[int],
    seed: int,
) -> tuple[dict[int, Estimate], dict[str, Estimate]]:
    """How much better `ours` is, mean of folds, by AU and by average.

    Both networks are judged on the same resamples of the same subjects, so that
    what makes a subject easy or hard for both does not widen the interval.

    Args:
        ours: Each fold's counts per test subject.
        other: The same of the network to compare with.
        aus: The AUs of the columns.
        seed: Of the bootstrap.
    """
    first, second = (_f1(people) for people in (ours, other))  # (F, A)
    drawn = [_resampled(people, seed) for people in (ours, other)]  # (R, F, A)
    enough = _enough(ours)

    def apart(columns: list[int]) -> Estimate:
        value = _over(first[None], columns) - _over(second[None], columns)
        if not enough[columns].any():
            return Estimate(float(value[0]))
        return _estimate(value[0], _over(drawn[0], columns) - _over(drawn[1], columns))

    return (
        {au: apart([column]) for column, au in enumerate(aus)},
        {
            name: apart([aus.index(au) for au in members])
            for name, members in tables.average_sets(aus).items()
        },
    )


def _lines(
    people: Mapping[int, SubjectCounts],
    aus: Sequence[int],
    drawn: tuple[Floats, Floats] | None,  # by fold (R, F, A), pooled (R, A)
) -> ModelScores:
    per_fold = _f1(people)  # (F, A)
    pooled = metrics.f1(bootstrap.together(list(people.values())).counts.sum())  # (A,)
    enough = _enough(people)

    def line(name: str, columns: list[int]) -> ScoreLine:
        values = mean_defined(per_fold[:, columns])  # (F,)
        resampled: tuple[Floats | None, Floats | None] = (None, None)
        if drawn is not None and enough[columns].any():
            resampled = _over(drawn[0], columns), mean_defined(drawn[1][:, columns])
        return ScoreLine(
            name=name,
            by_fold=dict(zip(people, values.tolist(), strict=True)),
            mean_of_folds=_estimate(mean_defined(values), resampled[0]),
            pooled=_estimate(mean_defined(pooled[columns]), resampled[1]),
            defined=int(np.count_nonzero(~np.isnan(per_fold[:, columns]))),
            possible=per_fold[:, columns].size,
        )

    return ModelScores(
        aus={au: line(f"AU{au:02d}", [column]) for column, au in enumerate(aus)},
        averages={
            name: line(name, [aus.index(au) for au in members])
            for name, members in tables.average_sets(aus).items()
        },
    )


def _f1(people: Mapping[int, SubjectCounts]) -> Floats:
    """F1 per fold and AU, (F, A)."""
    return np.stack([metrics.f1(part.counts.sum()) for part in people.values()])


def _resampled(people: Mapping[int, SubjectCounts], seed: int) -> Floats:
    """F1 in resamples of each fold's subjects, (R, F, A)."""
    drawn = [bootstrap.resampled_f1(part, [seed, fold]) for fold, part in people.items()]
    return np.stack(drawn, axis=1)


def _over(f1: Floats, columns: list[int]) -> Floats:
    """Mean over AUs in each fold, then over folds: (R, F, A) to (R,)."""
    return mean_defined(mean_defined(f1[:, :, columns]))


def _enough(people: Mapping[int, SubjectCounts]) -> metrics.Bools:
    """Which AUs at least two subjects show: one says nothing of how people differ."""
    return bootstrap.together(list(people.values())).with_positives >= 2


def _estimate(value: Any, drawn: Floats | None) -> Estimate:
    if drawn is None:
        return Estimate(float(value))
    low, high = bootstrap.interval(drawn)
    return Estimate(float(value), float(low), float(high))
