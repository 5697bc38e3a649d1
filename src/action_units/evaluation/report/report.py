"""The report of a run: one HTML page that loads nothing from anywhere."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure

from action_units.evaluation import metrics
from action_units.evaluation.agreement import level_confusion
from action_units.evaluation.annotator_rates import Rates
from action_units.evaluation.fold import FoldEvaluation, reasons
from action_units.evaluation.predictions import Predictions, pool
from action_units.evaluation.report import annotator, groups, plots, provenance, tables
from action_units.evaluation.report.examples import KINDS, Example
from action_units.evaluation.report.formatting import templates
from action_units.evaluation.report.published import results_on
from action_units.evaluation.report.theme import to_inline_jpeg, to_inline_svg
from action_units.evaluation.report.timeline import (
    SubjectVideo,
    draw_timeline,
    median_video,
)
from action_units.evaluation.summary import RunSummary
from action_units.labels.action_units import AU_NAMES, EIGHT_AUS, au_column

_FOLD_METRICS = (
    "precision",
    "recall",
    "f1",
    "f1_at_half",
    "floor_f1",
    "balanced_accuracy",
    "auc",
    "average_precision",
    "mcc",
)
"""The columns of each fold's table."""


@dataclass(frozen=True)
class PageExtras:
    """What the page shows besides the scores; each part may be missing.

    Attributes:
        examples: Faces by AU and kind, from ``gather_examples``.
        quarantine: ``source, path, reason, detail``: what could not be used.
        pretraining_curve: Of the pre-training run.
        title: Heading of the page.
        predictions: The pre-trained network's, of its test subjects, by fold: for precision
            against recall, confusion, reliability, intensities, co-occurrence and the timeline.
        gains: From ``comparison.gain_table``.
        lost: ``subject, frames, lost, reasons``: frames without a usable face.
        audit: Path from this page to that of ``render_audit``.
        annotator: Who labelled the web faces.
        rates: The annotator's rates of errors, by fold.
        provenance: What was recorded of the run, as `provenance.provenance` takes it.
    """

    examples: Mapping[int, Mapping[str, Sequence[Example]]] = field(default_factory=dict)
    quarantine: pd.DataFrame = field(default_factory=pd.DataFrame)
    pretraining_curve: pd.DataFrame = field(default_factory=pd.DataFrame)
    title: str = "Action unit report"
    predictions: Mapping[int, Predictions] = field(default_factory=dict)
    gains: pd.DataFrame = field(default_factory=pd.DataFrame)
    lost: pd.DataFrame = field(default_factory=pd.DataFrame)
    audit: str = ""
    annotator: str = ""
    rates: Mapping[int, Rates] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)


def render_report(summary: RunSummary, extras: PageExtras | None = None) -> str:
    """The whole page as one HTML document that loads nothing from anywhere."""
    extras = extras or PageExtras()
    ours = summary.scores["finetuned"]
    pooled = pool(list(extras.predictions.values())) if extras.predictions else None
    present_from = pooled.present_from if pooled else None
    return (
        templates()
        .get_template("page.html.j2")
        .render(
            title=extras.title,
            summary=summary,
            mean_name="mean of folds" if summary.n_folds > 1 else "one fold",
            scratch=summary.scores.get("scratch"),
            n_tested=sum(len(fold.test) for fold in summary.folds),
            rows=tables.au_rows(summary),
            scored=tables.scored(summary),
            sets={name: _set(one) for name, one in summary.sets.items()},
            groupings=groups.grouping_rows(summary),
            n_gaps=groups.count_gaps(summary),
            averages=tables.average_rows(summary),
            person=tables.person_table(summary),
            metrics=tables.metric_tables(summary),
            heat=tables.subject_rows(summary),
            gains=tables.gain_tables(extras.gains),
            au_plots=(panels := au_plots(pooled) if pooled else []),
            levels=any("levels" in one for one in panels),
            intensity=tables.intensity_rows(summary),
            co_occurrences=_co_occurrences(pooled) if pooled else [],
            timeline=(video := _timeline(summary, extras.predictions)),
            intensity_timeline=video
            and _intensity_timeline(video["video"], extras.predictions),
            faces=[
                {
                    "au": au_column(au),
                    "name": AU_NAMES[au],
                    "kinds": {kind: [_face(one) for one in kinds[kind]] for kind in KINDS},
                }
                for au, kinds in extras.examples.items()
            ],
            kinds=KINDS,
            folds=[_fold(fold) for fold in summary.folds],
            fold_metrics=_FOLD_METRICS,
            pretraining=_svg(
                plots.draw_training_curves({"finetuned": extras.pretraining_curve}),
                "pretraining",
                "Validation F1 and loss of pre-training by epoch",
            )
            if len(extras.pretraining_curve)
            else None,
            prevalence=_svg(
                plots.draw_prevalence(summary),
                "prevalence",
                "Share of frames that show each action unit, by fold, as in the tables by fold",
            ),
            quarantine=provenance.quarantine_rows(extras.quarantine),
            lost=provenance.lost_rows(extras.lost),
            audit=extras.audit,
            annotator=_annotator(extras),
            present_from=present_from,
            published=[] if summary.rendered else results_on(summary.folds, present_from),
            eight=EIGHT_AUS,
            ours={au: line.mean_of_folds.value for au, line in ours.aus.items()},
            latex=tables.latex_table(summary),
            markdown=tables.markdown_table(summary),
            provenance=provenance.provenance(extras.provenance, summary.folds),
        )
    )


def _set(summary: RunSummary) -> dict[str, Any]:
    """One of several sets that were trained on together."""
    return {
        "subjects": len({subject for fold in summary.folds for subject in fold.test}),
        "summary": summary,
        "rows": tables.au_rows(summary),
        "averages": tables.average_rows(summary),
        "scored": tables.scored(summary),
    }


def _fold(fold: FoldEvaluation) -> dict[str, Any]:
    """One fold's training curves and tables."""
    curves = {name: model.curve for name, model in fold.models.items() if len(model.curve)}
    best = ", ".join(
        f"{name} reaches {curve['validation_macro_f1'].max():.2f}"
        for name, curve in curves.items()
    )
    description = f"Validation F1 and loss by epoch in fold {fold.fold}: {best}"
    return {
        "fold": fold,
        "curves": curves
        and _svg(plots.draw_training_curves(curves), f"curves{fold.fold}", description),
        "models": {
            name: {
                "rows": [
                    row | {"why": reasons(row)} for row in model.au_table.to_dict("records")
                ],
                "averages": model.averages.to_dict("records"),
            }
            for name, model in fold.models.items()
        },
    }


def au_plots(pooled: Predictions) -> list[dict[str, Any]]:
    """Each AU's precision against recall, confusion, reliability and intensities."""
    parts = []
    for column, au in enumerate(pooled.aus):
        one, name = [column], au_column(au)
        y, p = pooled.labels[:, one], pooled.probabilities[:, one]
        ranking = metrics.rank(y[:, 0], p[:, 0])
        precision = ranking.average_precision()
        reached = (
            "undefined, no frame shows it" if math.isnan(precision) else f"{precision:.2f}"
        )
        share = ranking.positives / max(ranking.positives + ranking.negatives, 1)
        counts = metrics.confusion(y, pooled.predicted[:, one])
        plotted = {
            "recall": (
                plots.draw_precision_recall(y, p, [au]),
                f"precision against recall: average precision {reached}, "
                f"share of positive frames {share:.2f}",
            ),
            "confusion": (
                plots.draw_confusion(counts, [au]),
                f"frames: {counts.tp[0]} true positive, {counts.fn[0]} false negative, "
                f"{counts.fp[0]} false positive, {counts.tn[0]} true negative",
            ),
            "reliability": (
                plots.draw_reliability(y, p, [au]),
                "share of positive frames against probability",
            ),
        }
        if pooled.intensities is not None and pooled.estimates is not None:
            coded, estimated = pooled.intensities[:, one], pooled.estimates[:, one]
            figure = plots.draw_intensity(coded, estimated, [au])
            plotted["intensity"] = (figure, "estimated against coded intensity")
            counted = level_confusion(coded, estimated)
            right = int(np.trace(counted[0])), int(counted.sum())
            plotted["levels"] = (
                plots.draw_levels(counted, [au]),
                f"estimated against coded level: {right[0]:,} of {right[1]:,} frames alike",
            )
        parts.append(
            {
                kind: _svg(figure, f"{kind}{au}", f"{name}, {description}")
                for kind, (figure, description) in plotted.items()
            }
        )
    return parts


def _annotator(extras: PageExtras) -> dict[str, Any] | None:
    """What the annotator's labels are worth; None where no fold can say."""
    rows = annotator.annotator_rows(extras.rates)
    if not rows:
        return None
    description = f"How often {extras.annotator} errs, as in the table"
    figure = annotator.draw_rates(rows)
    return {
        "title": extras.annotator,
        "rows": rows,
        "n_folds": sum(bool(rates) for rates in extras.rates.values()),
        "hows": annotator.hows(rows),
        "figure": _svg(figure, "annotator", description),
    }


def _co_occurrences(pooled: Predictions) -> list[Markup]:
    """As coded, as predicted, and the difference."""
    shown = "How often the action unit of a column is shown in frames that show that of a row"
    return [
        _svg(
            plots.draw_co_occurrence(pooled.labels, pooled.predicted, pooled.aus, [kind]),
            f"together-{kind}",
            f"{shown}: {heading.lower()}",
        )
        for kind, heading in plots.CO_OCCURRENCES.items()
    ]


def _timeline(
    summary: RunSummary, predictions: Mapping[int, Predictions]
) -> dict[str, Any] | None:
    """The video of the subject nearest the median F1; None without frame numbers."""
    video = median_video(summary.folds, predictions)
    if video is None:
        return None
    names = ", ".join(au_column(au) for au in video.aus)
    description = (
        f"Probabilities of {names} by frame for subject {video.subject}, coded events shaded, "
        f"thresholds dashed{', frames that are not scored grey' * video.not_scored}"
    )
    figure = draw_timeline(predictions[video.fold], video)
    return {"video": video, "figure": _svg(figure, "timeline", description)}


def _intensity_timeline(
    video: SubjectVideo, predictions: Mapping[int, Predictions]
) -> Markup | None:
    """The same video in intensities; None where they are not coded or not estimated."""
    part = predictions[video.fold]
    if part.intensities is None or part.estimates is None:
        return None
    names = ", ".join(au_column(au) for au in video.aus)
    description = f"Intensities of {names} by frame for subject {video.subject}, coded shaded"
    figure = draw_timeline(part, video, intensities=True)
    return _svg(figure, "intensity-timeline", description)


def _svg(figure: Figure, name: str, description: str) -> Markup:
    return Markup(to_inline_svg(figure, name, description))


def _face(example: Example) -> dict[str, Any]:
    return {**vars(example), "src": to_inline_jpeg(example.face)}
