"""What was said against what was coded: confusion, and which action units go together."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from action_units.evaluation.figures.panels import au_panels
from action_units.evaluation.metrics import Bools, Confusion, Floats, Labels, ratio
from action_units.evaluation.report.theme import LIGHT, Palette, settings
from action_units.labels.action_units import au_column


def draw_confusion(counts: Confusion, aus: Sequence[int], palette: Palette = LIGHT) -> Figure:
    """Frames of each AU by code and call; shaded and in percent of the row.

    Args:
        counts: Of frames, (A,).
        aus: The AUs.
        palette: `LIGHT`, or `STAND_INS` for an inline SVG.
    """
    with settings(palette):
        figure, panels = au_panels(len(aus), "called", "coded", palette, square=True)
        for column, (au, axes) in enumerate(zip(aus, panels, strict=True)):
            cells = np.array(
                [
                    [counts.tp[column], counts.fn[column]],
                    [counts.fp[column], counts.tn[column]],
                ]
            )
            totals = np.array([[counts.support[column]], [(counts.n - counts.support)[column]]])
            shares = ratio(cells, totals)
            _cells(axes, shares, np.array([[palette.ours] * 2] * 2))
            for (row, at), n in np.ndenumerate(cells):
                share = shares[row, at]
                text = f"{n:,}\n" + ("n/a" if np.isnan(share) else f"{share:.0%}")
                axes.text(
                    at,
                    row,
                    text,
                    ha="center",
                    va="center",
                    fontsize=8,
                    color=palette.ink,
                )
            axes.set_xticks([0, 1], ["present", "absent"])
            axes.set_yticks([0, 1], ["present", "absent"], rotation=90, va="center")
            axes.set_title(au_column(au), loc="left", fontsize=9)
    return figure


def co_occurrence(shown: Bools, known: Bools) -> Floats:
    """How often the AU of a column is shown where the AU of a row is shown, (A, A).

    Args:
        shown: Whether each AU is shown, (N, A).
        known: Whether it was coded at all, (N, A); pairs run over frames where both are.

    Returns:
        Shares, NaN in rows of an AU that is never shown.
    """
    there = (shown & known).astype(np.float64)
    return ratio(there.T @ there, there.T @ known.astype(np.float64))


def draw_co_occurrence(
    labels: Labels, predicted: Bools, aus: Sequence[int], palette: Palette = LIGHT
) -> Figure:
    """Co-occurrence as coded, as called, and the second minus the first.

    Args:
        labels: 1, 0 or −1, (N, A).
        predicted: (N, A).
        aus: The AUs of the columns.
        palette: `LIGHT`, or `STAND_INS` for an inline SVG.
    """
    with settings(palette):
        figure = Figure(figsize=(11.4, 4.1), layout="constrained")
        for kind, axes in zip(CO_OCCURRENCES, figure.subplots(1, 3), strict=True):
            _matrix(axes, kind, labels, predicted, aus, palette)
    return figure


def draw_one_co_occurrence(
    kind: str,
    labels: Labels,
    predicted: Bools,
    aus: Sequence[int],
    palette: Palette = LIGHT,
) -> Figure:
    """One of the three parts of `draw_co_occurrence`.

    Args:
        kind: Of `CO_OCCURRENCES`.
        labels: 1, 0 or −1, (N, A).
        predicted: (N, A).
        aus: The AUs of the columns.
        palette: `LIGHT`, or `STAND_INS` for an inline SVG.
    """
    with settings(palette):
        figure = Figure(figsize=(4.1, 4.2))
        figure.subplots_adjust(left=0.07, right=0.99, bottom=0.01, top=0.88)
        _matrix(figure.subplots(), kind, labels, predicted, aus, palette)
    return figure


CO_OCCURRENCES = {"coded": "As coded", "called": "As called", "apart": "Called minus coded"}
"""The parts of a co-occurrence figure, with their headings."""

_DEEPEST = 0.55
"""The opacity of the strongest cell: figures on it keep a contrast of 4.5, light and dark."""


def _matrix(
    axes: Axes,
    kind: str,
    labels: Labels,
    predicted: Bools,
    aus: Sequence[int],
    palette: Palette,
) -> None:
    known = labels >= 0
    coded, called = co_occurrence(labels == 1, known), co_occurrence(predicted, known)
    values = {"coded": coded, "called": called, "apart": called - coded}[kind]
    # A difference of one half is as strong as a colour gets.
    strength = np.minimum(2 * np.abs(values), 1) if kind == "apart" else values
    np.fill_diagonal(strength, np.nan)
    _cells(axes, strength, np.where(values < 0, palette.wrong, palette.ours))
    for (row, column), value in np.ndenumerate(values):
        if row == column or np.isnan(value):
            text = "" if row == column else "·"
        else:
            text = f"{100 * value:+.0f}" if kind == "apart" else f"{100 * value:.0f}"
            text = text.replace("-", "−").replace("+0", "0").replace("−0", "0")
        axes.text(
            column,
            row,
            text,
            ha="center",
            va="center",
            fontsize=7,
            color=palette.ink,
        )
    names = [au_column(au)[2:] for au in aus]
    axes.set_xticks(range(len(aus)), names, fontsize=8)
    axes.set_yticks(range(len(aus)), names, fontsize=8)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.set_title(CO_OCCURRENCES[kind], loc="left", fontsize=10)


def _cells(axes: Axes, strength: Floats, colours: np.ndarray) -> None:
    """A square for each figure, the more opaque the higher it is; none where undefined."""
    rows, columns = strength.shape
    for (row, column), value in np.ndenumerate(strength):
        if not np.isnan(value):
            place = (column - 0.5, row - 0.5)
            colour = str(colours[row, column])
            opacity = _DEEPEST * float(value)
            axes.add_patch(Rectangle(place, 1, 1, color=colour, alpha=opacity, lw=0))
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_aspect("equal")
