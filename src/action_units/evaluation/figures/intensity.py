"""Predicted against coded intensity."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from action_units.evaluation.figures.panels import au_panels, say_undefined
from action_units.evaluation.metrics import Floats
from action_units.evaluation.predictions import HIGHEST_INTENSITY
from action_units.evaluation.report.theme import LIGHT, Palette, settings
from action_units.labels.action_units import au_column


def draw_intensity(
    intensities: Floats,
    predicted: Floats,
    aus: Sequence[int],
    head: bool = False,
    palette: Palette = LIGHT,
) -> Figure:
    """What was predicted of the frames of each coded intensity.

    A dot is the median, a thick line the middle half, a thin line the middle 90 %.

    Args:
        intensities: Coded 0 to 5, NaN where missing, (N, A).
        predicted: Probabilities, or with `head` intensities, (N, A).
        aus: The AUs of the columns.
        head: The network has an intensity head.
        palette: `LIGHT`, or `STAND_INS` for an inline SVG.
    """
    with settings(palette):
        said = "predicted intensity" if head else "probability"
        figure, panels = au_panels(len(aus), "coded intensity", said, palette)
        for column, (au, axes) in enumerate(zip(aus, panels, strict=True)):
            axes.set_title(au_column(au), loc="left", fontsize=9)
            axes.set_xlim(-0.5, HIGHEST_INTENSITY + 0.5)
            axes.set_ylim(0, HIGHEST_INTENSITY if head else 1)
            axes.set_xticks(range(6))
            axes.grid(axis="y")
            coded = np.rint(intensities[:, column])
            levels = np.unique(coded[~np.isnan(coded)])
            if not levels.size:
                say_undefined(axes, palette)
            for level in levels:
                ends = np.quantile(
                    predicted[coded == level, column], [0.05, 0.25, 0.5, 0.75, 0.95]
                )
                axes.plot([level] * 2, ends[[0, 4]], color=palette.ours, lw=1.2)
                axes.plot([level] * 2, ends[[1, 3]], color=palette.ours, lw=4.5, alpha=0.55)
                axes.plot(level, ends[2], "o", color=palette.ink, ms=4, clip_on=False)
    return figure
