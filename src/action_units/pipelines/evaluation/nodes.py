"""Nodes from trained networks to AU reports and the page of the run."""

import json
import logging
import platform
from collections.abc import Mapping
from hashlib import sha256
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from action_units.evaluation.examples import gather_examples, join_folds
from action_units.evaluation.figures import (
    draw_all_training_curves,
    draw_examples,
    draw_f1_by_au,
    draw_precision_recall,
    draw_prevalence,
    draw_subject_heat_map,
)
from action_units.evaluation.report.page import PageExtras, render_report
from action_units.evaluation.results import (
    FoldEvaluation,
    ModelEvaluation,
    evaluate_predictions,
)
from action_units.evaluation.summary import RunSummary
from action_units.evaluation.summary import summarise as summarise_folds
from action_units.evaluation.tables import prediction_arrays
from action_units.evaluation.thresholds import FittedThresholds
from action_units.faces.store import FaceStore
from action_units.facs.action_units import AU_NAMES, au_column, au_columns
from action_units.facs.protocols import fold_protocol
from action_units.models.trained import TrainedModel
from action_units.training.inference import predict

logger = logging.getLogger(__name__)

Folds = Mapping[int, tuple[FoldEvaluation, pd.DataFrame]]

_PACKAGES = ("torch", "numpy", "opencv-python-headless", "pandas", "kedro")


def predict_test_subjects(
    model: TrainedModel, faces: FaceStore, split: Mapping[str, Any], device: str
) -> pd.DataFrame:
    """Ask a network about the faces of the subjects that it has never seen.

    Args:
        model: The network.
        faces: DISFA's faces.
        split: The fold's subjects.
        device: Where to compute.

    Returns:
        One row a frame: image, subject, frame, origin, labels ``AU01`` …,
        probabilities ``AU01_p`` ….
    """
    tested = faces.select(np.isin(faces.subjects, split["test"]))
    columns = au_columns(model.aus)
    table = tested.table[["image", "subject", "frame", "origin", *columns]].copy()
    # As the thresholds were fitted: a threshold holds for one way of asking.
    flip = bool(model.provenance["flip_average"])
    probabilities = predict(model, tested.faces, device, flip=flip)
    table[[f"{column}_p" for column in columns]] = probabilities
    return table


def evaluate(
    split: Mapping[str, Any],
    protocol: str,
    finetuned_model: TrainedModel,
    finetuned_predictions: pd.DataFrame,
    finetuned_thresholds: Mapping[str, Any],
    finetuned_curve: pd.DataFrame,
    *,
    fold: int,
) -> tuple[dict[str, Any], pd.DataFrame, pd.DataFrame]:
    """Judge one fold's fine-tuned network on its test subjects.

    Args:
        split: The fold's subjects.
        protocol: The fold protocol.
        finetuned_model: The network.
        finetuned_predictions: Its probabilities beside the labels.
        finetuned_thresholds: Fitted on validation subjects.
        finetuned_curve: Its training curve.
        fold: The fold.

    Returns:
        The evaluation as JSON, the AU report, and its averages over AUs.
    """
    finetuned = _judge(
        finetuned_model, finetuned_predictions, finetuned_thresholds, finetuned_curve, fold
    )
    whole = _fold(split, protocol, finetuned, None, finetuned_predictions, fold)
    return whole.to_json(), finetuned.au_table, finetuned.averages


def evaluate_both(
    split: Mapping[str, Any],
    protocol: str,
    finetuned_model: TrainedModel,
    finetuned_predictions: pd.DataFrame,
    finetuned_thresholds: Mapping[str, Any],
    finetuned_curve: pd.DataFrame,
    scratch_model: TrainedModel,
    scratch_predictions: pd.DataFrame,
    scratch_thresholds: Mapping[str, Any],
    scratch_curve: pd.DataFrame,
    *,
    fold: int,
) -> tuple[dict[str, Any], pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Judge the fine-tuned network, and beside it the one trained from scratch.

    The arguments are ``evaluate``'s, for both networks.

    Returns:
        The evaluation as JSON, and for each network the AU report and its averages.
    """
    finetuned = _judge(
        finetuned_model, finetuned_predictions, finetuned_thresholds, finetuned_curve, fold
    )
    scratch = _judge(
        scratch_model, scratch_predictions, scratch_thresholds, scratch_curve, fold
    )
    whole = _fold(split, protocol, finetuned, scratch, finetuned_predictions, fold)
    return (
        whole.to_json(),
        finetuned.au_table,
        finetuned.averages,
        scratch.au_table,
        scratch.averages,
    )


def summarise(
    folds: Folds, *just_evaluated: dict[str, Any]
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Put the folds on disk together, and say how the run came out.

    Args:
        folds: All folds on disk.
        just_evaluated: Those of this run, which must come first.

    Returns:
        The summary as a table and as JSON.
    """
    summary = _summary(folds)
    for warning in summary.warnings:
        logger.warning(warning)
    return summary.table(), summary.to_json()


def draw_figures(
    folds: Folds, summary: Mapping[str, Any], faces: FaceStore
) -> tuple[Figure, Figure, Figure, Figure, Figure, Figure]:
    """Draw the run, for Kedro-Viz and for papers.

    Args:
        folds: All folds on disk.
        summary: Their summary, which must come first.
        faces: DISFA's faces.

    Returns:
        F1 by AU against the floor, training curves, prevalence, precision against
        recall, F1 by subject, and faces that went right and wrong.
    """
    whole = _summary(folds)
    predictions = _joined(folds)
    aus, labels, probabilities = prediction_arrays(predictions)
    shown = 12 if 12 in aus else aus[0]
    examples = gather_examples(
        predictions, [0.5] * len(aus), faces.faces, faces.table["image"]
    )[shown]
    return (
        draw_f1_by_au(whole),
        draw_all_training_curves(whole.folds),
        draw_prevalence(whole),
        draw_precision_recall(labels, probabilities, aus),
        draw_subject_heat_map(whole),
        draw_examples(examples, f"{au_column(shown)} {AU_NAMES[shown]}"),
    )


def write_report(
    folds: Folds,
    summary: Mapping[str, Any],
    faces: FaceStore,
    quarantine: pd.DataFrame,
    pretraining_curve: pd.DataFrame,
) -> str:
    """Render the page of the run.

    Args:
        folds: All folds on disk.
        summary: Their summary, which must come first.
        faces: DISFA's faces, to show those that went right and wrong.
        quarantine: What could not be used.
        pretraining_curve: Of the pre-trained network.

    Returns:
        One HTML document that needs nothing else.
    """
    whole = _summary(folds)
    examples = gather_examples(
        _joined(folds), [0.5] * len(whole.aus), faces.faces, faces.table["image"]
    )
    line = whole.scores["finetuned"].averages
    for name, average in line.items():
        logger.info(
            "%s, mean over folds (%d of %d): F1 %.3f%s%s",
            name,
            len(whole.folds),
            whole.n_folds,
            average.mean_of_folds.value,
            f", from scratch {whole.scores['scratch'].averages[name].mean_of_folds.value:.3f}"
            if "scratch" in whole.scores
            else "",
            " (rendered faces)" if whole.rendered else "",
        )
    return render_report(whole, PageExtras(examples, quarantine, pretraining_curve))


def _judge(
    model: TrainedModel,
    predictions: pd.DataFrame,
    thresholds: Mapping[str, Any],
    curve: pd.DataFrame,
    fold: int,
) -> ModelEvaluation:
    return evaluate_predictions(
        predictions,
        FittedThresholds.from_json(thresholds, model.aus),
        seed=(fold,),
        curve=curve,
        provenance=model.provenance,
        aus=model.aus,
    )


def _fold(
    split: Mapping[str, Any],
    protocol: str,
    finetuned: ModelEvaluation,
    scratch: ModelEvaluation | None,
    predictions: pd.DataFrame,
    fold: int,
) -> FoldEvaluation:
    training = finetuned.provenance["training"]
    shared = {key: training[key] for key in ("recipe", "seed", "machine")}
    return FoldEvaluation(
        fold=fold,
        protocol=protocol,
        rendered=bool((predictions["origin"] == "rendered").all()),
        train=tuple(split["train"]),
        validation=tuple(split["validation"]),
        test=tuple(split["test"]),
        finetuned=finetuned,
        scratch=scratch,
        provenance={
            "config_hash": sha256(json.dumps(shared, sort_keys=True).encode()).hexdigest(),
            "data_sha256": split["data_sha256"],
            "recipe": finetuned.provenance["recipe"],
            "seed": training["seed"],
            "device": training["machine"],
            "python": platform.python_version(),
            "packages": {name: version(name) for name in _PACKAGES},
        },
    )


def _summary(folds: Folds) -> RunSummary:
    evaluations = [evaluation for evaluation, _ in folds.values()]
    n_folds = len(fold_protocol(evaluations[0].protocol).folds) if evaluations else 3
    return summarise_folds(evaluations, n_folds)


def _joined(folds: Folds) -> pd.DataFrame:
    """The predictions of all folds, each with its own thresholds."""
    return join_folds(
        {fold: table for fold, (_, table) in folds.items()},
        {fold: list(e.finetuned.au_table["threshold"]) for fold, (e, _) in folds.items()},
    )
