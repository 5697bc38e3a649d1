"""The page of a study: a curve for each axis, and tables."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from action_units.config import Axis
from action_units.evaluation.report.formatting import templates
from action_units.evaluation.report.provenance import text_of
from action_units.evaluation.report.theme import LIGHT, style, to_inline_svg
from action_units.study.result import Score, StudyResult, StudyRow

TITLES: dict[Axis, tuple[str, str]] = {
    "photographs": (
        "Web photographs",
        "More people, with as many photographs of each.",
    ),
    "people": (
        "People in the web set",
        "About the same number of photographs, of more people and so fewer of each.",
    ),
    "per_person": (
        "Photographs of each person",
        "The same people, more photographs of each; the size is their mean.",
    ),
    "subjects": (
        "Coded subjects to fine-tune on",
        "The largest web set, fewer coded subjects; those that choose epoch and thresholds "
        "are always the same.",
    ),
}
"""By axis, its heading and what varies along it."""


def render_study(result: StudyResult, about: Mapping[str, Any]) -> str:
    """The page as one HTML document that loads nothing from anywhere.

    Args:
        result: The scores.
        about: What was recorded of the study, any JSON values.
    """
    averages = list(result.scratch.scores)
    return (
        templates()
        .get_template("study.html.j2")
        .render(
            title="How much data does it take?",
            result=result,
            main=averages[-1],
            averages=averages,
            size_text=size_text,
            ends=_ends(result, averages[-1]),
            axes=[
                {
                    "name": axis,
                    "title": TITLES[axis][0],
                    "what": TITLES[axis][1],
                    "fixed": _fixed(result, axis),
                    "rows": result.of_axis(axis),
                    "scratch": result.of_axis(axis, pretrained=False),
                    "figures": [
                        to_inline_svg(
                            draw_axis(result, axis, average),
                            f"{axis}-{number}",
                            _described(result, axis, average),
                        )
                        for number, average in enumerate(averages)
                    ],
                }
                for axis in result.axes
            ],
            facts=[(name.replace("_", " "), text_of(value)) for name, value in about.items()],
        )
    )


@style()
def draw_axis(result: StudyResult, axis: Axis, average: str) -> Figure:
    """F1 against the size of an axis, logarithmic, with intervals and each seed as a dot.

    Args:
        result: The scores.
        axis: Which one.
        average: Over AUs, such as ``12 AUs``.
    """
    figure = Figure(figsize=(4.6, 3.3), layout="constrained")
    axes = figure.subplots()
    axes.set_xscale("log")
    rows = result.of_axis(axis)
    _draw_curve(axes, rows, average, LIGHT.ours, "-", "pre-trained")
    scratch = result.of_axis(axis, pretrained=False)
    if len(scratch) > 1:
        _draw_curve(axes, scratch, average, LIGHT.scratch, "--", "from scratch")
    else:
        level = result.scratch.scores[average].f1
        axes.axhline(level.value, color=LIGHT.scratch, ls="--", lw=1.8, label="from scratch")
        if not math.isnan(level.low):
            axes.axhspan(level.low, level.high, color=LIGHT.scratch, alpha=0.14, lw=0)
    axes.set_xticks([row.size for row in rows], [size_text(row.size) for row in rows])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(0, 1)
    axes.grid(axis="y")
    axes.tick_params(length=0)
    axes.set_xlabel(f"{TITLES[axis][0].lower()} (logarithmic)")
    axes.set_ylabel(f"F1 over {average}")
    axes.legend(frameon=False, loc="upper left", fontsize=8.5, ncols=2)
    return figure


def size_text(size: float) -> str:
    """A size as a person writes it: ``4,679``, ``2.8``."""
    return f"{size:,.0f}" if size >= 20 or size == round(size) else f"{size:.1f}"


def _draw_curve(
    axes: Axes, rows: Sequence[StudyRow], average: str, colour: str, line: str, label: str
) -> None:
    scores = [row.scores[average] for row in rows]
    sizes = [row.size for row in rows]
    axes.plot(sizes, [one.f1.value for one in scores], line, marker="o", ms=4.5, lw=1.8,
              color=colour, label=label)  # fmt: skip
    low, high = ([getattr(one.f1, end) for one in scores] for end in ("low", "high"))
    axes.fill_between(sizes, low, high, color=colour, alpha=0.14, lw=0)
    for size, one in zip(sizes, scores, strict=True):
        if len(one.by_seed) > 1:
            axes.plot([size] * len(one.by_seed), one.by_seed, ".", ms=3.5, color=colour,
                      alpha=0.55)  # fmt: skip


def _ends(result: StudyResult, average: str) -> list[dict[str, Any]]:
    """The smallest and the largest size of each axis, for the cards at the top."""
    cards = []
    for axis in result.axes:
        rows = result.of_axis(axis)
        ends = [(row.size, row.scores[average].f1) for row in (rows[0], rows[-1])]
        cards.append({"title": TITLES[axis][0], "ends": ends})
    return cards


def _fixed(result: StudyResult, axis: Axis) -> str:
    """What does not vary along an axis."""
    row = result.of_axis(axis)[-1]
    web = row.point.web
    assert web is not None
    return {
        "photographs": f"at most {web.per_person} photographs of each person",
        "people": f"about {row.photographs:,.0f} photographs",
        "per_person": f"{web.people:,} people",
        "subjects": f"{row.photographs:,.0f} photographs of {web.people:,} people",
    }[axis]


def _described(result: StudyResult, axis: Axis, average: str) -> str:
    """A figure in words, for screen readers."""

    def shown(row: StudyRow) -> str:
        one: Score = row.scores[average]
        return f"{size_text(row.size)}: {one.f1.value:.3f}"

    pretrained = ", ".join(map(shown, result.of_axis(axis)))
    scratch = ", ".join(map(shown, result.of_axis(axis, pretrained=False)))
    level = f"{result.scratch.scores[average].f1.value:.3f}"
    return (
        f"F1 over {average} by {TITLES[axis][0].lower()}: pre-trained {pretrained}; "
        f"from scratch {scratch or level}"
    )
