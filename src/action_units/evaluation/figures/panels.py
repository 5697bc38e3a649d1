"""Small multiples: one panel for each action unit."""

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from action_units.evaluation.report.theme import LIGHT, Palette, settings

_HALVES = (0, 0.5, 1)


def au_panels(
    n: int, x: str, y: str, palette: Palette, columns: int = 4, square: bool = False
) -> tuple[Figure, list[Axes]]:
    """A figure of n panels with shared axes, and the panels row by row.

    One panel alone is sized to stand in a page that lays panels out itself.

    Args:
        n: How many.
        x: What the horizontal axes show.
        y: What the vertical axes show.
        palette: The figure's colours.
        columns: At most so many beside each other.
        square: Both axes run from 0 to 1.
    """
    columns = min(n, columns)
    rows = math.ceil(n / columns)
    alone = n == 1
    # One panel's margins are known, and laying it out takes as long as drawing it.
    figure = Figure(
        figsize=(2.15, 2.1) if alone else (2 * columns, 2 * rows),
        layout=None if alone else "constrained",
    )
    if alone:
        figure.subplots_adjust(left=0.25, right=0.96, bottom=0.22, top=0.9)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes in grid.flat[n:]:
        axes.set_visible(False)
    for axes in grid.flat[:n]:
        axes.tick_params(length=0, labelsize=8)
        if square:
            axes.set_aspect("equal")
            axes.set_xticks(_HALVES, ["0", "0.5", "1"])
            axes.set_yticks(_HALVES, ["0", "0.5", "1"])
    label = {"fontsize": 9, "color": palette.muted}
    figure.supxlabel(x, **label)
    figure.supylabel(y, **label)
    return figure, list(grid.flat[:n])


def say_undefined(axes: Axes, palette: Palette) -> None:
    """Write n/a into the middle of a panel."""
    axes.text(
        0.5, 0.5, "n/a", ha="center", va="center", color=palette.muted, transform=axes.transAxes
    )


def say_nothing_to_draw(why: str, palette: Palette = LIGHT) -> Figure:
    """A figure that only says why it is empty, where a file of it is expected."""
    with settings(palette):
        figure = Figure(figsize=(6, 1.2), layout="constrained")
        figure.text(0.5, 0.5, why, ha="center", va="center")
    return figure
