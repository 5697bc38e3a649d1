"""Nodes of fine-tuning: all of one fold."""

import re
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from action_units.config import ChosenProtocols, FinetuneSettings, TrainingConfig
from action_units.errors import ConfigurationError
from action_units.evaluation.postprocessing.thresholds import choose_thresholds
from action_units.evaluation.predictions import check_no_duplicate_images
from action_units.faces.store import FaceStore
from action_units.hints import command
from action_units.labels.action_units import au_columns
from action_units.labels.coded_frames import MISSING
from action_units.labels.folds import split_subjects as split_protocol
from action_units.models.trained import TrainedModel
from action_units.pipelines.parameters import check_face_size
from action_units.pipelines.predictions import predictions_of

Split = dict[str, Any]
Tuned = tuple[TrainedModel, dict[str, Any], pd.DataFrame, pd.DataFrame]


def split_subjects(
    faces: FaceStore,
    protocols: ChosenProtocols,
    finetune: FinetuneSettings,
    seed: int,
    *,
    fold: int,
) -> Split:
    """Say who trains, who validates and who tests in a fold.

    Args:
        faces: Of the coded sets.
        protocols: Of the coded sets.
        finetune: The parameters of fine-tuning.
        seed: Of the draw of validation subjects.
        fold: The fold.

    Returns:
        Subjects of ``train``, ``validation`` and ``test``, how many folds the protocol has,
        and the hash of all faces and labels, which identifies the folds' data.

    Raises:
        ConfigurationError: The subjects do not fit the protocol, or a picture is on both sides
            under two subjects' names.
    """
    sets = faces.table["set"].to_numpy(np.str_) if "set" in faces.table else None
    protocol = protocols.resolve(faces.subjects, faces.labels, sets)
    split = split_protocol(
        protocol,
        fold,
        set(faces.subjects.tolist()),
        finetune.validation_subjects,
        seed,
    )
    who = {part: list(subjects) for part, subjects in asdict(split).items()}
    check_no_duplicate_images(
        faces.table, split.train + split.validation, split.test, faces.faces
    )
    data = sha256("".join(faces.table["sha256"]).encode() + faces.labels.tobytes())
    return {
        "protocol": protocol.name,
        "fold": fold,
        "n_folds": len(protocol.folds),
        **who,
        "data_sha256": data.hexdigest(),
    }


def finetune(
    faces: FaceStore,
    split: Split,
    pretrained: TrainedModel | None,
    checkpoints: Path,
    training: TrainingConfig,
) -> Tuned:
    """Give the pre-trained network a new head and train all of it on expert codes.

    Args:
        faces: Of the coded sets.
        split: The fold's subjects.
        pretrained: The network to start from; None, without pre-training, starts from random
            weights.
        checkpoints: Folder of the states of all folds' networks.
        training: The recipe, the seed and the machine.

    Returns:
        The model of the coded AUs, its thresholds, its training curve, and its predictions of
        the validation subjects, on whom epoch and thresholds were chosen.

    Raises:
        ConfigurationError: The faces were packed with another ``face_size``, or the
            pre-trained network is another than the recipe's.
    """
    return _train(faces, split, pretrained, checkpoints, training, "finetuned")


def train_from_scratch(
    faces: FaceStore, split: Split, checkpoints: Path, training: TrainingConfig
) -> Tuned:
    """Train the same network with the same budget, but from random weights.

    Arguments and result are ``finetune``'s.
    """
    return _train(faces, split, None, checkpoints, training, "scratch")


def _train(
    faces: FaceStore,
    split: Split,
    pretrained: TrainedModel | None,
    checkpoints: Path,
    training: TrainingConfig,
    network: str,
) -> Tuned:
    from action_units.training.data import intensities_of
    from action_units.training.inference import predict
    from action_units.training.job import TrainingJob
    from action_units.training.train import train

    check_face_size(faces.faces.shape[1], training)
    if pretrained is not None and pretrained.spec != training.recipe.network:
        name = re.sub(r"[^A-Za-z0-9.-]+", "-", training.name)
        own_run = command("pretrain,finetune", recipe=training.name, run=name)
        raise ConfigurationError(
            f"recipe {training.name!r} needs another network than the pre-trained "
            f"one; train both in a run of its own, such as {own_run}."
        )
    # Test subjects are excluded here.
    known = faces.select(np.isin(faces.subjects, split["train"] + split["validation"]))
    validation = np.isin(known.subjects, split["validation"])
    not_scored = _not_scored(known, ~validation)
    what = "Training from scratch" if pretrained is None else "Fine-tuning"
    state = checkpoints / f"fold{split['fold']}_{network}"
    job = TrainingJob(
        training.recipe.network,
        training.recipe.from_scratch if pretrained is None else training.recipe.finetune,
        known.faces,
        known.labels,
        ~validation,
        validation,
        known.aus,
        seed=training.seed,
        machine=training.machine,
        images=known.table["image"],
        subjects=known.subjects,
        sets=known.table.get("set"),
        intensities=intensities_of(known.table, known.aus),
        initial=pretrained,
        checkpoint_folder=state,
        description=f"{what}, fold {split['fold']}",
        provenance={
            "stage": "scratch" if pretrained is None else "finetune",
            "recipe": training.name,
            "flip_average": training.recipe.flip_average,
            "faces": faces.notes.get("faces"),
            "protocol": split["protocol"],
            "fold": split["fold"],
            "subjects": {part: split[part] for part in ("train", "validation", "test")},
            **({"not_scored": not_scored} if not_scored else {}),
            **_annotators(pretrained),
        },
    )
    result = train(job, restart=training.restart)
    probabilities = predict(
        result.model,
        known.faces[validation],
        training.machine.device,
        flip=training.recipe.flip_average,
    )
    predictions = predictions_of(
        known.select(validation), known.aus, probabilities, not_scored.get("training", ())
    )
    thresholds = choose_thresholds(
        predictions[au_columns(known.aus)],
        probabilities,
        subjects=known.subjects[validation],
        seed=training.seed,
    )
    return result.model, thresholds.to_json(known.aus), result.curve, predictions


def _not_scored(faces: FaceStore, training: npt.NDArray[np.bool_]) -> dict[str, list[int]]:
    """The AUs without a label in ``training`` and, of the others, in ``validation``."""
    known = faces.labels != MISSING  # (N, A)
    learned, checked = known[training].any(axis=0), known[~training].any(axis=0)
    missing = {"training": ~learned, "validation": learned & ~checked}
    return {
        part: [au for au, absent in zip(faces.aus, columns, strict=True) if absent]
        for part, columns in missing.items()
        if columns.any()
    }


def _annotators(pretrained: TrainedModel | None) -> dict[str, list[str]]:
    """Who labelled the faces of pre-training, where that is not OpenFace alone."""
    known = {} if pretrained is None else pretrained.provenance
    return {"annotators": known["annotators"]} if "annotators" in known else {}
