"""From what each subject contributes to scores across folds and paired differences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from action_units.evaluation import bootstrap, tables
from action_units.evaluation.bootstrap import mean_defined
from action_units.evaluation.metrics import Bools, Floats
from action_units.evaluation.scores import (
    DifferenceLine,
    Differences,
    Estimate,
    ModelScores,
    ScoreLine,
)
from action_units.evaluation.subject_statistics import MetricValues, SubjectStatistics, enough

_FEW_SUBJECTS = "no interval: fewer than two subjects show it"

Reasons = list[dict[str, str]]
"""For each AU, why figures are undefined, by figure."""


@dataclass(frozen=True, eq=False)
class BootstrapScores:
    """All figures of one network, with their resamples.

    Attributes:
        aus: The AUs of the columns.
        folds: The folds' numbers.
        pool: What each subject of all folds contributes.
        by_fold: Each figure in each fold, (F, A).
        by_fold_drawn: In resamples of each fold's subjects, (R, F, A).
        by_fold_why: Why figures are undefined, by fold.
        pooled: Each figure of all folds together, (A,).
        pooled_drawn: In resamples of all subjects, (R, A).
        pooled_why: Why pooled figures are undefined.
    """

    aus: tuple[int, ...]
    folds: tuple[int, ...]
    pool: SubjectStatistics
    by_fold: MetricValues
    by_fold_drawn: MetricValues
    by_fold_why: dict[int, Reasons]
    pooled: MetricValues
    pooled_drawn: MetricValues
    pooled_why: Reasons

    def over_folds(self, figure: str, columns: list[int]) -> Estimate:
        """The mean of folds of one AU, or of the mean of several."""
        value = _mean(self.by_fold[figure][None], columns)[0]
        drawn = _mean(self.by_fold_drawn[figure], columns)
        return _estimate(value, drawn, self.firm(figure, columns), self.why(figure, columns))

    def together(self, figure: str, columns: list[int]) -> Estimate:
        """The pooled figure of one AU, or the mean of several."""
        value = mean_defined(self.pooled[figure][columns])
        drawn = mean_defined(self.pooled_drawn[figure][:, columns])
        return _estimate(value, drawn, self.firm(figure, columns), self.why(figure, columns))

    def why(self, figure: str, columns: list[int]) -> str:
        """Why the figure of these AUs is undefined; empty where it is defined."""
        each = [self.pooled_why, *self.by_fold_why.values()]
        said = [reasons[column].get(figure, "") for reasons in each for column in columns]
        return next((reason for reason in said if reason), "")

    def firm(self, figure: str, columns: list[int]) -> bool:
        """Whether at least two subjects tell of any of these AUs."""
        return bool(enough(self.pool.people, figure)[columns].any())


def judge(
    folds: Mapping[int, SubjectStatistics],
    pool: SubjectStatistics,
    aus: Sequence[int],
    seed: int = 0,
) -> BootstrapScores:
    """Compute all figures of one network and their resamples.

    Two networks tested on the same subjects get the same resamples.

    Args:
        folds: What each test subject contributes, by fold.
        pool: The same of all folds together.
        aus: The AUs of the columns.
        seed: Of the bootstrap; folds draw apart from each other.
    """
    values = {fold: part.values for fold, part in folds.items()}
    drawn = [part.resampled([seed, fold]) for fold, part in folds.items()]
    pooled = pool.values
    return BootstrapScores(
        aus=tuple(aus),
        folds=tuple(folds),
        pool=pool,
        by_fold={name: np.stack([v[name] for v in values.values()]) for name in pooled},
        by_fold_drawn={name: np.stack([d[name] for d in drawn], axis=1) for name in pooled},
        by_fold_why={fold: part.why_undefined(values[fold]) for fold, part in folds.items()},
        pooled=pooled,
        pooled_drawn=pool.resampled([seed]),
        pooled_why=pool.why_undefined(pooled),
    )


def score(judged: BootstrapScores) -> dict[str, ModelScores]:
    """Every figure by AU and by average, with intervals.

    Args:
        judged: The network.
    """
    return {
        figure: ModelScores(
            aus={
                au: _score_line(judged, figure, f"AU{au:02d}", [column])
                for column, au in enumerate(judged.aus)
            },
            averages={
                name: _score_line(judged, figure, name, columns)
                for name, columns in average_columns(judged.aus).items()
            },
        )
        for figure in judged.by_fold
    }


def differences(first: BootstrapScores, second: BootstrapScores) -> dict[str, Differences]:
    """How far apart two networks are in every figure, first minus second.

    Both are judged on the same resamples of the same subjects, so that what makes a
    subject easy or hard for both does not widen the interval. A mean runs over the AUs
    and folds where both are defined.

    Args:
        first: One network.
        second: The other, tested on the same frames.
    """
    return {
        figure: Differences(
            aus={
                au: _difference_line(first, second, figure, f"AU{au:02d}", [column])
                for column, au in enumerate(first.aus)
            },
            averages={
                name: _difference_line(first, second, figure, name, columns)
                for name, columns in average_columns(first.aus).items()
            },
        )
        for figure in first.by_fold
    }


def _score_line(
    judged: BootstrapScores, figure: str, name: str, columns: list[int]
) -> ScoreLine:
    values = judged.by_fold[figure][:, columns]  # (F, a)
    known: Bools = ~np.isnan(values)
    anything = dict(zip(judged.folds, np.any(known, axis=1).tolist(), strict=True))
    return ScoreLine(
        name=name,
        by_fold=dict(zip(judged.folds, mean_defined(values).tolist(), strict=True)),
        mean_of_folds=judged.over_folds(figure, columns),
        pooled=judged.together(figure, columns),
        defined=int(np.count_nonzero(known)),
        possible=values.size,
        why={
            fold: judged.by_fold_why[fold][columns[0]][figure]
            for fold in judged.folds
            if not anything[fold]
        },
    )


def _difference_line(
    first: BootstrapScores, second: BootstrapScores, figure: str, name: str, columns: list[int]
) -> DifferenceLine:
    apart = first.pooled[figure] - second.pooled[figure]
    drawn = first.pooled_drawn[figure] - second.pooled_drawn[figure]
    return DifferenceLine(
        name=name,
        mean_of_folds=mean_difference(first, second, figure, columns),
        pooled=_estimate(
            mean_defined(apart[columns]),
            mean_defined(drawn[:, columns]),
            first.firm(figure, columns),
            first.why(figure, columns) or second.why(figure, columns),
        ),
    )


def mean_difference(
    first: BootstrapScores, second: BootstrapScores, figure: str, columns: list[int]
) -> Estimate:
    """By how much the mean of folds of some AUs differs, first minus second, as `differences`.

    Args:
        first: One network.
        second: The other, tested on the same frames.
        figure: Which metric.
        columns: The AUs' columns.
    """
    apart = (first.by_fold[figure] - second.by_fold[figure])[:, columns]
    drawn = (
        first.by_fold_drawn[figure][..., columns] - second.by_fold_drawn[figure][..., columns]
    )
    every = list(range(len(columns)))
    return _estimate(
        _mean(apart[None], every)[0],
        _mean(drawn, every),
        first.firm(figure, columns),
        first.why(figure, columns) or second.why(figure, columns),
    )


def average_columns(aus: tuple[int, ...]) -> dict[str, list[int]]:
    """The columns of each set that averages run over."""
    return {
        name: [aus.index(au) for au in members]
        for name, members in tables.average_sets(aus).items()
    }


def _mean(values: Floats, columns: list[int]) -> Floats:
    """Mean over AUs in each fold, then over folds: (R, F, A) to (R,)."""
    return mean_defined(mean_defined(values[:, :, columns]))


def _estimate(value: Floats, drawn: Floats, firm: bool, undefined: str) -> Estimate:
    kept = int(bootstrap.kept(drawn))
    if np.isnan(value):
        return Estimate(float(value), kept=kept, why=undefined)
    if not firm:
        return Estimate(float(value), kept=kept, why=_FEW_SUBJECTS)
    low, high = bootstrap.interval(drawn)
    return Estimate(float(value), float(low), float(high), kept)
