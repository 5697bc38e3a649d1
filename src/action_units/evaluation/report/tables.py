"""The tables of the report and the model card, and F1 as a table for a paper."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from action_units.evaluation import metrics
from action_units.evaluation.person_centred import PersonCentredScores
from action_units.evaluation.scores import Estimate, ScoreLine
from action_units.evaluation.subject_statistics import METRICS, pool_subjects
from action_units.evaluation.summary import RunSummary
from action_units.labels.action_units import AU_NAMES, au_column

_POSTPROCESSING_METRICS = ("f1", "f1_event", "auc", "ece", "brier")
"""Shown of each postprocessing option."""

_PERSON_METRICS = ("f1", "average_precision")
"""Shown of person-centred predictions; the others are in ``measures.csv``."""

_INTENSITY_METRICS = (
    "icc", "pcc", "mae", "mae_of_zero", "mae_of_mean", "mse", "mse_of_zero", "mse_of_mean"
)  # fmt: skip

_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "−": "$-$",
    "×": r"$\times$",
    "–": "--",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}


def au_rows(summary: RunSummary) -> list[dict[str, Any]]:
    """F1 of each AU with its baseline and what it is computed from."""
    rows = _f1_rows(summary, "aus")
    for column, (au, row) in enumerate(zip(summary.aus, rows, strict=True)):
        tables = [fold.finetuned.au_table.iloc[column] for fold in summary.folds]
        row |= {
            "au": au_column(au),
            "name": AU_NAMES[au],
            "n": int(sum(table["n"] for table in tables)),
            "support": int(sum(table["support"] for table in tables)),
            "with_positives": int(sum(table["n_subjects_with_positives"] for table in tables)),
            "subjects": int(sum(table["n_subjects"] for table in tables)),
        }
    return rows


def average_rows(summary: RunSummary) -> list[dict[str, Any]]:
    """F1 of each average over AUs with its baseline."""
    return _f1_rows(summary, "averages")


def metric_tables(summary: RunSummary) -> dict[str, list[dict[str, Any]]]:
    """Every metric of each average over AUs, one row each."""
    ours, scratch = summary.metrics["finetuned"], summary.metrics.get("scratch")
    return {
        average: [
            {
                "name": name,
                "metric": METRICS[name],
                "line": scores.averages[average],
                "scratch": scratch[name].averages[average] if scratch else None,
                "gain": summary.gains[name].averages[average] if summary.gains else None,
            }
            for name, scores in ours.items()
        ]
        for average in summary.scores["finetuned"].averages
    }


def person_table(summary: RunSummary) -> dict[str, Any] | None:
    """Scores without and with centring by person; None where it was not scored.

    Returns:
        ``metrics``; rows ``aus`` and ``averages`` with a cell for each metric (``without``,
        ``value`` and ``gain`` as estimates); the largest end of a gain of the first, ``reach``;
        ``chosen`` in words; and ``frames_without`` a reference.
    """
    centred = summary.person_centred
    if centred is None:
        return None
    headline = summary.metrics["finetuned"]
    names = [name for name in _PERSON_METRICS if name in headline]

    def rows(part: str, titles: Mapping[Any, tuple[str, str]]) -> list[dict[str, Any]]:
        parts = headline, centred.metrics, centred.gains
        return [
            {
                "au": title,
                "name": name,
                "cells": [
                    dict(
                        zip(
                            ("without", "value", "gain"),
                            (getattr(one[metric], part)[key].mean_of_folds for one in parts),
                            strict=True,
                        )
                    )
                    for metric in names
                ],
            }
            for key, (title, name) in titles.items()
        ]

    aus = rows("aus", {au: (au_column(au), AU_NAMES[au]) for au in summary.aus})
    averages = rows("averages", {name: (name, "mean") for name in headline["f1"].averages})
    gains = [row["cells"][0]["gain"] for row in (*aus, *averages)]
    ends = [abs(end) for gain in gains for end in (gain.value, gain.low, gain.high)]
    reach = max((end for end in ends if not math.isnan(end)), default=0.0)
    return {
        "metrics": [METRICS[name] for name in names],
        "aus": aus,
        "averages": averages,
        "reach": max(math.ceil(10 * reach) / 10, 0.1),
        "chosen": chosen_centring(centred),
        "frames_without": sum(one.frames_without for one in centred.choices.values()),
    }


def chosen_centring(centred: PersonCentredScores) -> str:
    """Quantile and strength of each fold, in words."""
    folds: dict[str, list[int]] = {}
    for fold, one in centred.choices.items():
        what = (
            f"strength {one.strength:g} of quantile {one.quantile:g}"
            if one.strength
            else "nothing is subtracted"
        )
        folds.setdefault(what, []).append(fold)
    return "; ".join(
        f"{'fold' if len(of) == 1 else 'folds'} {', '.join(map(str, of))}, {what}"
        for what, of in folds.items()
    )


def intensity_rows(summary: RunSummary) -> dict[str, list[dict[str, Any]]]:
    """ICC(3,1), PCC and errors of each AU and average with the floors; empty without any.

    Returns:
        ``aus`` and ``averages``, rows with a line of each of `_INTENSITY_METRICS`.
    """
    ours = summary.metrics["finetuned"]
    if "mae" not in ours or all(
        math.isnan(line.pooled.value) for line in ours["mae"].aus.values()
    ):
        return {}
    return {
        part: [
            {
                "name": line.name,
                "title": AU_NAMES.get(key, "") if isinstance(key, int) else "",
                **{name: getattr(ours[name], part)[key] for name in _INTENSITY_METRICS},
            }
            for key, line in getattr(ours["icc"], part).items()
        ]
        for part in ("aus", "averages")
    }


def subject_rows(summary: RunSummary) -> list[dict[str, Any]]:
    """Of each subject ``f1`` by AU, NaN where it is not shown, and ``not_scored`` columns."""
    people = pool_subjects([fold.finetuned.subject_counts for fold in summary.folds])
    f1, n = metrics.f1(people.counts), people.counts.n  # (S, A)
    return [
        {"subject": subject, "f1": values, "not_scored": np.flatnonzero(frames == 0).tolist()}
        for subject, values, frames in zip(people.subjects, f1.tolist(), n, strict=True)
    ]


def scored(summary: RunSummary) -> str:
    """Over how many frames and subjects each AU stands; empty where all stand over the same."""
    aus: dict[tuple[int, int], list[str]] = {}
    for row in au_rows(summary):
        aus.setdefault((row["n"], row["subjects"]), []).append(row["au"])
    if len(aus) < 2:
        return ""
    parts = [
        f"{', '.join(names)} in {frames:,} frames of {subjects} subjects"
        for (frames, subjects), names in sorted(aus.items(), reverse=True)
    ]
    return f"Scored: {'; '.join(parts)}."


def gain_tables(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """The table of `comparison.gain_table` (may be empty) as one small table per average.

    Returns:
        By average: ``metrics`` (those shown, by name) and ``rows``, each an option with, by
        metric, its value and its gain as estimates.
    """
    tables: dict[str, dict[str, Any]] = {}
    for row in table.to_dict(orient="records"):
        if row["measure"] in _POSTPROCESSING_METRICS:
            one = tables.setdefault(row["average"], {"metrics": {}, "rows": {}})
            one["metrics"][row["measure"]] = METRICS[row["measure"]]
            one["rows"].setdefault(row["option"], {})[row["measure"]] = {
                "value": Estimate(row["value"], row["low"], row["high"]),
                "gain": Estimate(row["gain"], row["gain_low"], row["gain_high"]),
            }
    for one in tables.values():
        shown = [name for name in _POSTPROCESSING_METRICS if name in one["metrics"]]
        one["metrics"] = {name: one["metrics"][name] for name in shown}
    return tables


@dataclass(frozen=True)
class PaperTable:
    """F1 of each AU and average, in percent, with intervals, of each network.

    AUs and averages are means of folds; pooled averages are a block of their own.

    Attributes:
        caption: What it shows.
        heads: Of the columns.
        blocks: Groups of rows, separated by a rule.
    """

    caption: str
    heads: list[str]
    blocks: list[list[list[str]]]


def paper_tables(summary: RunSummary) -> list[PaperTable]:
    """The table of a run, and of several sets one more for each."""
    sets = [paper_table(one, name) for name, one in summary.sets.items()]
    return [paper_table(summary, "All sets together" if sets else ""), *sets]


def paper_table(summary: RunSummary, of: str = "") -> PaperTable:
    """The table of a run as text, independent of the format; `of` one set of several."""
    aus, averages = _f1_rows(summary, "aus"), _f1_rows(summary, "averages")
    titles = summary.folds[0].titles
    heads = ["AU", "All-positive", *(titles[name] for name in summary.scores)]
    return PaperTable(
        caption=f"{of}: {_caption(summary)}" if of else _caption(summary),
        heads=heads + (["Gain"] if summary.gains else []),
        blocks=[
            [_cells(row, row["line"].name, "mean_of_folds") for row in aus],
            [_cells(row, f"Mean of {row['name']}", "mean_of_folds") for row in averages],
            [_cells(row, f"Mean of {row['name']}, pooled", "pooled") for row in averages],
            *_person_centred_block(summary),
        ],
    )


def _person_centred_block(summary: RunSummary) -> list[list[list[str]]]:
    """Person-centred averages; their gain is over the same average of the headline."""
    if summary.person_centred is None:
        return []
    scores, gains = summary.person_centred.metrics["f1"], summary.person_centred.gains["f1"]
    parts = ["all_positive", "line"]
    if "scratch" in summary.scores:
        parts.append("scratch")
    if summary.gains:
        parts.append("gain")
    block = []
    for name, line in scores.averages.items():
        cells = dict.fromkeys(parts, "") | {"line": _interval(line.mean_of_folds, False)}
        if "gain" in cells:
            cells["gain"] = _interval(gains.averages[name].mean_of_folds, signed=True)
        block.append([f"Mean of {name}, person-centred", *cells.values()])
    return [block]


def latex_table(summary: RunSummary) -> str:
    """The table as a LaTeX float, of several sets one each; it needs the package booktabs."""
    return "\n".join(map(_latex_float, paper_tables(summary)))


def _latex_float(table: PaperTable) -> str:
    def lines(rows: list[list[str]]) -> str:
        return "".join(" & ".join(map(escape_latex, row)) + " \\\\\n" for row in rows)

    return (
        "\\begin{table}\n\\centering\n"
        f"\\caption{{{escape_latex(table.caption)}}}\n"
        f"\\begin{{tabular}}{{l{'r' * (len(table.heads) - 1)}}}\n\\toprule\n"
        + "\\midrule\n".join(lines(block) for block in ([table.heads], *table.blocks))
        + "\\bottomrule\n\\end{tabular}\n\\end{table}\n"
    )


def markdown_table(summary: RunSummary) -> str:
    """The table in Markdown, its caption below; of several sets one for each."""
    return "\n".join(map(_markdown, paper_tables(summary)))


def _markdown(table: PaperTable) -> str:
    lines = [table.heads, ["---", *["---:"] * (len(table.heads) - 1)]]
    lines += [row for block in table.blocks for row in block]
    cells = ([cell.replace("|", "\\|") for cell in line] for line in lines)
    body = "\n".join(f"| {' | '.join(line)} |" for line in cells)
    return f"{body}\n\n{table.caption}\n"


def escape_latex(text: str) -> str:
    """Text with the signs that LaTeX reads as commands escaped."""
    return "".join(_LATEX.get(sign, sign) for sign in text)


def _f1_rows(summary: RunSummary, part: str) -> list[dict[str, Any]]:
    """F1 of the AUs or averages; the lines of baseline, scratch and gain, or None."""
    scratch, gains = summary.scores.get("scratch"), summary.gains.get("f1")

    def lines(scores: Any) -> Mapping[Any, ScoreLine | None]:
        return getattr(scores, part) if scores else dict.fromkeys(ours)

    ours: Mapping[Any, ScoreLine] = getattr(summary.scores["finetuned"], part)
    return [
        {
            "name": line.name,
            "line": line,
            "all_positive": lines(summary.all_positive)[key],
            "scratch": lines(scratch)[key],
            "gain": lines(gains)[key],
        }
        for key, line in ours.items()
    ]


def _cells(row: Mapping[str, Any], name: str, kind: str) -> list[str]:
    return [
        name,
        _percent(getattr(row["all_positive"], kind).value),
        *(
            _interval(getattr(row[part], kind), signed=part == "gain")
            for part in ("line", "scratch", "gain")
            if row[part] is not None
        ),
    ]


def _interval(score: Estimate, signed: bool) -> str:
    if math.isnan(score.low):
        return _percent(score.value, signed)
    ends = f"{_percent(score.low, signed)}, {_percent(score.high, signed)}"
    return f"{_percent(score.value, signed)} [{ends}]"


def _percent(value: float, signed: bool = False) -> str:
    if math.isnan(value):
        return "n/a"
    return f"{100 * value:{'+' if signed else ''}.1f}".replace("-", "−")


def _caption(summary: RunSummary) -> str:
    lines = summary.scores["finetuned"].aus.values()
    defined, pairs = sum(line.defined for line in lines), sum(line.possible for line in lines)
    parts = [
        f"F1 × 100 over frames of unseen subjects, {summary.mean_of_folds} "
        f"({summary.protocol}), with 95 % intervals from 1,000 draws of the subjects.",
        "All-positive: every frame called positive.",
        "Pooled: one F1 over the frames of all folds.",
    ]
    if defined < pairs:
        parts.append(
            f"n/a: not defined, no tested frame shows the AU; averages leave such AUs out "
            f"({defined} of {pairs} AUs × folds are defined)."
        )
    if stands := scored(summary):
        parts.append(stands)
    if summary.gains:
        parts.append("Gain: pre-trained minus from scratch, paired over subjects.")
    if summary.person_centred is not None:
        parts.append(
            "Person-centred: relative to a quantile of all unlabelled test frames of the same "
            "person (transductive), and so not comparable with results that do without"
            + ("; its gain is over the same average without." if summary.gains else ".")
        )
    if summary.rendered:
        parts.append("Rendered faces: these scores say nothing about accuracy on people.")
    return " ".join(parts)
