"""Matplotlib figures of a run: PNG for previews and papers, inline SVG for the page.

Figures are made as objects, never through pyplot: no global state, no windows. Small multiples
of one action unit are one panel, which the page lays out itself. Labels are 1, 0 or −1 (N, A),
probabilities (N, A), and `aus` names their columns.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from action_units.evaluation import metrics
from action_units.evaluation.agreement import LEVELS
from action_units.evaluation.fold import FoldEvaluation
from action_units.evaluation.metrics import Bools, Confusion, Floats, Ints, Labels, ratio
from action_units.evaluation.predictions import HIGHEST_INTENSITY, Predictions, pool
from action_units.evaluation.reliability import reliability_curve
from action_units.evaluation.report.examples import KINDS, Example
from action_units.evaluation.report.theme import LIGHT, set_margins, style
from action_units.evaluation.report.timeline import draw_timeline, median_video
from action_units.evaluation.subject_statistics import pool_subjects
from action_units.evaluation.summary import RunSummary
from action_units.labels.action_units import AU_NAMES, au_column

CO_OCCURRENCES = {
    "coded": "As coded",
    "predicted": "As predicted",
    "difference": "Predicted minus coded",
}
"""The parts of a co-occurrence figure, with their headings."""

_HALVES = (0, 0.5, 1)
_MAX_ALPHA = 0.55
"""Of the strongest cell: text on it keeps a contrast of 4.5 in light and dark."""

_LINES = {"finetuned": (LIGHT.ours, "-"), "scratch": (LIGHT.scratch, "--")}


def draw_run(
    summary: RunSummary,
    predictions: Mapping[int, Predictions],
    examples: Mapping[int, Mapping[str, Sequence[Example]]],
) -> dict[str, Figure]:
    """All figures of a run by name, for Kedro-Viz and for papers.

    Args:
        summary: The run.
        predictions: Of the test subjects, by fold.
        examples: From ``gather_examples``; AU 12's are drawn, or those of the first AU.
    """
    pooled = pool(list(predictions.values()))
    labels, probabilities, aus = pooled.labels, pooled.probabilities, pooled.aus
    example = 12 if 12 in aus else aus[0]
    video = median_video(summary.folds, predictions)
    return {
        "au": draw_f1_by_au(summary),
        "curves": draw_all_training_curves(summary.folds),
        "prevalence": draw_prevalence(summary),
        "precision_recall": draw_precision_recall(labels, probabilities, aus),
        "subjects": draw_subject_heat_map(summary),
        "reliability": draw_reliability(labels, probabilities, aus),
        "confusion": draw_confusion(metrics.confusion(labels, pooled.predicted), aus),
        "co_occurrence": draw_co_occurrence(labels, pooled.predicted, aus),
        "examples": draw_examples(
            examples[example], f"{au_column(example)} {AU_NAMES[example]}"
        ),
        "intensity": placeholder_figure("These labels have no intensities.")
        if pooled.intensities is None or pooled.estimates is None
        else draw_intensity(pooled.intensities, pooled.estimates, aus),
        "timeline": placeholder_figure("No subject shows any AU, or frames have no numbers.")
        if video is None
        else draw_timeline(predictions[video.fold], video),
    }


@style()
def draw_precision_recall(
    labels: Labels, probabilities: Floats, aus: Sequence[int], points: int = 200
) -> Figure:
    """Precision against recall of each AU in at most `points`; its prevalence dashed."""
    figure, panels = _au_panels(aus, "recall", "precision", square=True)
    for column, axes in enumerate(panels):
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.02)
        ranking = metrics.rank(labels[:, column], probabilities[:, column])
        if not ranking.positives:
            _placeholder(axes)
            continue
        recall = ranking.tp / ranking.positives
        precision = ranking.tp / (ranking.tp + ranking.fp)
        # Even steps of recall: most cuts of a rare AU lie beyond its last positive.
        steps = np.searchsorted(recall, np.linspace(0, 1, points - 1))
        shown = np.unique([*steps, recall.size - 1])
        axes.plot(recall[shown], precision[shown], color=LIGHT.ours, lw=1.8)
        share = ranking.positives / (ranking.positives + ranking.negatives)
        axes.axhline(share, color=LIGHT.bad, lw=1.2, ls="--")
    return figure


@style()
def draw_reliability(
    labels: Labels, probabilities: Floats, aus: Sequence[int], bins: int = 10
) -> Figure:
    """Share of positives against probability of each AU.

    A dot for each of the equal bins that holds a frame, its area growing with the frames.
    """
    n, mean_probability, share_positive = reliability_curve(labels, probabilities, bins)
    figure, panels = _au_panels(aus, "probability", "share positive", square=True)
    for column, axes in enumerate(panels):
        axes.set_xlim(-0.04, 1.04)
        axes.set_ylim(-0.04, 1.04)
        axes.plot([0, 1], [0, 1], color=LIGHT.muted, lw=1, ls="--")
        frames = n[:, column]
        filled = frames > 0
        if not filled.any():
            _placeholder(axes)
            continue
        x, y = mean_probability[filled, column], share_positive[filled, column]
        axes.plot(x, y, color=LIGHT.ours, lw=1.4)
        size = 6 + 40 * np.sqrt(frames[filled] / frames.sum())
        axes.scatter(x, y, s=size, color=LIGHT.ours, clip_on=False, zorder=3)
    return figure


@style()
def draw_intensity(intensities: Floats, estimates: Floats, aus: Sequence[int]) -> Figure:
    """Estimated intensities of the frames of each coded one, both 0 to 5 or NaN, (N, A).

    A dot is the median, a thick line the middle half, a thin line the middle 90 %.
    """
    figure, panels = _au_panels(aus, "coded intensity", "estimated")
    for column, axes in enumerate(panels):
        axes.set_xlim(-0.5, HIGHEST_INTENSITY + 0.5)
        axes.set_ylim(0, HIGHEST_INTENSITY)
        axes.set_xticks(range(LEVELS))
        axes.set_yticks(range(LEVELS))
        axes.grid(axis="y")
        known = ~np.isnan(estimates[:, column])
        coded = np.where(known, np.rint(intensities[:, column]), np.nan)
        levels = np.unique(coded[~np.isnan(coded)])
        if not levels.size:
            _placeholder(axes)
        for level in levels:
            values = estimates[coded == level, column]
            ends = np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95])
            axes.plot([level] * 2, ends[[0, 4]], color=LIGHT.ours, lw=1.2)
            axes.plot([level] * 2, ends[[1, 3]], color=LIGHT.ours, lw=4.5, alpha=0.55)
            axes.plot(level, ends[2], "o", color=LIGHT.ink, ms=4, clip_on=False)
    return figure


@style()
def draw_levels(counts: Ints, aus: Sequence[int]) -> Figure:
    """Percent of the frames of each coded level by estimated level, rounded (A, 6, 6)."""
    figure, panels = _au_panels(aus, "estimated", "coded")
    for cells, axes in zip(counts, panels, strict=True):
        shares = ratio(cells, cells.sum(axis=1, keepdims=True).repeat(LEVELS, axis=1))
        _draw_cells(axes, shares, np.full(cells.shape, LIGHT.ours))
        for (row, at), share in np.ndenumerate(shares):
            text = "" if np.isnan(share) or not cells[row, at] else f"{100 * share:.0f}"
            _write(axes, at, row, text, fontsize=7)
        axes.set_xticks(range(LEVELS))
        axes.set_yticks(range(LEVELS))
    return figure


@style()
def draw_confusion(counts: Confusion, aus: Sequence[int]) -> Figure:
    """Frames of each AU by label and prediction (counts (A,)); shaded by share of the row."""
    figure, panels = _au_panels(aus, "predicted", "coded", square=True)
    for column, axes in enumerate(panels):
        tp, fp, fn, tn = (part[column] for part in vars(counts).values())
        cells = np.array([[tp, fn], [fp, tn]])
        shares = ratio(cells, cells.sum(axis=1, keepdims=True).repeat(2, axis=1))
        _draw_cells(axes, shares, np.full((2, 2), LIGHT.ours))
        for (row, at), n in np.ndenumerate(cells):
            share = "n/a" if np.isnan(shares[row, at]) else f"{shares[row, at]:.0%}"
            _write(axes, at, row, f"{n:,}\n{share}", fontsize=8)
        axes.set_xticks([0, 1], ["present", "absent"])
        axes.set_yticks([0, 1], ["present", "absent"], rotation=90, va="center")
    return figure


def co_occurrence(shown: Bools, known: Bools) -> Floats:
    """How often the AU of a column is shown where the AU of a row is shown, (A, A).

    Args:
        shown: Whether each AU is shown, (N, A).
        known: Whether it was coded at all, (N, A); pairs run over frames where both are.

    Returns:
        Shares, NaN in rows of an AU that is never shown.
    """
    both = (shown & known).astype(np.float64)
    return ratio(both.T @ both, both.T @ known.astype(np.float64))


@style()
def draw_co_occurrence(
    labels: Labels,
    predicted: Bools,
    aus: Sequence[int],
    kinds: Sequence[str] = tuple(CO_OCCURRENCES),
) -> Figure:
    """Co-occurrence as coded, as predicted (N, A), and the difference, or some of these."""
    known = labels >= 0
    shares = {"coded": labels == 1, "predicted": predicted}
    values = {kind: co_occurrence(shown, known) for kind, shown in shares.items()}
    values["difference"] = values["predicted"] - values["coded"]
    figure = Figure(figsize=(4.1 * len(kinds), 4.2))
    set_margins(figure, 0.29, 0.04, 0.04, 0.5, wspace=0.1)
    panels = figure.subplots(1, len(kinds), squeeze=False)[0]
    for kind, axes in zip(kinds, panels, strict=True):
        axes.set_title(CO_OCCURRENCES[kind], loc="left", fontsize=10)
        _draw_matrix(axes, values[kind], aus, signed=kind == "difference")
    return figure


@style()
def draw_f1_by_au(summary: RunSummary) -> Figure:
    """Each AU's F1, mean of folds, with interval, baseline and the network from scratch."""
    ours, scratch = summary.scores["finetuned"], summary.scores.get("scratch")
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
        baseline = summary.all_positive.aus[au].mean_of_folds.value
        axes.plot([baseline] * 2, [y - 0.4, y + 0.4], color=LIGHT.bad, lw=2)
        if scratch:
            other = scratch.aus[au].mean_of_folds.value
            axes.plot(other, y, "D", ms=6, mec=LIGHT.ink, mfc=LIGHT.paper)
    names = [f"{AU_NAMES.get(au, '')}  {au_column(au)}" for au in summary.aus]
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.grid(axis="x")
    axes.set_xlabel(f"F1 on test subjects{', mean of folds' if summary.n_folds > 1 else ''}")
    parts = ["bar: pre-trained", "line: 95 % over subjects", "orange tick: all-positive"]
    parts += ["diamond: from scratch"] if scratch else []
    axes.set_title(" · ".join(parts), loc="left", fontsize=9, color=LIGHT.muted)
    return figure


@style()
def draw_prevalence(summary: RunSummary) -> Figure:
    """The share of positive frames of each AU in each fold's test subjects.

    Of up to five folds a bar each; of more a dot each, beside a line for all frames.
    """
    figure = Figure(figsize=(8, 3))
    set_margins(figure, 0.65, 0.3, 0.05, 0.08)
    axes = figure.subplots()
    width = 0.8 / len(summary.folds)
    colours = (LIGHT.ours, LIGHT.scratch, LIGHT.good, LIGHT.muted, LIGHT.bad)
    for i, fold in enumerate(summary.folds):
        x = np.arange(len(summary.aus)) + (i - (len(summary.folds) - 1) / 2) * width
        share = fold.finetuned.au_table["prevalence"].to_numpy(np.float64)
        if summary.few_folds:
            axes.bar(x, share, width * 0.9, color=colours[i], label=f"fold {fold.fold}")
        else:
            label = "each fold" if i == 0 else None
            axes.plot(x, share, "o", ms=3, color=LIGHT.ours, alpha=0.6, label=label)
    if not summary.few_folds:
        counts = pool_subjects([fold.finetuned.subject_counts for fold in summary.folds]).counts
        overall = ratio(counts.support.sum(axis=0), counts.n.sum(axis=0))
        at = np.arange(len(summary.aus))
        axes.hlines(overall, at - 0.4, at + 0.4, color=LIGHT.bad, lw=1.6, label="all frames")
    axes.set_xticks(range(len(summary.aus)), [au_column(au) for au in summary.aus])
    axes.set_ylabel("positive frames")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.grid(axis="y")
    axes.legend(frameon=False)
    return figure


@style()
def draw_subject_heat_map(summary: RunSummary) -> Figure:
    """F1 of each test subject and AU; blank where the subject never shows the AU."""
    counts = pool_subjects([fold.finetuned.subject_counts for fold in summary.folds])
    values = metrics.f1(counts.counts)  # (S, A)
    figure = Figure(figsize=(7, 0.24 * len(values) + 1), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(values, vmin=0, vmax=1, cmap="cividis", aspect="auto")
    axes.set_yticks(range(len(values)), counts.subjects, fontsize=7)
    axes.set_xticks(range(len(summary.aus)), [au_column(au) for au in summary.aus])
    figure.colorbar(image, ax=axes, label="F1")
    return figure


@style()
def draw_training_curves(curves: Mapping[str, pd.DataFrame], title: str = "") -> Figure:
    """Validation macro F1 and loss by epoch, the chosen epoch marked.

    Args:
        curves: By network, ``finetuned`` and ``scratch``; columns epoch (from 1), train_loss,
            validation_loss, validation_macro_f1, best. Epochs without validation are NaN.
        title: Above the figure.
    """
    labels = {"finetuned": "pre-trained", "scratch": "from scratch"}
    figure = Figure(figsize=(3.7, 3.9))
    set_margins(figure, 0.55, 0.48, 0.08, 0.35 if title else 0.1, hspace=0.08)
    above, below = figure.subplots(2, 1, sharex=True)
    for name, curve in curves.items():
        colour, line = _LINES.get(name, _LINES["finetuned"])
        validated = _validated(curve)
        epoch, f1 = validated["epoch"], validated["validation_macro_f1"]
        above.plot(epoch, f1, line, color=colour, lw=1.8, label=labels.get(name, name))
        # The last best epoch is kept; earlier ones were the best so far.
        best = validated["best"].astype(bool).to_numpy().nonzero()[0][-1:]
        above.plot(epoch.iloc[best], f1.iloc[best], "o", color=colour, ms=6)
        below.plot(epoch, validated["validation_loss"], line, color=colour, lw=1.8)
        below.plot(curve["epoch"], curve["train_loss"], line, color=colour, lw=1, alpha=0.45)
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


@style()
def draw_all_training_curves(folds: Sequence[FoldEvaluation]) -> Figure:
    """The validation F1 of every fold, one panel each, at most five side by side."""
    columns = min(len(folds), 5)
    rows = math.ceil(len(folds) / columns)
    figure = Figure(figsize=(3.4 * columns, 2.8 * rows))
    set_margins(figure, 0.55, 0.48, 0.08, 0.27, wspace=0.06, hspace=0.4)
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for axes in grid.flat[len(folds) :]:
        axes.set_visible(False)
    for axes, fold in zip(grid.flat, folds, strict=False):
        for name, model in fold.models.items():
            if model.curve.empty:
                continue
            colour, line = _LINES[name]
            validated = _validated(model.curve)
            epoch, f1 = validated["epoch"], validated["validation_macro_f1"]
            axes.plot(epoch, f1, line, color=colour, label=fold.titles[name].lower())
        axes.set_title(f"Fold {fold.fold}", loc="left")
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.set_ylim(0, 1)
        axes.grid(axis="y")
    for row in grid:
        row[0].set_ylabel("validation macro F1")
    if grid[0, 0].get_legend_handles_labels()[0]:
        grid[0, 0].legend(frameon=False, loc="lower right")
    return figure


@style()
def draw_examples(examples: Mapping[str, Sequence[Example]], title: str) -> Figure:
    """One AU's most confident faces of each of `KINDS`, a row each."""
    columns = max([1, *(len(shown) for shown in examples.values())])
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


@style()
def placeholder_figure(reason: str) -> Figure:
    """A placeholder figure with the reason why it is empty."""
    figure = Figure(figsize=(6, 1.2))
    figure.text(0.5, 0.5, reason, ha="center", va="center")
    return figure


def _au_panels(
    aus: Sequence[int], x: str, y: str, square: bool = False
) -> tuple[Figure, list[Axes]]:
    """A figure with a titled panel for each AU, axes shared, at most four side by side.

    Args:
        aus: The AUs.
        x: What the horizontal axes show.
        y: What the vertical axes show.
        square: Both axes run from 0 to 1.
    """
    columns = min(len(aus), 4)
    rows = math.ceil(len(aus) / columns)
    figure = Figure(figsize=(2 * columns + 0.15, 2 * rows + 0.1))
    set_margins(figure, 0.54, 0.46, 0.09, 0.21, wspace=0.12, hspace=0.24)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    panels = list(grid.flat[: len(aus)])
    for axes in grid.flat[len(aus) :]:
        axes.set_visible(False)
    for au, axes in zip(aus, panels, strict=True):
        axes.set_title(au_column(au), loc="left", fontsize=9)
        axes.tick_params(length=0, labelsize=8)
        if square:
            axes.set_aspect("equal")
    if square:  # of all panels, which share their ticks
        panels[0].set_xticks(_HALVES, ["0", "0.5", "1"])
        panels[0].set_yticks(_HALVES, ["0", "0.5", "1"])
    figure.supxlabel(x, fontsize=9, color=LIGHT.muted)
    figure.supylabel(y, fontsize=9, color=LIGHT.muted)
    return figure, panels


def _draw_matrix(axes: Axes, values: Floats, aus: Sequence[int], signed: bool) -> None:
    # A difference of one half has the strongest colour.
    strength = np.minimum(2 * np.abs(values), 1) if signed else values.copy()
    np.fill_diagonal(strength, np.nan)
    _draw_cells(axes, strength, np.where(values < 0, LIGHT.bad, LIGHT.ours))
    for (row, column), value in np.ndenumerate(values):
        text = "·" if np.isnan(value) else f"{100 * value:{'+' if signed else ''}.0f}"
        text = text.replace("-", "−").replace("+0", "0").replace("−0", "0")
        _write(axes, column, row, "" if row == column else text, fontsize=7)
    names = [au_column(au)[2:] for au in aus]
    axes.set_xticks(range(len(aus)), names, fontsize=8)
    axes.set_yticks(range(len(aus)), names, fontsize=8)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)


def _draw_cells(axes: Axes, strength: Floats, colours: np.ndarray) -> None:
    """A square for each value, more opaque the higher it is; none where it is NaN."""
    rows, columns = strength.shape
    drawn = np.argwhere(~np.isnan(strength))
    squares = [Rectangle((column - 0.5, row - 0.5), 1, 1) for row, column in drawn]
    fill = [to_rgba(colours[at], _MAX_ALPHA * strength[at]) for at in map(tuple, drawn)]
    axes.add_collection(PatchCollection(squares, facecolors=fill, linewidths=0), autolim=False)
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_aspect("equal")


def _write(axes: Axes, x: float, y: float, text: str, fontsize: int) -> None:
    axes.text(x, y, text, ha="center", va="center", fontsize=fontsize, color=LIGHT.ink)


def _placeholder(axes: Axes) -> None:
    """Write n/a into the middle of a panel."""
    axes.text(
        0.5, 0.5, "n/a", ha="center", va="center", color=LIGHT.muted, transform=axes.transAxes
    )


def _validated(curve: pd.DataFrame) -> pd.DataFrame:
    """The epochs that were validated; a line must not break at those between."""
    return curve[curve["validation_loss"].notna()]
