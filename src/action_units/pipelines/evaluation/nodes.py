"""Nodes from trained networks to the AU reports of one fold."""

import json
import platform
from collections.abc import Mapping
from hashlib import sha256
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

from action_units.evaluation.answers import Answers
from action_units.evaluation.results import (
    FoldEvaluation,
    ModelEvaluation,
    evaluate_predictions,
)
from action_units.evaluation.thresholds import FittedThresholds
from action_units.faces.store import FaceStore
from action_units.labels.action_units import au_columns, aus_of_columns
from action_units.models.trained import TrainedModel
from action_units.pipelines.predictions import predictions_of

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
        One row a frame, as ``predictions_of`` gives it.
    """
    from action_units.training.inference import predict

    tested = faces.select(np.isin(faces.subjects, split["test"]))
    # As the thresholds were fitted: a threshold holds for one way of asking.
    flip = bool(model.provenance["flip_average"])
    return predictions_of(tested, model.aus, predict(model, tested.faces, device, flip=flip))


def treat(
    model: TrainedModel,
    raw: pd.DataFrame,
    validation: pd.DataFrame,
    thresholds: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    seed: int,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Smooth and calibrate what a network said, as fitted on the validation subjects.

    Args:
        model: The network.
        raw: Its predictions of the test subjects.
        validation: Its predictions of the validation subjects.
        thresholds: Of its raw probabilities.
        evaluation: The parameters of evaluation.
        seed: Of the draws that thresholds are fitted to.

    Returns:
        The predictions with treated probabilities; and the treatment: smoothing,
        calibration, the thresholds of treated probabilities, and the SHA-256 of the weights.

    Raises:
        ConfigurationError: There is no such treatment.
    """
    from action_units.evaluation.treatment import Treatment, fit_treatment
    from action_units.models.model_files import model_bytes

    weights = {"weights": sha256(model_bytes(model)).hexdigest()}
    aus = aus_of_columns(raw.columns)
    fitted = FittedThresholds.from_json(thresholds, aus)
    option = evaluation["treatment"]
    if option == "raw":
        return raw, Treatment(fitted).to_json(aus) | weights
    known = Answers.read(validation, fitted.values, aus)
    treatment = fit_treatment(known, option, seed)
    treated = treatment.apply(Answers.read(raw, fitted.values, aus))
    columns = [f"{column}_p" for column in au_columns(aus)]
    predictions = raw.copy()
    predictions[columns] = treated.probabilities.astype(np.float32)
    return predictions, treatment.to_json(aus) | weights


def evaluate(
    split: Mapping[str, Any],
    protocol: str,
    finetuned_model: TrainedModel,
    finetuned_predictions: pd.DataFrame,
    finetuned_treatment: Mapping[str, Any],
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
        finetuned_treatment: With the thresholds, fitted on validation subjects.
        finetuned_curve: Its training curve.
        fold: The fold.

    Returns:
        The evaluation as JSON, the AU report, and its averages over AUs.
    """
    finetuned = _judge(
        finetuned_model, finetuned_predictions, finetuned_treatment, finetuned_curve, fold
    )
    whole = _fold(split, protocol, finetuned, None, finetuned_predictions, fold)
    return whole.to_json(), finetuned.au_table, finetuned.averages


def evaluate_both(
    split: Mapping[str, Any],
    protocol: str,
    finetuned_model: TrainedModel,
    finetuned_predictions: pd.DataFrame,
    finetuned_treatment: Mapping[str, Any],
    finetuned_curve: pd.DataFrame,
    scratch_model: TrainedModel,
    scratch_predictions: pd.DataFrame,
    scratch_treatment: Mapping[str, Any],
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
        finetuned_model, finetuned_predictions, finetuned_treatment, finetuned_curve, fold
    )
    scratch = _judge(scratch_model, scratch_predictions, scratch_treatment, scratch_curve, fold)
    whole = _fold(split, protocol, finetuned, scratch, finetuned_predictions, fold)
    return (
        whole.to_json(),
        finetuned.au_table,
        finetuned.averages,
        scratch.au_table,
        scratch.averages,
    )


def _judge(
    model: TrainedModel,
    predictions: pd.DataFrame,
    treatment: Mapping[str, Any],
    curve: pd.DataFrame,
    fold: int,
) -> ModelEvaluation:
    return evaluate_predictions(
        predictions,
        FittedThresholds.from_json(treatment["thresholds"], model.aus),
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
