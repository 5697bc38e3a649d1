"""Nodes from trained networks to the AU reports of one fold."""

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

from action_units.config import EvaluationSettings
from action_units.evaluation.fold import (
    FoldEvaluation,
    ModelEvaluation,
    evaluate_predictions,
)
from action_units.evaluation.metrics import MISSING, mean_defined
from action_units.evaluation.postprocessing.thresholds import FittedThresholds
from action_units.evaluation.predictions import Predictions
from action_units.faces.store import FaceStore
from action_units.labels.action_units import au_columns, aus_of_columns
from action_units.models.trained import TrainedModel

_PACKAGES = ("torch", "numpy", "opencv-python-headless", "pandas", "kedro")


def postprocess(
    model: TrainedModel,
    raw: pd.DataFrame,
    validation: pd.DataFrame,
    thresholds: Mapping[str, Any],
    faces: FaceStore,
    split: Mapping[str, Any],
    evaluation: EvaluationSettings,
    seed: int,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Smooth and calibrate a network's probabilities, and estimate intensities from them.

    Everything is fitted on the validation subjects.

    Args:
        model: The network.
        raw: Its predictions of the test subjects.
        validation: Its predictions of the validation subjects.
        thresholds: Of its raw probabilities.
        faces: Of the coded sets, for the mean intensities of the training subjects.
        split: The fold's subjects.
        evaluation: The parameters of evaluation.
        seed: Of the draws that thresholds are fitted to.

    Returns:
        The predictions with postprocessed probabilities, and ``AU01_e`` … and ``AU01_m`` …, as
        `Predictions.read` takes them, where the data has intensities; and the postprocessing:
        smoothing, calibration, the thresholds of postprocessed probabilities, the curves of
        intensities, the same of person-centred probabilities, which are not in the predictions,
        and the SHA-256 of the weights.

    Raises:
        ConfigurationError: The postprocessing option is unknown.
    """
    from action_units.evaluation.postprocessing.postprocessing import (
        fit_person_centred,
        fit_postprocessing,
    )
    from action_units.models.model_files import model_bytes

    weights = {"weights": sha256(model_bytes(model)).hexdigest()}
    aus = aus_of_columns(raw.columns)
    fitted = FittedThresholds.from_json(thresholds, aus)
    option = evaluation.treatment
    known = Predictions.read(validation, fitted.values, aus)
    postprocessing = replace(
        fit_postprocessing(
            known, option, seed, training_mean=_training_means(faces, split, aus)
        ),
        person_centred=fit_person_centred(known, option, seed),
    )
    if option == "raw":  # these thresholds came with the network
        postprocessing = replace(postprocessing, thresholds=fitted)
    postprocessed = postprocessing.apply(Predictions.read(raw, fitted.values, aus))
    p = postprocessed.probabilities.astype(np.float32)
    names = [f"{column}_p" for column in au_columns(aus)]
    columns = {} if option == "raw" else dict(zip(names, p.T, strict=True))
    if postprocessing.intensity is not None:
        columns |= postprocessing.intensity.columns(aus, p)
    return raw.assign(**columns), postprocessing.to_json(aus) | weights


def _training_means(
    faces: FaceStore, split: Mapping[str, Any], aus: Sequence[int]
) -> list[float]:
    """Mean coded intensity of the training subjects, by AU; NaN without intensities."""
    columns = [f"{column}_r" for column in au_columns(aus)]
    trained = np.isin(faces.subjects, split["train"])
    coded = faces.table[trained].reindex(columns=columns).to_numpy(np.float64)
    means: list[float] = mean_defined(np.where(coded == MISSING, np.nan, coded).T).tolist()
    return means


def evaluate(
    split: Mapping[str, Any],
    model: TrainedModel,
    predictions: pd.DataFrame,
    postprocessing: Mapping[str, Any],
    curve: pd.DataFrame,
    scratch_model: TrainedModel | None = None,
    scratch_predictions: pd.DataFrame | None = None,
    scratch_postprocessing: Mapping[str, Any] | None = None,
    scratch_curve: pd.DataFrame | None = None,
) -> FoldEvaluation:
    """Score one fold's fine-tuned network, and the one from scratch, on its test subjects.

    Args:
        split: The fold's protocol, number and subjects.
        model: The fine-tuned network.
        predictions: Its probabilities with the labels.
        postprocessing: With the thresholds, fitted on validation subjects.
        curve: Its training curve.
        scratch_model: The network without pre-training; None where none was trained.
        scratch_predictions: As ``predictions``, of that network; and so on.
        scratch_postprocessing: See there.
        scratch_curve: See there.

    Returns:
        The scores of the fold.
    """
    fold = split["fold"]
    finetuned = _score(model, predictions, postprocessing, curve, fold)
    scratch = None
    if scratch_model is not None:
        assert scratch_predictions is not None
        assert scratch_postprocessing is not None
        assert scratch_curve is not None
        scratch = _score(
            scratch_model, scratch_predictions, scratch_postprocessing, scratch_curve, fold
        )
    training = finetuned.provenance["training"]
    shared = {key: training[key] for key in ("recipe", "seed", "machine")}
    return FoldEvaluation(
        fold=fold,
        protocol=split["protocol"],
        n_folds=split.get("n_folds", 3),  # earlier versions had no others
        rendered=bool((predictions["origin"] == "rendered").all()),
        sets=tuple(sorted(predictions["set"].unique())),
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


def _score(
    model: TrainedModel,
    predictions: pd.DataFrame,
    postprocessing: Mapping[str, Any],
    curve: pd.DataFrame,
    fold: int,
) -> ModelEvaluation:
    return evaluate_predictions(
        predictions,
        FittedThresholds.from_json(postprocessing["thresholds"], model.aus),
        seed=(fold,),
        curve=curve,
        provenance=model.provenance,
        aus=model.aus,
    )
