"""How often the annotator errs: rows of a table, and a figure."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from action_units.evaluation.annotator_rates import AnnotatorRates, Rates
from action_units.evaluation.metrics import mean_defined
from action_units.evaluation.report.theme import LIGHT, style
from action_units.evaluation.scores import Estimate
from action_units.labels.action_units import AU_NAMES, au_column

KINDS = ("false_positive", "false_negative")
_HOWS = {"estimated": (LIGHT.ours, "o"), "counted": (LIGHT.scratch, "D")}
_SHIFT = 0.17  # of a row: how far apart the two dots of an AU are


def annotator_rows(folds: Mapping[int, Rates]) -> list[dict[str, Any]]:
    """A row for each AU that the annotator labels, over the folds that have rates.

    Returns:
        ``au``, ``name``, ``prevalence``, ``frames``, ``positives`` and ``subjects`` (the fewest
        and the most of a fold), ``why``, and by how they were found (``estimated``,
        ``counted``) the rates of ``false_positive`` and ``false_negative``: their mean over
        folds, with the lowest and the highest end of a fold's interval.
    """
    found: dict[str, list[AnnotatorRates]] = {how: [] for how in _HOWS}
    for rates in folds.values():
        for how, one in rates.items():
            found[how].append(one)
    if not any(found.values()):
        return []
    of_first = found["estimated"] or found["counted"]
    return [
        {
            "au": au_column(au),
            "name": AU_NAMES[au],
            "why": of_first[0].why[k],
            "prevalence": mean_defined(np.array([one.prevalence[k] for one in of_first])),
            **{
                name: _range([int(getattr(one, name)[k]) for one in of_first])
                for name in ("frames", "positives", "subjects_with_positives")
            },
            **{
                how: {kind: _over_folds(parts, kind, k) for kind in KINDS}
                for how, parts in found.items()
                if parts
            },
        }
        for k, au in enumerate(of_first[0].aus)
    ]


def hows(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """How the rates of some rows were found."""
    return [how for how in _HOWS if how in rows[0]]


@style()
def draw_rates(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """A dot and an interval for each coded AU, of both kinds of errors."""
    coded = [row for row in rows if row["frames"] != "0"]
    figure = Figure(figsize=(8, 0.3 * len(coded) + 1.1), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    titles = ("called present, but absent", "called absent, but present")
    for axes, kind, title in zip(panels, KINDS, titles, strict=True):
        _draw(axes, coded, kind)
        axes.set_title(title, loc="left", fontsize=9.5)
    panels[0].set_yticks(range(len(coded)), [row["au"] for row in coded])
    panels[0].invert_yaxis()
    return figure


def _draw(axes: Axes, rows: Sequence[Mapping[str, Any]], kind: str) -> None:
    shown = hows(rows) if rows else []
    for y, row in enumerate(rows):
        for how in shown:
            rate: Estimate = row[how][kind]
            if math.isnan(rate.value):
                continue
            colour, marker = _HOWS[how]
            at = y + (_SHIFT * (1 if how == "counted" else -1) if len(shown) > 1 else 0)
            axes.plot([rate.low, rate.high], [at, at], color=colour, lw=1.6)
            axes.plot(rate.value, at, marker, color=colour, ms=4.5)
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.grid(axis="x")
    axes.tick_params(length=0)


def _over_folds(parts: Sequence[AnnotatorRates], kind: str, k: int) -> Estimate:
    values, lows, highs = (
        np.array([getattr(one, f"{kind}{end}")[k] for one in parts])
        for end in ("", "_low", "_high")
    )
    if np.isnan(values).all():
        return Estimate(math.nan, why=next(filter(None, (one.why[k] for one in parts)), ""))
    return Estimate(float(np.nanmean(values)), float(np.nanmin(lows)), float(np.nanmax(highs)))


def _range(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,}–{high:,}"
