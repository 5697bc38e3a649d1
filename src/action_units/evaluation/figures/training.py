"""Training curves."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from action_units.evaluation.fold import FoldEvaluation
from action_units.evaluation.report.theme import LIGHT, Palette, settings


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
                label = fold.titles[name].lower()
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
