"""Nodes that say how often the annotator of the web faces errs, fold by fold."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from action_units.coded_sets.frame_annotations import ANNOTATED
from action_units.config import CodedSetSettings, WebSetSettings
from action_units.datasets.folds import EvaluatedFold
from action_units.evaluation.annotator_rates import (
    Rates,
    count_rates,
    estimate_rates,
    rates_table,
)
from action_units.evaluation.predictions import prediction_arrays
from action_units.faces.store import FaceStore
from action_units.labels.action_units import au_columns
from action_units.labels.coded_frames import MISSING
from action_units.models.trained import TrainedModel
from action_units.pipelines.pretraining.nodes import HELD_OUT
from action_units.stages import predictions_of

logger = logging.getLogger(__name__)


def predict_held_out(
    model: TrainedModel, faces: FaceStore | None, device: str, memory: Path | None = None
) -> pd.DataFrame:
    """Ask the pre-trained network about the web faces that it was not trained with.

    Args:
        model: The pre-trained network.
        faces: Of the web sets; None where they are not here.
        device: Where to compute.
        memory: Folder of predictions, where they are kept for a repeated run.

    Returns:
        One row a face, as ``predictions_of`` gives it; none without faces.

    Raises:
        ConfigurationError: The network was trained on faces that were made otherwise.
    """
    from action_units.training.inference import predict
    from action_units.training.same_faces import check_same_faces

    if faces is None:
        logger.warning("The web faces are not here, so the annotator's errors stay unknown")
        return pd.DataFrame()
    check_same_faces(model, faces)
    trained = (faces.table["split"] != "test").to_numpy()
    # By person: tables of a user's own may divide one person's photographs.
    held_out = faces.select(~np.isin(faces.subjects, faces.subjects[trained]))
    learned = (faces.labels[trained] != MISSING).any(axis=0)
    return predictions_of(
        held_out,
        model.aus,
        predict(model, held_out.faces, device, memory=memory and memory / HELD_OUT),
        [au for au, known in zip(faces.aus, learned, strict=True) if not known],
    )


def predict_coded(
    model: TrainedModel,
    held_out: pd.DataFrame,
    faces: FaceStore,
    device: str,
    memory: Path | None = None,
) -> NDArray[np.float32]:
    """Ask the pre-trained network about the coded faces, which it knows as little as the folds.

    Args:
        model: The pre-trained network.
        held_out: Its predictions of web faces with the annotator's labels.
        faces: Of the coded sets.
        device: Where to compute.
        memory: Folder of predictions, where they are kept for a repeated run.

    Returns:
        Probabilities of all coded faces, (N, A); (0, A) where there are no web faces, without
        which nothing can be estimated.

    Raises:
        ConfigurationError: The network was trained in colour and these faces are grey, or the
            other way round.
    """
    from action_units.training.inference import predict
    from action_units.training.same_faces import check_colour

    check_colour(model, faces)
    if held_out.empty:
        return np.empty((0, len(model.aus)), np.float32)
    return predict(
        model, faces.faces, device, memory=memory and memory / "pretrained_coded.npz"
    )


def find_annotator_rates(
    model: TrainedModel,
    held_out: pd.DataFrame,
    predictions: NDArray[np.float32],
    faces: FaceStore,
    split: Mapping[str, Any],
    coded_sets: Mapping[str, CodedSetSettings],
    web_sets: Mapping[str, WebSetSettings],
    seed: int,
) -> Rates:
    """Estimate the annotator's rates of errors on a fold's training subjects, and count them.

    Args:
        model: The pre-trained network.
        held_out: Its predictions of web faces with the annotator's labels.
        predictions: Its probabilities of all coded faces, (N, A); none without `held_out`.
        faces: Of the coded sets.
        split: The fold's subjects; those of validation and test are not used.
        coded_sets: The settings of the coded sets, by name.
        web_sets: The settings of the web sets.
        seed: Of the bootstrap.

    Returns:
        ``estimated`` where there are web faces, and ``counted`` where the same program has
        annotated coded frames.
    """
    trained = np.isin(faces.subjects, split["train"])
    known, subjects = faces.table[trained], faces.subjects[trained]
    labels, annotated = (
        known.reindex(columns=names, fill_value=MISSING).fillna(MISSING).to_numpy(np.int8)
        for names in (
            au_columns(model.aus),
            [f"{name}{ANNOTATED}" for name in au_columns(model.aus)],
        )
    )
    is_alike = np.isin(known["set"], _annotated_alike(coded_sets, web_sets))
    annotated = np.where(is_alike[:, None], annotated, MISSING)
    seeds, rates = [seed, split["fold"]], {}
    if len(predictions):
        aus, noisy, scores = prediction_arrays(held_out, model.aus)
        frames = labels, predictions[trained], subjects
        rates["estimated"] = estimate_rates(
            (noisy, scores, held_out["subject"]), frames, aus, seeds
        )
    if (annotated != MISSING).any():
        rates["counted"] = count_rates(labels, annotated, subjects, model.aus, seeds)
    return rates


def tabulate_annotator_rates(folds: Mapping[int, EvaluatedFold]) -> pd.DataFrame:
    """The rates of all folds on disk, a row for each fold, AU and way to find them."""
    tables = [rates_table(fold.rates).assign(fold=number) for number, fold in folds.items()]
    table = pd.concat(tables, ignore_index=True)
    first = ["fold", "how"]
    return table[[*first, *table.columns.drop(first)]]


def _annotated_alike(
    coded_sets: Mapping[str, CodedSetSettings], web_sets: Mapping[str, WebSetSettings]
) -> list[str]:
    """The coded sets whose annotations are of the one program that labelled the web faces."""
    programs = {web.annotations.program for web in web_sets.values()}
    alone = all(web.second_annotations is None for web in web_sets.values())
    return [
        name
        for name, coded in coded_sets.items()
        if alone and programs == {coded.annotations.program}
    ]
