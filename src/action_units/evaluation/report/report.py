"""The page of a run: one HTML document that loads nothing from anywhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from action_units.evaluation.paper_tables import latex_table, markdown_table
from action_units.evaluation.predictions import Predictions
from action_units.evaluation.report import pictures, provenance, scores
from action_units.evaluation.report.examples import KINDS
from action_units.evaluation.report.formatting import templates
from action_units.evaluation.report.published import PUBLISHED_DISFA
from action_units.evaluation.summary import RunSummary
from action_units.labels.action_units import EIGHT_AUS


@dataclass(frozen=True)
class PageExtras:
    """What the page shows beside the scores; each part may be missing.

    Attributes:
        examples: Faces by AU and kind, from ``gather_examples``.
        quarantine: ``source, path, reason, detail``: what could not be used.
        pretraining_curve: Of the pre-training run.
        title: Heading of the page.
        answers: What the pre-trained network said of its test subjects, by fold: for
            precision against recall, confusion, reliability, intensities, co-occurrence
            and the timeline.
        treatments: From ``treatment.gain_table``.
        lost: ``subject, frames, lost, reasons``: frames without a usable face.
        provenance: What was recorded of the run, as `provenance.provenance` takes it.
    """

    examples: pictures.Examples = field(default_factory=dict)
    quarantine: pd.DataFrame = field(default_factory=pd.DataFrame)
    pretraining_curve: pd.DataFrame = field(default_factory=pd.DataFrame)
    title: str = "Action unit report"
    answers: Mapping[int, Predictions] = field(default_factory=dict)
    treatments: pd.DataFrame = field(default_factory=pd.DataFrame)
    lost: pd.DataFrame = field(default_factory=pd.DataFrame)
    provenance: Mapping[str, Any] = field(default_factory=dict)


def render_report(summary: RunSummary, extras: PageExtras | None = None) -> str:
    """The whole page as HTML.

    Args:
        summary: The run.
        extras: What to show beside the scores.

    Returns:
        A document that loads nothing from anywhere.
    """
    extras = extras or PageExtras()
    ours = summary.scores["finetuned"]
    by_au = pictures.au_pictures(extras.answers)
    return (
        templates()
        .get_template("page.html.j2")
        .render(
            title=extras.title,
            summary=summary,
            scratch=summary.scores.get("scratch"),
            n_tested=sum(len(fold.test) for fold in summary.folds),
            rows=scores.au_rows(summary),
            averages=scores.average_rows(summary),
            measures=scores.metric_tables(summary),
            heat=scores.subject_rows(summary),
            treatments=scores.treatment_tables(extras.treatments),
            au_pictures=by_au,
            intensities=any(one["intensity"] for one in by_au),
            co_occurrences=pictures.co_occurrences(extras.answers),
            timeline=pictures.timeline(summary, extras.answers),
            faces=pictures.faces(extras.examples),
            kinds=KINDS,
            folds=[pictures.fold_parts(fold) for fold in summary.folds],
            pretraining=pictures.pretraining_curve(extras.pretraining_curve),
            prevalence=pictures.prevalence(summary),
            quarantine=provenance.quarantine_rows(extras.quarantine),
            lost=provenance.lost_rows(extras.lost),
            published=[] if summary.rendered else PUBLISHED_DISFA,
            eight=EIGHT_AUS,
            ours={au: line.mean_of_folds.value for au, line in ours.aus.items()},
            latex=latex_table(summary),
            markdown=markdown_table(summary),
            provenance=provenance.provenance(extras.provenance, summary.folds),
        )
    )
