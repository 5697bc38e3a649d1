"""What the page says in numbers: by action unit, by average, by figure and by subject."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from action_units.evaluation import metrics
from action_units.evaluation.bootstrap import together
from action_units.evaluation.measures import METRICS
from action_units.evaluation.scores import Estimate
from action_units.evaluation.summary import RunSummary
from action_units.labels.action_units import AU_NAMES, au_column

_SHOWN_TREATED = ("f1", "f1_event", "auc", "ece", "brier")
"""The figures that treatment of probabilities is judged by."""


def au_rows(summary: RunSummary) -> list[dict[str, Any]]:
    """F1 of each AU with its floor and what it rests on."""
    scratch = summary.scores.get("scratch")
    rows = []
    for column, au in enumerate(summary.aus):
        tables = [fold.finetuned.au_table.iloc[column] for fold in summary.folds]
        rows.append(
            {
                "au": au_column(au),
                "name": AU_NAMES[au],
                "line": summary.scores["finetuned"].aus[au],
                "floor": summary.floor.aus[au].mean_of_folds.value,
                "scratch": scratch.aus[au].mean_of_folds.value if scratch else math.nan,
                "difference": summary.au_difference.get(au),
                "support": int(sum(table["support"] for table in tables)),
                "people": int(sum(table["n_subjects_with_positives"] for table in tables)),
                "subjects": int(sum(table["n_subjects"] for table in tables)),
            }
        )
    return rows


def average_rows(summary: RunSummary) -> list[dict[str, Any]]:
    """F1 of each average over AUs with its floor."""
    scratch = summary.scores.get("scratch")
    return [
        {
            "name": name,
            "line": line,
            "floor": summary.floor.averages[name],
            "scratch": scratch.averages[name] if scratch else None,
            "difference": summary.difference.get(name),
        }
        for name, line in summary.scores["finetuned"].averages.items()
    ]


def metric_tables(summary: RunSummary) -> dict[str, list[dict[str, Any]]]:
    """Every figure of merit of each average over AUs, one row each."""
    ours, scratch = summary.measures["finetuned"], summary.measures.get("scratch")
    return {
        average: [
            {
                "measure": measure,
                "line": ours[name].averages[average],
                "scratch": scratch[name].averages[average] if scratch else None,
                "gain": summary.gains[name].averages[average] if summary.gains else None,
            }
            for name, measure in METRICS.items()
            if name in ours
        ]
        for average in summary.scores["finetuned"].averages
    }


def subject_rows(summary: RunSummary) -> list[tuple[str, list[float]]]:
    """F1 of each test subject, by AU; NaN where the subject never shows it."""
    people = together([fold.finetuned.people for fold in summary.folds])
    values = metrics.f1(people.counts)  # (S, A)
    return sorted(zip(people.subjects, values.tolist(), strict=True))


def treatment_tables(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """The table of gains as one small table per average.

    Args:
        table: From `treatment.gain_table`; may be empty.

    Returns:
        By average: ``measures`` (those shown) and ``rows``, each an option with, by
        measure, its value and its gain as estimates.
    """
    if table.empty:
        return {}
    found = {}
    for average, part in table.groupby("average", sort=False):
        there = set(part["measure"])
        shown = [METRICS[name] for name in _SHOWN_TREATED if name in there]
        rows = [
            {"option": option, "by_measure": _by_measure(rows)}
            for option, rows in part.groupby("option", sort=False)
        ]
        found[str(average)] = {"measures": shown, "rows": rows}
    return found


def _by_measure(rows: pd.DataFrame) -> Mapping[str, Any]:
    return {
        row["measure"]: {
            "value": Estimate(row["value"], row["low"], row["high"]),
            "gain": Estimate(row["gain"], row["gain_low"], row["gain_high"]),
        }
        for row in rows.to_dict(orient="records")
    }
