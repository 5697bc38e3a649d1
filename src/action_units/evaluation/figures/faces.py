"""Faces that went right and wrong."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from action_units.evaluation.report.examples import KINDS, Example
from action_units.evaluation.report.theme import LIGHT, settings


def draw_examples(examples: Mapping[str, Sequence[Example]], title: str) -> Figure:
    """One AU's most confident right, wrong and missed faces, a row of each.

    Args:
        examples: By kind of `examples.KINDS`.
        title: Above the figure.
    """
    columns = max([1, *(len(found) for found in examples.values())])
    with settings(LIGHT):
        figure = Figure(figsize=(1.2 * columns + 1, 1.8 * len(KINDS) + 0.4), layout="tight")
        grid = figure.subplots(len(KINDS), columns, squeeze=False)
        for row, kind in zip(grid, KINDS, strict=True):
            for axes in row:
                axes.set_axis_off()
            row[0].set_title(kind, loc="left", fontsize=9, fontweight="bold")
            for axes, example in zip(row, examples.get(kind, ()), strict=False):
                axes.imshow(example.face, cmap="gray", vmin=0, vmax=255)
                axes.text(
                    0.5,
                    -0.04,
                    f"{example.subject}  {example.probability:.2f}",
                    ha="center",
                    va="top",
                    fontsize=7,
                    transform=axes.transAxes,
                )
        figure.suptitle(title, fontsize=10, fontweight="bold")
    return figure
