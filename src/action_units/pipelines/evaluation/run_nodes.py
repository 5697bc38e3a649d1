"""Nodes from the folds on disk to the summary, the figures and the page of a run."""

import logging
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from action_units.config import (
    CodedSetSettings,
    EvaluationSettings,
    FinetuneSettings,
    PreprocessSettings,
    Settings,
    TrainingConfig,
    WebSetSettings,
)
from action_units.datasets.folds import EvaluatedFold
from action_units.evaluation.annotator_rates import Rates
from action_units.evaluation.comparison import gain_table
from action_units.evaluation.fold import FoldEvaluation
from action_units.evaluation.groups import Grouping, score_groups
from action_units.evaluation.person_centred import score_person_centred
from action_units.evaluation.postprocessing.postprocessing import fit_postprocessing
from action_units.evaluation.predictions import Predictions
from action_units.evaluation.report.examples import Example, gather_examples
from action_units.evaluation.report.groups import group_gaps, group_scores
from action_units.evaluation.report.tables import latex_table, markdown_table
from action_units.evaluation.sets import with_sets
from action_units.evaluation.summary import RunSummary
from action_units.evaluation.summary import summarise as summarise_folds
from action_units.faces.store import FaceStore
from action_units.labels.annotations.registry import PROGRAMS
from action_units.labels.label_files import first_names
from action_units.progress import clock

logger = logging.getLogger(__name__)

_AUDIT = "../../audit.html"  # from the report, as in the catalog
Folds = Mapping[int, EvaluatedFold]


def collect_folds(*evaluated: FoldEvaluation | Rates | None) -> tuple[int, ...]:
    """Name the folds that this run has evaluated; what reads all folds on disk comes next.

    Args:
        evaluated: A fold's scores, or its annotator's rates, which need only be there; None
            for what this run leaves out.

    Returns:
        Their numbers.
    """
    return tuple(fold.fold for fold in evaluated if isinstance(fold, FoldEvaluation))


def summarise(
    folds: Folds, groups: pd.DataFrame, evaluation: EvaluationSettings, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame, RunSummary, str, str, pd.DataFrame, pd.DataFrame]:
    """Summarise the folds on disk and log the run's result.

    Args:
        folds: All folds on disk.
        groups: Of the subjects, from ``read_groups``; may be empty.
        evaluation: The parameters of evaluation.
        seed: Of the draws of subjects.

    Returns:
        F1 by AU and average as a table, every score as a table, the summary, F1 as LaTeX
        and as Markdown, and the scores and gaps of groups.
    """
    evaluations = [fold.evaluation for fold in folds.values()]
    predictions = {
        name: {number: fold.predictions[name] for number, fold in folds.items()}
        for name in ("finetuned", "scratch")
        if all(name in fold.predictions for fold in folds.values())
    }
    together = replace(
        summarise_folds(evaluations, predictions=predictions),
        person_centred=score_person_centred(
            {
                number: (
                    fold.read_predictions(fold.validation["finetuned"]),
                    fold.read_predictions(fold.raw["finetuned"]),
                    fold.read_predictions(),
                )
                for number, fold in folds.items()
            },
            evaluation.treatment,
            seed,
        ),
        groups=_score_groups(folds, groups, evaluation, seed),
    )
    summary = with_sets(together, predictions)
    for warning in summary.warnings:
        logger.warning(warning)
    return (
        summary.table(),
        summary.metrics_table(),
        summary,
        latex_table(summary),
        markdown_table(summary),
        group_scores(summary.groups),
        group_gaps(summary.groups),
    )


def _score_groups(
    folds: Folds, groups: pd.DataFrame, evaluation: EvaluationSettings, seed: int
) -> tuple[Grouping, ...]:
    if not len(groups.columns):
        return ()
    test, validation = {}, {}
    for number, fold in folds.items():
        test[number] = fold.read_predictions()
        validation[number] = fold.read_predictions(fold.validation["finetuned"])
        raw = fold.read_predictions(fold.raw["finetuned"])
        if not np.array_equal(raw.probabilities, test[number].probabilities):
            fitted = fit_postprocessing(validation[number], evaluation.treatment, seed)
            validation[number] = fitted.transform(validation[number])
    scored = score_groups(test, groups, validation, seed)
    for one in scored:
        if one.not_known:
            logger.warning(
                "%s is not known of %d tested subjects: %s",
                one.column,
                len(one.not_known),
                first_names(one.not_known),
            )
    return scored


def measure_postprocessing(folds: Folds, seed: int) -> pd.DataFrame:
    """Say what calibration and smoothing, fitted on validation subjects, gain on the others.

    Args:
        folds: All folds on disk.
        seed: Of the bootstrap.

    Returns:
        A row for each option, metric and average.
    """
    return gain_table(
        {
            number: (
                fold.read_predictions(fold.validation["finetuned"]),
                fold.read_predictions(fold.raw["finetuned"]),
            )
            for number, fold in folds.items()
        },
        seed,
    )


def draw_figures(folds: Folds, summary: RunSummary, faces: FaceStore) -> dict[str, Any]:
    """Draw the run, for Kedro-Viz and for papers.

    Args:
        folds: All folds on disk.
        summary: Their summary.
        faces: Of the coded sets.

    Returns:
        Matplotlib figures by name.
    """
    from action_units.evaluation.report.plots import draw_run

    return dict(draw_run(summary, _predictions(folds), _examples(folds, faces)))


def write_report(
    folds: Folds,
    summary: RunSummary,
    faces: FaceStore,
    quarantine: pd.DataFrame,
    lost: pd.DataFrame,
    gains: pd.DataFrame,
    pretraining_curve: pd.DataFrame | None,
    run: str,
    training: TrainingConfig,
    coded_sets: Mapping[str, CodedSetSettings],
    web_sets: Mapping[str, WebSetSettings],
    preprocess: PreprocessSettings,
    finetune: FinetuneSettings,
    evaluation: EvaluationSettings,
) -> str:
    """Render the page of the run.

    Args:
        folds: All folds on disk.
        summary: Their summary.
        faces: Of the coded sets, to show those that went right and wrong.
        quarantine: What could not be used.
        lost: How many frames each subject lost, by reason; empty where crops were given.
        gains: What calibration and smoothing gain.
        pretraining_curve: Of the pre-trained network, if there is one.
        run: The run's name.
        training: The recipe and the machine.
        coded_sets: The settings of the coded sets.
        web_sets: The settings of the web sets.
        preprocess: The parameters of preprocessing.
        finetune: The parameters of fine-tuning.
        evaluation: The parameters of evaluation.

    Returns:
        One HTML document that needs nothing else.
    """
    from action_units.evaluation.report.report import PageExtras, render_report

    pretraining = pd.DataFrame() if pretraining_curve is None else pretraining_curve
    line = summary.scores["finetuned"].averages
    for name, average in line.items():
        logger.info(
            "%s, mean over folds (%d of %d): F1 %.3f%s%s",
            name,
            len(summary.folds),
            summary.n_folds,
            average.mean_of_folds.value,
            f", from scratch {summary.scores['scratch'].averages[name].mean_of_folds.value:.3f}"
            if "scratch" in summary.scores
            else "",
            " (rendered faces)" if summary.rendered else "",
        )
        if summary.person_centred is not None:
            gain = summary.person_centred.gains["f1"].averages[name].mean_of_folds
            logger.info(
                "%s, person-centred, which takes unlabelled test frames: F1 %+.3f (%+.3f to "
                "%+.3f)",
                name,
                gain.value,
                gain.low,
                gain.high,
            )
    recipe = training.recipe.model_dump(mode="json", exclude_unset=True)
    return render_report(
        summary,
        PageExtras(
            examples=_examples(folds, faces),
            quarantine=quarantine,
            pretraining_curve=pretraining,
            title=f"Action unit report: {run}",
            predictions=_predictions(folds),
            gains=gains,
            lost=_lost_frames(lost),
            audit=_AUDIT if summary.pretrained else "",
            annotator=_annotator(web_sets),
            rates={number: fold.rates for number, fold in folds.items()}
            if summary.pretrained
            else {},
            provenance={
                "run": run,
                "git_commit": _git_commit(),
                "wall_time": f"{_training_time(summary, pretraining)} of training, all folds "
                "on this page together",
                "configuration": {
                    "recipe": {training.name: recipe},
                    "coded_sets": _to_json(coded_sets),
                    "web_sets": _to_json(web_sets),
                    "preprocess": preprocess.to_json(),
                    "finetune": finetune.to_json(),
                    "evaluation": evaluation.to_json(),
                    "face_size": training.recipe.network.image_size,
                    "precision": training.machine.precision,
                    "threads": training.machine.threads,
                },
            },
        ),
    )


def _annotator(web_sets: Mapping[str, WebSetSettings]) -> str:
    """Who labelled the web faces, for people."""
    programs = [
        one.program
        for web in web_sets.values()
        for one in (web.annotations, web.second_annotations)
        if one is not None
    ]
    titles = [PROGRAMS[name].title if name in PROGRAMS else name for name in programs]
    return " and ".join(dict.fromkeys(titles))


def _to_json(groups: Mapping[str, Settings]) -> dict[str, Any]:
    return {name: group.to_json() for name, group in groups.items()}


def _lost_frames(lost: pd.DataFrame) -> pd.DataFrame:
    """``subject, frames, lost, reasons``; the reasons are text."""
    if lost.empty:
        return lost
    kinds = lost.columns.drop(["subject", "frames", "lost"])
    reasons = [
        ", ".join(f"{row[kind]:,} {kind}" for kind in kinds if row[kind])
        for row in lost.to_dict("records")
    ]
    return lost[["subject", "frames", "lost"]].assign(reasons=reasons)


def _predictions(folds: Folds) -> dict[int, Predictions]:
    return {number: fold.read_predictions() for number, fold in folds.items()}


def _examples(folds: Folds, faces: FaceStore) -> dict[int, dict[str, list[Example]]]:
    """The most confident faces of each AU, by the thresholds of their folds."""
    return gather_examples(
        {number: fold.predictions["finetuned"] for number, fold in folds.items()},
        {
            number: list(fold.evaluation.finetuned.au_table["threshold"])
            for number, fold in folds.items()
        },
        faces.faces,
        faces.table["image"],
    )


def _training_time(summary: RunSummary, pretraining_curve: pd.DataFrame) -> str:
    curves = [model.curve for fold in summary.folds for model in fold.models.values()]
    curves = [curve for curve in [pretraining_curve, *curves] if "seconds" in curve]
    return clock(sum(float(curve["seconds"].sum()) for curve in curves))


def _git_commit() -> str | None:
    """The project's commit, and whether files differ from it; None without git."""
    here = Path(__file__).parent

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(here), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    try:
        commit = git("rev-parse", "HEAD").strip()
        return f"{commit} with changes" if git("status", "--porcelain", "-uno") else commit
    except (OSError, subprocess.CalledProcessError):
        return None
