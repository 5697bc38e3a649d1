"""Nodes of fine-tuning: all of one fold."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from action_units.errors import ConfigurationError
from action_units.evaluation.thresholds import choose_thresholds
from action_units.faces.store import FaceStore
from action_units.facs.protocols import split_subjects as split_protocol
from action_units.models.trained import TrainedModel
from action_units.pipelines.recipes import choose_recipe
from action_units.training.inference import predict
from action_units.training.loop import train

Split = dict[str, Any]
Tuned = tuple[TrainedModel, dict[str, Any], pd.DataFrame]


def split_subjects(
    faces: FaceStore, protocol: str, finetune: Mapping[str, Any], seed: int, *, fold: int
) -> Split:
    """Say who trains, who validates and who tests in a fold.

    Args:
        faces: DISFA's faces.
        protocol: The fold protocol.
        finetune: The parameters of fine-tuning.
        seed: Of the draw of validation subjects.
        fold: The fold.

    Returns:
        Subjects of ``train``, ``validation`` and ``test``.
    """
    split = split_protocol(
        protocol, fold, set(faces.subjects.tolist()), finetune["validation_subjects"], seed
    )
    return {
        "protocol": protocol,
        "fold": fold,
        **{part: list(subjects) for part, subjects in asdict(split).items()},
    }


def finetune(
    faces: FaceStore,
    split: Split,
    pretrained: TrainedModel,
    checkpoints: Path,
    recipe: str,
    recipes: Mapping[str, Any],
    seed: int,
    device: str,
    restart: bool,
) -> Tuned:
    """Give the pre-trained network a new head and train all of it on expert codes.

    Args:
        faces: DISFA's faces.
        split: The fold's subjects.
        pretrained: The network to start from.
        checkpoints: Folder of the run's state.
        recipe: Its name.
        recipes: All recipes.
        seed: Of everything random.
        device: Where to train.
        restart: Throw an unfinished run away.

    Returns:
        The model of 12 AUs, its thresholds and its training curve; epoch and
        thresholds were chosen on the validation subjects.
    """
    return _train(
        faces, split, pretrained, checkpoints, recipe, recipes, seed, device, restart
    )


def train_from_scratch(
    faces: FaceStore,
    split: Split,
    checkpoints: Path,
    recipe: str,
    recipes: Mapping[str, Any],
    seed: int,
    device: str,
    restart: bool,
) -> Tuned:
    """Train the same network with the same budget, but from random weights.

    Arguments and result are ``finetune``'s.
    """
    return _train(faces, split, None, checkpoints, recipe, recipes, seed, device, restart)


def _train(
    faces: FaceStore,
    split: Split,
    pretrained: TrainedModel | None,
    checkpoints: Path,
    recipe: str,
    recipes: Mapping[str, Any],
    seed: int,
    device: str,
    restart: bool,
) -> Tuned:
    chosen = choose_recipe(recipe, recipes)
    if pretrained is not None and pretrained.spec != chosen.network:
        raise ConfigurationError(
            f"recipe {recipe!r} asks for another network than the pre-trained one has; "
            f"run `kedro run --pipeline pretrain --params recipe={recipe}` first."
        )
    # The test subjects' faces are not even at hand in here.
    known = faces.select(np.isin(faces.subjects, split["train"] + split["validation"]))
    validation = np.isin(known.subjects, split["validation"])
    what = "Training from scratch" if pretrained is None else "Fine-tuning"
    result = train(
        chosen.network,
        chosen.finetune,
        known.faces,
        known.labels,
        ~validation,
        validation,
        known.aus,
        seed=seed,
        initial=pretrained,
        checkpoint_folder=checkpoints,
        restart=restart,
        device=device,
        description=f"{what}, fold {split['fold']}",
        provenance={
            "stage": "from scratch" if pretrained is None else "finetune",
            "recipe": chosen.name,
            "protocol": split["protocol"],
            "fold": split["fold"],
            "subjects": {part: split[part] for part in ("train", "validation", "test")},
        },
    )
    probabilities = predict(result.model, known.faces[validation], device)
    thresholds = choose_thresholds(known.labels[validation], probabilities)
    return result.model, thresholds.to_json(known.aus), result.curve
