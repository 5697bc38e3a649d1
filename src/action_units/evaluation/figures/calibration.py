"""Whether probabilities mean what they say: reliability curves."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from action_units.evaluation.figures.panels import au_panels, say_undefined
from action_units.evaluation.metrics import Floats, Labels
from action_units.evaluation.reliability import reliability_curve
from action_units.evaluation.report.theme import LIGHT, Palette, settings
from action_units.labels.action_units import au_column


def draw_reliability(
    labels: Labels,
    probabilities: Floats,
    aus: Sequence[int],
    bins: int = 10,
    palette: Palette = LIGHT,
) -> Figure:
    """How often each AU is there against how probable it was called.

    A dot for each bin that holds a frame, its area growing with the frames' number.

    Args:
        labels: 1, 0 or −1, (N, A).
        probabilities: (N, A).
        aus: The AUs of the columns.
        bins: Of equal width.
        palette: `LIGHT`, or `STAND_INS` for an inline SVG.
    """
    curve = reliability_curve(labels, probabilities, bins)
    with settings(palette):
        figure, panels = au_panels(
            len(aus), "probability", "share positive", palette, square=True
        )
        for column, (au, axes) in enumerate(zip(aus, panels, strict=True)):
            axes.set_title(au_column(au), loc="left", fontsize=9)
            axes.set_xlim(-0.04, 1.04)
            axes.set_ylim(-0.04, 1.04)
            axes.plot([0, 1], [0, 1], color=palette.muted, lw=1, ls="--")
            frames = curve.n[:, column]
            filled = frames > 0
            if not filled.any():
                say_undefined(axes, palette)
                continue
            x = curve.mean_probability[filled, column]
            y = curve.share_positive[filled, column]
            axes.plot(x, y, color=palette.ours, lw=1.4)
            size = 6 + 40 * np.sqrt(frames[filled] / frames.sum())
            axes.scatter(x, y, s=size, color=palette.ours, clip_on=False, zorder=3)
    return figure
