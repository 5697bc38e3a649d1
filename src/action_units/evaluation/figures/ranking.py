"""Precision against recall of each action unit."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from action_units.evaluation import metrics
from action_units.evaluation.figures.panels import au_panels, say_undefined
from action_units.evaluation.metrics import Floats, Labels
from action_units.evaluation.report.theme import LIGHT, Palette, settings
from action_units.labels.action_units import au_column


def draw_precision_recall(
    labels: Labels,
    probabilities: Floats,
    aus: Sequence[int],
    points: int = 200,
    palette: Palette = LIGHT,
) -> Figure:
    """Precision against recall of each AU, with its prevalence as the floor.

    Args:
        labels: 1, 0 or −1, (N, A).
        probabilities: (N, A).
        aus: The AUs of the columns.
        points: At most so many per curve.
        palette: `LIGHT`, or `STAND_INS` for an inline SVG.
    """
    with settings(palette):
        figure, panels = au_panels(len(aus), "recall", "precision", palette, square=True)
        for column, (au, axes) in enumerate(zip(aus, panels, strict=True)):
            axes.set_title(au_column(au), loc="left", fontsize=9)
            axes.set_xlim(0, 1)
            axes.set_ylim(0, 1.02)
            ranking = metrics.rank(labels[:, column], probabilities[:, column])
            if not ranking.positives:
                say_undefined(axes, palette)
                continue
            recall = ranking.tp / ranking.positives
            precision = ranking.tp / (ranking.tp + ranking.fp)
            # Even steps of recall: most cuts of a rare AU lie beyond its last positive.
            steps = np.searchsorted(recall, np.linspace(0, 1, points - 1))
            kept = np.unique([*steps, recall.size - 1])
            axes.plot(recall[kept], precision[kept], color=palette.ours, lw=1.8)
            share = ranking.positives / (ranking.positives + ranking.negatives)
            axes.axhline(share, color=palette.wrong, lw=1.2, ls="--")
    return figure
