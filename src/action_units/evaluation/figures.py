"""Matplotlib figures of a run, for previews (PNG) and for the page (SVG).

Figures are made as objects, never through pyplot: no global state, no windows.
Those that the page shows inline take a palette; the others are drawn for paper.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from action_units.evaluation import metrics
from action_units.evaluation.bootstrap import together
from action_units.evaluation.examples import KINDS, Example
from action_units.evaluation.metrics import Floats, Labels
from action_units.evaluation.results import FoldEvaluation
from action_units.evaluation.summary import RunSummary
from action_units.evaluation.theme import LIGHT, Palette, settings
from action_units.facs.action_units import AU_NAMES, au_column


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


def draw_training_curves(
    curves: Mapping[str, pd.DataFrame], title: str = "", palette: Palette = LIGHT
) -> Figure:
    """Validation macro F1 and loss by epoch, the chosen epoch marked.

    Args:
        curves: By network, ``finetuned`` and ``scratch``; columns epoch (from 1),
            train_loss, validation_loss, validation_macro_f1, best. Epochs without
            validation are NaN there.
        title: Above the figure.
        palette: `LIGHT`, or `STAND_INS` for an inline SVG.
    """
    looks = {
        "finetuned": ("pre-trained", palette.ours, "-"),
        "scratch": ("from scratch", palette.scratch, "--"),
    }
    with settings(palette):
        figure = Figure(figsize=(3.7, 3.9), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True)
        for name, curve in curves.items():
            label, colour, style = looks.get(name, (name, palette.ours, "-"))
            judged = _judged(curve)
            epoch, f1 = judged["epoch"], judged["validation_macro_f1"]
            above.plot(epoch, f1, style, color=colour, lw=1.8, label=label)
            # The last best one is kept; earlier ones were best in their time.
            best = judged["best"].astype(bool).to_numpy().nonzero()[0][-1:]
            above.plot(epoch.iloc[best], f1.iloc[best], "o", color=colour, ms=6)
            below.plot(epoch, judged["validation_loss"], style, color=colour, lw=1.8)
            below.plot(
                curve["epoch"], curve["train_loss"], style, color=colour, lw=1, alpha=0.45
            )
        above.set_ylim(0, 1)
        above.set_ylabel("validation F1")
        below.set_ylim(bottom=0)
        below.set_ylabel("loss")
        below.set_xlabel("epoch (loss: bold validation, thin training)")
        below.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        for axes in (above, below):
            axes.grid(axis="y")
            axes.tick_params(length=0)
        if len(curves) > 1:
            above.legend(frameon=False, loc="lower right", fontsize=8.5)
        if title:
            figure.suptitle(title, fontsize=10, fontweight="bold", x=0.02, ha="left")
    return figure


def draw_all_training_curves(folds: Sequence[FoldEvaluation]) -> Figure:
    """The validation F1 of every fold side by side."""
    with settings(LIGHT):
        figure = Figure(figsize=(3.4 * len(folds), 2.8), layout="constrained")
        grid = figure.subplots(1, len(folds), sharey=True, squeeze=False)[0]
        for axes, fold in zip(grid, folds, strict=True):
            for name, colour, style in (
                ("finetuned", LIGHT.ours, "-"),
                ("scratch", LIGHT.scratch, "--"),
            ):
                model = fold.models.get(name)
                if model is None or model.curve.empty:
                    continue
                label = "pre-trained" if name == "finetuned" else "from scratch"
                judged = _judged(model.curve)
                axes.plot(
                    judged["epoch"],
                    judged["validation_macro_f1"],
                    style,
                    color=colour,
                    label=label,
                )
            axes.set_title(f"Fold {fold.fold}", loc="left")
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
            axes.set_ylim(0, 1)
            axes.grid(axis="y")
        grid[0].set_ylabel("validation macro F1")
        if grid[0].get_legend_handles_labels()[0]:
            grid[0].legend(frameon=False, loc="lower right")
    return figure


def _judged(curve: pd.DataFrame) -> pd.DataFrame:
    """The epochs that were validated; a line must not break at those between."""
    return curve[curve["validation_loss"].notna()]


def draw_prevalence(summary: RunSummary) -> Figure:
    """The share of positive frames of each AU in each fold's test subjects."""
    with settings(LIGHT):
        figure = Figure(figsize=(8, 3), layout="constrained")
        axes = figure.subplots()
        width = 0.8 / len(summary.folds)
        colours = (LIGHT.ours, LIGHT.scratch, LIGHT.right)
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


def draw_precision_recall(
    labels: Labels, probabilities: Floats, aus: Sequence[int], points: int = 200
) -> Figure:
    """Precision against recall of each AU, with its prevalence as the floor.

    Args:
        labels: 1, 0 or −1, (N, A).
        probabilities: (N, A).
        aus: The AUs of the columns.
        points: At most so many per curve.
    """
    columns = 4
    rows = math.ceil(len(aus) / columns)
    with settings(LIGHT):
        figure = Figure(figsize=(8, 2 * rows), layout="constrained")
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for axes in grid.flat[len(aus) :]:
            axes.set_visible(False)
        for column, (au, axes) in enumerate(zip(aus, grid.flat, strict=False)):
            _precision_recall(
                axes, metrics.rank(labels[:, column], probabilities[:, column]), points
            )
            axes.set_title(au_column(au), loc="left", fontsize=9)
        figure.supxlabel("recall", fontsize=9)
        figure.supylabel("precision", fontsize=9)
    return figure


def _precision_recall(axes: Axes, ranking: metrics.Ranking, points: int) -> None:
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    if not ranking.positives:
        axes.text(0.5, 0.5, "n/a", ha="center", color=LIGHT.muted)
        return
    recall = ranking.tp / ranking.positives
    precision = ranking.tp / (ranking.tp + ranking.fp)
    kept = np.unique(np.linspace(0, recall.size - 1, points).astype(int))
    axes.plot(recall[kept], precision[kept], color=LIGHT.ours, lw=1.6)
    base = ranking.positives / (ranking.positives + ranking.negatives)
    axes.axhline(base, color=LIGHT.wrong, lw=1)


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
