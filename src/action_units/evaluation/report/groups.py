"""Scores by group of subjects: rows of the page and the model card, and tables as CSV."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from action_units.evaluation.groups import Grouping, GroupLine
from action_units.evaluation.subject_statistics import METRICS
from action_units.evaluation.summary import RunSummary

_OTHERS = ("floor_f1", "f1_norm", "precision", "recall", "auc", "ece")
"""The metrics that are shown beside F1 and its interval."""

_SCORES = (
    *("column", "group", "subjects", "frames", "measure", "name", "aus"),
    *("value", "low", "high", "kept", "why"),
)
_GAPS = (
    *("column", "measure", "name", "aus"),
    *("highest", "lowest", "gap", "low", "high", "by_chance"),
)

_OWN = "f1_own_thresholds"


def grouping_rows(summary: RunSummary) -> list[dict[str, Any]]:
    """What the page and the model card show of each way to divide the subjects.

    Returns:
        ``column``; ``name`` of the average and over ``n_aus`` of ``of`` AUs it runs;
        ``tested`` subjects, of whom ``not_known`` have no group; ``others``, the metrics
        beside F1; ``groups``, worst first, each with its scores by metric; ``gaps`` by metric;
        ``aus``, F1 of each AU in each group; and ``thresholds`` of groups.
    """
    return [_grouping(one, summary) for one in summary.groups]


def _grouping(grouping: Grouping, summary: RunSummary) -> dict[str, Any]:
    average = grouping.mean_f1.name
    lines = {name: grouping.lines[name][average] for name in ("f1", *_OTHERS)}
    known = sum(len(group.subjects) for group in grouping.groups)
    return {
        "column": grouping.column,
        "name": average,
        "n_aus": len(grouping.mean_f1.aus),
        "of": len(summary.aus),
        "tested": known + len(grouping.not_known),
        "not_known": grouping.not_known,
        "others": {name: METRICS[name] for name in _OTHERS},
        "groups": [
            {
                "group": group,
                "scores": {name: line.groups[group.name] for name, line in lines.items()},
            }
            for group in grouping.groups
        ],
        "gaps": {name: line.gap for name, line in lines.items()},
        "aus": [line for line in grouping.lines["f1"].values() if line.name != average],
        "thresholds": [
            {"group": group.name, "common": lines["f1"].groups[group.name], "own": own}
            for group in grouping.groups
            if (own := grouping.thresholds.get(group.name))
        ],
    }


def count_gaps(summary: RunSummary) -> int:
    """How many gaps of F1 the page shows: of so many, some are large by chance."""
    return sum(
        line.gap is not None for one in summary.groups for line in one.lines["f1"].values()
    )


def group_scores(groupings: Sequence[Grouping]) -> pd.DataFrame:
    """Every metric of every group, a row for each AU and average.

    ``measure`` is of `METRICS`, or F1 at thresholds of the group's own and its gain over the
    common ones. ``aus`` is over how many AUs an average runs, the same in each group.
    """
    rows = []
    for one in groupings:
        for group in one.groups:
            about = {
                "column": one.column,
                "group": group.name,
                "subjects": len(group.subjects),
                "frames": group.frames,
            }
            scores = [
                (measure, line, line.groups[group.name])
                for measure, lines in one.lines.items()
                for line in lines.values()
            ]
            if own := one.thresholds.get(group.name):
                parts = {_OWN: own.f1, f"{_OWN}_gain": own.gain}
                scores += [
                    (measure, one.lines["f1"][name], estimate)
                    for measure, estimates in parts.items()
                    for name, estimate in estimates.items()
                ]
            rows += [
                {
                    **about,
                    "measure": measure,
                    "name": line.name,
                    "aus": len(line.aus),
                    "value": score.value,
                    "low": score.low,
                    "high": score.high,
                    "kept": score.n_resamples,
                    "why": score.why,
                }
                for measure, line, score in scores
            ]
    return pd.DataFrame(rows, columns=list(_SCORES))


def group_gaps(groupings: Sequence[Grouping]) -> pd.DataFrame:
    """The largest gap of every metric, a row for each AU and average that has one."""
    rows = [
        _gap_row(one.column, measure, line)
        for one in groupings
        for measure, lines in one.lines.items()
        for line in lines.values()
        if line.gap is not None
    ]
    return pd.DataFrame(rows, columns=list(_GAPS))


def _gap_row(column: str, measure: str, line: GroupLine) -> dict[str, Any]:
    gap = line.gap
    assert gap is not None
    return {
        "column": column,
        "measure": measure,
        "name": line.name,
        "aus": len(line.aus),
        "highest": gap.highest,
        "lowest": gap.lowest,
        "gap": gap.difference.value,
        "low": gap.difference.low,
        "high": gap.difference.high,
        "by_chance": gap.by_chance,
    }
