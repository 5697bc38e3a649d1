"""The page of a cross-data-set test."""

import math
from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from action_units.evaluation.cross.result import CrossTest, PairedScores
from action_units.evaluation.metrics import confusion
from action_units.evaluation.predictions import Predictions
from action_units.evaluation.report import plots
from action_units.evaluation.report.formatting import templates
from action_units.evaluation.report.provenance import text_of
from action_units.evaluation.report.report import au_plots
from action_units.evaluation.report.theme import LIGHT, style
from action_units.evaluation.subject_statistics import METRICS
from action_units.labels.action_units import AU_NAMES


def render_cross(
    test: CrossTest,
    within_command: str,
    predictions: Predictions | None = None,
    about: Mapping[str, Any] | None = None,
) -> str:
    """The page as one HTML document that loads nothing from anywhere.

    Args:
        test: The test.
        within_command: What makes a run that is trained on the new set (``hints.command``).
        predictions: The ensemble's, for the plots; without them there are none.
        about: What was recorded of the networks and the set, any JSON values.
    """
    within = None if test.within is None else test.within.paired
    refitted = None if test.refitted is None else test.refitted.paired
    shared = len(set(test.subjects.values())) == 1
    return (
        templates()
        .get_template("cross.html.j2")
        .render(
            title=f"Cross-data-set test: {test.trained_on} to {test.tested_on}",
            test=test,
            shared=shared,
            aus_rows=_rows(test, "aus"),
            averages=_rows(test, "averages"),
            metrics={
                average: [
                    {"metric": METRICS[metric], "line": scores.averages[average]}
                    for metric, scores in test.scores.items()
                ]
                for average in test.scores["f1"].averages
            },
            within=None if within is None else _pairs(within),
            within_command=within_command.split("`"),
            refitted=None if refitted is None else _pairs(refitted),
            plots=[] if predictions is None else au_plots(predictions),
            facts=[(n.replace("_", " "), text_of(value)) for n, value in (about or {}).items()],
        )
    )


def draw_cross(test: CrossTest, predictions: Predictions) -> dict[str, Figure]:
    """The figures of a test by name, for Kedro-Viz and for papers.

    Args:
        test: The test.
        predictions: The ensemble's.
    """
    y, p, aus = predictions.labels, predictions.probabilities, predictions.aus
    return {
        "au": _draw_f1(test),
        "confusion": plots.draw_confusion(confusion(y, predictions.predicted), aus),
        "precision_recall": plots.draw_precision_recall(y, p, aus),
        "reliability": plots.draw_reliability(y, p, aus),
    }


@style()
def _draw_f1(test: CrossTest) -> Figure:
    """F1 of each AU and average: mean of networks, the baseline, and within the set."""
    rows = [*_rows(test, "aus"), *_rows(test, "averages")]
    figure = Figure(figsize=(6.4, 0.32 * len(rows) + 1.2), layout="constrained")
    axes = figure.subplots()
    for place, row in enumerate(rows):
        mean = row["line"].mean
        if math.isnan(mean.value):
            axes.text(0.01, place, "n/a", va="center", color=LIGHT.muted)
            continue
        axes.barh(place, mean.value, 0.6, color=LIGHT.ours)
        axes.plot([mean.low, mean.high], [place] * 2, color=LIGHT.ink, lw=1.4)
        axes.plot([row["all_positive"].mean.value] * 2, [place - 0.4, place + 0.4],
                  color=LIGHT.bad, lw=2.2)  # fmt: skip
        if row["within"] is not None:
            axes.plot(row["within"].mean.value, place, "D", ms=6, mfc=LIGHT.paper,
                      mec=LIGHT.scratch, mew=1.8, clip_on=False)  # fmt: skip
    axes.set_yticks(range(len(rows)), [row["name"] for row in rows])
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.grid(axis="x")
    axes.tick_params(length=0)
    axes.set_xlabel("F1 with 95 % over subjects; red: every frame positive; "
                    f"diamond: trained on {test.tested_on}")  # fmt: skip
    axes.set_title(
        f"Trained on {test.trained_on}, tested on {test.tested_on}"
        + (" (rendered faces)" if test.rendered or test.rendered_training else ""),
        loc="left",
        fontsize=10,
        fontweight="bold",
    )
    return figure


def _rows(test: CrossTest, part: str) -> list[dict[str, Any]]:
    """F1 of the AUs or averages, with what stands next to it."""
    paired = None if test.within is None else test.within.paired
    rests = {one.au: one for one in test.support}

    def line(scores: Any, key: Any) -> Any:
        return None if scores is None else getattr(scores["f1"], part)[key]

    return [
        {
            "name": one.name,
            "title": rests[key].name if key in rests else "mean",
            "line": one,
            "all_positive": getattr(test.scores["floor_f1"], part)[key],
            "support": rests.get(key),
            "paired": line(paired and paired.scores, key),
            "within": line(paired and paired.other, key),
            "difference": line(paired and paired.differences, key),
        }
        for key, one in getattr(test.scores["f1"], part).items()
    ]


def _pairs(paired: PairedScores) -> dict[str, Any]:
    """The rows of two ways to predict the same frames, and how far differences reach."""
    f1 = paired.differences["f1"]
    means = [line.mean for line in f1.lines]
    ends = [abs(end) for mean in means for end in (mean.low, mean.high) if not math.isnan(end)]
    parts = {
        part: [
            {
                "name": line.name,
                "title": AU_NAMES.get(key, "") if part == "aus" else "mean",
                "one": getattr(paired.scores["f1"], part)[key],
                "two": getattr(paired.other["f1"], part)[key],
                "difference": line,
            }
            for key, line in getattr(f1, part).items()
        ]
        for part in ("aus", "averages")
    }
    return {**parts, "reach": max(ends, default=1.0) or 1e-9}
