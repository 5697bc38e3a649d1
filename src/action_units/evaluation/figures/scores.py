"""F1 by action unit and by subject, and how common each action unit is, for paper."""

import math

import numpy as np
from matplotlib.figure import Figure

from action_units.evaluation import metrics
from action_units.evaluation.bootstrap import together
from action_units.evaluation.report.theme import LIGHT, Palette, settings
from action_units.evaluation.summary import RunSummary
from action_units.labels.action_units import AU_NAMES, au_column


def draw_f1_by_au(summary: RunSummary) -> Figure:
    """Each AU's F1, mean of folds, with interval, floor and the network from scratch."""
    ours, floor = summary.scores["finetuned"], summary.floor
    scratch = summary.scores.get("scratch")
    with settings(LIGHT):
        figure = Figure(figsize=(8, 0.42 * len(summary.aus) + 1.3), layout="constrained")
        axes = figure.subplots()
        for y, au in enumerate(summary.aus):
            mean = ours.aus[au].mean_of_folds
            if math.isnan(mean.value):
                axes.text(0.01, y, "n/a", va="center", color=LIGHT.muted)
                continue
            axes.barh(y, mean.value, 0.56, color=LIGHT.ours)
            if not math.isnan(mean.low):
                axes.plot([mean.low, mean.high], [y, y], color=LIGHT.ink, lw=1.4)
            base = floor.aus[au].mean_of_folds.value
            axes.plot([base, base], [y - 0.4, y + 0.4], color=LIGHT.wrong, lw=2)
            if scratch:
                other = scratch.aus[au].mean_of_folds.value
                axes.plot(other, y, "D", ms=6, mec=LIGHT.ink, mfc=LIGHT.paper)
        axes.set_yticks(
            range(len(summary.aus)),
            [f"{AU_NAMES.get(au, '')}  {au_column(au)}" for au in summary.aus],
        )
        axes.invert_yaxis()
        axes.set_xlim(0, 1)
        axes.grid(axis="x")
        axes.set_xlabel("F1 on test subjects, mean of folds")
        parts = ["bar: pre-trained", "line: 95 % over subjects", "orange tick: all-positive"]
        parts += ["diamond: from scratch"] if scratch else []
        axes.set_title(" · ".join(parts), loc="left", fontsize=9, color=LIGHT.muted)
    return figure


def draw_prevalence(summary: RunSummary, palette: Palette = LIGHT) -> Figure:
    """The share of positive frames of each AU in each fold's test subjects.

    Args:
        summary: The run.
        palette: `LIGHT`, or `STAND_INS` for an inline SVG.
    """
    with settings(palette):
        figure = Figure(figsize=(8, 3), layout="constrained")
        axes = figure.subplots()
        width = 0.8 / len(summary.folds)
        colours = (palette.ours, palette.scratch, palette.right)
        for i, fold in enumerate(summary.folds):
            x = np.arange(len(summary.aus)) + (i - (len(summary.folds) - 1) / 2) * width
            share = fold.finetuned.au_table["prevalence"].to_numpy(np.float64)
            axes.bar(x, share, width * 0.9, color=colours[i % 3], label=f"fold {fold.fold}")
        axes.set_xticks(range(len(summary.aus)), [au_column(au) for au in summary.aus])
        axes.set_ylabel("positive frames")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        axes.grid(axis="y")
        axes.legend(frameon=False)
    return figure


def draw_subject_heat_map(summary: RunSummary) -> Figure:
    """F1 of each test subject and AU; blank where the subject never shows the AU."""
    people = together([fold.finetuned.people for fold in summary.folds])
    values = metrics.f1(people.counts)  # (S, A)
    with settings(LIGHT):
        figure = Figure(figsize=(7, 0.24 * len(values) + 1), layout="constrained")
        axes = figure.subplots()
        image = axes.imshow(values, vmin=0, vmax=1, cmap="cividis", aspect="auto")
        axes.set_yticks(range(len(values)), people.subjects, fontsize=7)
        axes.set_xticks(range(len(summary.aus)), [au_column(au) for au in summary.aus])
        figure.colorbar(image, ax=axes, label="F1")
    return figure
