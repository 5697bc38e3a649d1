"""For whom a run works: every metric by group of subjects, and the gaps between groups.

Scores are *pooled*: of all test frames of a group's subjects, each called by its own fold's
network and thresholds. Groups share no subject, so each is resampled by itself, and the
interval of a gap is that of two independent samples. An average runs over the AUs for which
the metric is defined in every group: otherwise groups would be compared over different AUs.

The largest of several gaps is large by chance too. ``by_chance`` says how often it would be as
large if the same subjects were dealt at random to groups of the same sizes (a permutation
test, which needs no more of the subjects than that any could be in any group).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from zlib import crc32

import numpy as np
import pandas as pd

from action_units.errors import ConfigurationError
from action_units.evaluation import bootstrap
from action_units.evaluation.group_thresholds import GroupThresholds, score_own_thresholds
from action_units.evaluation.metrics import Floats, average_sets, mean_defined
from action_units.evaluation.predictions import Predictions, pool
from action_units.evaluation.scores import Estimate, Number
from action_units.evaluation.subject_statistics import (
    METRICS,
    MIN_SUBJECTS,
    MetricValues,
    SubjectStatistics,
    subject_statistics,
)
from action_units.labels.action_units import au_column

_SLOW = ("ranks", "events")
"""Sources of metrics for which random groups would take too long."""

_FEW = 200
"""Resamples of metrics of ranks, of which average precision takes longer than all others."""

_ROUNDING = 1e-12
"""Gaps that differ by less are equal."""


@dataclass(frozen=True)
class Group:
    """The tested subjects of one group.

    Attributes:
        name: As in the file.
        subjects: Sorted.
        frames: How many of theirs are tested.
    """

    name: str
    subjects: tuple[str, ...]
    frames: int

    @property
    def too_few(self) -> bool:
        """Whether it has no score: that of one subject would be this person's."""
        return len(self.subjects) < MIN_SUBJECTS


@dataclass(frozen=True)
class Gap:
    """The largest difference between two groups.

    Attributes:
        highest: The group of the highest score.
        lowest: The group of the lowest.
        difference: Highest minus lowest; its interval is of these two groups.
        by_chance: Share of random groups whose largest gap is at least as large; NaN for
            metrics of ranks and events, for which it is not computed.
    """

    highest: str
    lowest: str
    difference: Estimate
    by_chance: Number


@dataclass(frozen=True)
class GroupLine:
    """One metric of one AU or average in every group.

    Attributes:
        name: ``AU12`` or ``12 AUs``.
        aus: The AUs that it runs over.
        groups: The score of each group.
        gap: None where fewer than two groups have a score.
    """

    name: str
    aus: tuple[int, ...]
    groups: dict[str, Estimate]
    gap: Gap | None


@dataclass(frozen=True)
class Grouping:
    """One way to divide the tested subjects, and every metric by it.

    Attributes:
        column: Its name in the file.
        groups: First the group with the lowest mean F1, last those that are too few.
        not_known: Tested subjects whose group is not known.
        lines: By metric, then by AU or average, the mean over all AUs last.
        thresholds: By group, what thresholds of its own would do.
    """

    column: str
    groups: tuple[Group, ...]
    not_known: tuple[str, ...]
    lines: dict[str, dict[str, GroupLine]]
    thresholds: dict[str, GroupThresholds] = field(default_factory=dict)

    @property
    def mean_f1(self) -> GroupLine:
        """F1 averaged over all AUs that can be compared."""
        return list(self.lines["f1"].values())[-1]


def score_groups(
    test: Mapping[int, Predictions],
    table: pd.DataFrame,
    validation: Mapping[int, Predictions] | None = None,
    seed: int = 0,
    n_resamples: int = bootstrap.RESAMPLES,
    statistics: SubjectStatistics | None = None,
) -> tuple[Grouping, ...]:
    """Every metric of one network by every column of a table of groups.

    Args:
        test: The test subjects of each fold.
        table: From ``labels.groups.read_groups``.
        validation: The validation subjects of each fold, postprocessed as the test subjects;
            without them no thresholds of groups are fitted.
        seed: Of the bootstrap, of random groups and of the thresholds.
        n_resamples: With 0 there are no intervals.
        statistics: Of all test subjects, where they are known already.

    Raises:
        ConfigurationError: Not one tested subject is in the table.
    """
    whole = pool(list(test.values()))
    statistics = statistics or subject_statistics(whole)
    subjects = statistics.subject_counts.subjects
    if not set(subjects) & set(table.index):
        raise ConfigurationError(
            f"groups are given for {len(table)} subjects, such as {table.index[0]}, and not "
            f"one of them is among the {len(subjects)} tested, such as {subjects[0]}; write "
            "the subjects as the report has them."
        )
    frames = dict(zip(*np.unique(whole.subjects, return_counts=True), strict=True))
    folds = (
        {fold: (validation[fold], part) for fold, part in test.items()} if validation else {}
    )
    groupings = []
    for column in map(str, table):
        group_of = dict(zip(table.index, table[column], strict=True))
        grouping = _Scorer(column, group_of, statistics, whole.aus, seed, n_resamples).score(
            {subject: int(n) for subject, n in frames.items()}
        )
        thresholds = {
            group.name: score_own_thresholds(
                [subject for subject, name in group_of.items() if name == group.name],
                folds,
                {line.name: line.aus for line in grouping.lines["f1"].values()},
                _seeds(seed, column, group.name),
                n_resamples,
            )
            for group in grouping.groups
            if folds and not group.too_few
        }
        groupings.append(replace(grouping, thresholds=thresholds))
    return tuple(groupings)


class _Scorer:
    """The groups of one column, with every metric of each and its resamples."""

    def __init__(
        self,
        column: str,
        group_of: Mapping[str, str],
        statistics: SubjectStatistics,
        aus: Sequence[int],
        seed: int,
        n_resamples: int,
    ) -> None:
        self.column, self.aus = column, tuple(aus)
        self.subjects = statistics.subject_counts.subjects
        self.of_subject = np.array([group_of.get(subject, "") for subject in self.subjects])
        names, sizes = np.unique(self.of_subject[self.of_subject != ""], return_counts=True)
        self.names = names.tolist()
        self.compared = names[sizes >= MIN_SUBJECTS].tolist()
        self.parts, self.values, self.resampled = {}, {}, {}
        for name in self.compared:
            part = self.parts[name] = statistics.select(self.of_subject == name)
            self.values[name] = part.values
            self.resampled[name] = _resampled(part, _seeds(seed, column, name), n_resamples)
        self.shuffled = self._shuffle(statistics, _seeds(seed, column), n_resamples)

    def score(self, frames: Mapping[str, int]) -> Grouping:
        """The groups, worst first; `frames` is how many of each subject are tested."""
        lines = {metric: self._lines(metric) for metric in METRICS if self._has(metric)}
        groups = []
        for name in self.names:
            own = [s for s, g in zip(self.subjects, self.of_subject, strict=True) if g == name]
            groups.append(Group(name, tuple(own), sum(frames[subject] for subject in own)))
        mean = list(lines["f1"].values())[-1].groups
        nan_last = {name: (math.isnan(one.value), one.value) for name, one in mean.items()}
        groups.sort(key=lambda group: (group.too_few, nan_last[group.name], group.name))
        unknown = [s for s, g in zip(self.subjects, self.of_subject, strict=True) if not g]
        return Grouping(self.column, tuple(groups), tuple(unknown), lines)

    def _has(self, metric: str) -> bool:
        return not self.values or metric in next(iter(self.values.values()))

    def _lines(self, metric: str) -> dict[str, GroupLine]:
        lines = {au_column(au): self._line(metric, au_column(au), (au,)) for au in self.aus}
        for name, members in average_sets(self.aus).items():
            everywhere = np.ones(len(self.aus), np.bool_)
            for values in self.values.values():
                everywhere &= ~np.isnan(values[metric])
            common = tuple(au for au in members if everywhere[self.aus.index(au)])
            lines[name] = self._line(metric, name, common)
        return lines

    def _line(self, metric: str, name: str, aus: tuple[int, ...]) -> GroupLine:
        columns = [self.aus.index(au) for au in aus]
        groups = {
            group: self._estimate(metric, group, columns)
            if group in self.compared
            else Estimate(math.nan, why="too few: one subject")
            for group in self.names
        }
        return GroupLine(name, aus, groups, self._gap(metric, columns, groups))

    def _estimate(self, metric: str, group: str, columns: list[int]) -> Estimate:
        if not columns:
            return Estimate(math.nan, why="too few: no action unit is defined in every group")
        value = float(mean_defined(self.values[group][metric][columns]))
        if math.isnan(value):
            why = self.parts[group].why_undefined(self.values[group])[columns[0]][metric]
            return Estimate(value, why=f"too few: {why}")
        return self._with_interval(
            value,
            self.resampled[group][metric][:, columns],
            self._has_interval(metric, group, columns),
        )

    def _gap(
        self, metric: str, columns: list[int], groups: Mapping[str, Estimate]
    ) -> Gap | None:
        scored = [group for group, one in groups.items() if not math.isnan(one.value)]
        if len(scored) < 2:
            return None
        lowest = min(scored, key=lambda group: groups[group].value)
        others = [group for group in scored if group != lowest]
        highest = max(others, key=lambda group: groups[group].value)
        one, two = (self.resampled[group][metric][:, columns] for group in (highest, lowest))
        has_interval = all(
            self._has_interval(metric, group, columns) for group in (highest, lowest)
        )
        value = groups[highest].value - groups[lowest].value
        shuffled = self.shuffled.get(metric)
        chance = math.nan
        if shuffled is not None and (random := largest_gaps(shuffled[:, :, columns])).size:
            random = random[~np.isnan(random)]
            as_large = np.count_nonzero(random >= value - _ROUNDING)
            chance = float(
                (1 + as_large) / (1 + random.size)
            )  # as dealt is one of the ways to deal
        return Gap(highest, lowest, self._with_interval(value, one - two, has_interval), chance)

    def _has_interval(self, metric: str, group: str, columns: list[int]) -> bool:
        return bool(self.parts[group].subject_counts.has_interval(metric)[columns].any())

    @staticmethod
    def _with_interval(value: float, resampled: Floats, has_interval: bool) -> Estimate:
        """An estimate from resamples of some AUs, (R, a)."""
        means = mean_defined(resampled)
        n_resamples = int(bootstrap.n_defined(means))
        if not has_interval:
            why = "no interval: too few, fewer than two subjects show it"
            return Estimate(value, n_resamples=n_resamples, why=why)
        low, high = bootstrap.interval(means)
        return Estimate(value, float(low), float(high), n_resamples)

    def _shuffle(
        self, statistics: SubjectStatistics, seeds: Sequence[int], n_resamples: int
    ) -> dict[str, Floats]:
        """Every metric but those of `_SLOW` sources in random groups, (R, G, A)."""
        known = np.flatnonzero(np.isin(self.of_subject, self.compared))
        if len(self.compared) < 2 or not n_resamples:
            return {}
        random = np.random.default_rng(list(seeds)).random((n_resamples, known.size))
        dealt = self.of_subject[known][np.argsort(random, axis=1)]  # (R, K)
        quick = replace(statistics, ranks=None, events=None)
        values: dict[str, list[Floats]] = {}
        for name in self.compared:
            times = np.zeros((n_resamples, len(self.subjects)))
            times[:, known] = dealt == name
            for metric, value in quick.weighted(times).items():
                if METRICS[metric].source not in _SLOW:
                    values.setdefault(metric, []).append(value)
        return {metric: np.stack(each, axis=1) for metric, each in values.items()}


def _resampled(part: SubjectStatistics, seeds: Sequence[int], n_resamples: int) -> MetricValues:
    """Every metric of a group in resamples of its subjects, (R, A)."""
    values = replace(part, ranks=None).resampled(seeds, n_resamples)
    few = part.resampled(seeds, min(n_resamples, _FEW))
    return values | {name: few[name] for name in few if METRICS[name].source == "ranks"}


def largest_gaps(values: Floats) -> Floats:
    """The largest gap between groups, (R,), of one AU or of the mean of several.

    A mean runs over the AUs that are defined in all groups. One AU is compared between the
    groups in which it is defined.

    Args:
        values: A metric in R ways to divide, (R, G, a).

    Returns:
        NaN where fewer than two groups have a value.
    """
    if values.shape[2] > 1:
        everywhere = ~np.isnan(values).any(axis=1, keepdims=True)  # (R, 1, a)
        values = np.where(everywhere, values, np.nan)
    means = mean_defined(values)  # (R, G)
    defined = ~np.isnan(means)
    highest = np.where(defined, means, -np.inf).max(axis=1)
    lowest = np.where(defined, means, np.inf).min(axis=1)
    return np.where(defined.sum(axis=1) >= 2, highest - lowest, np.nan)


def _seeds(seed: int, *names: str) -> list[int]:
    """The seeds of a column, or of one of its groups, whichever other ones there are.

    Two groups of one size must not share their draws: they are other people.
    """
    return [seed, *(crc32(name.encode()) for name in names)]
