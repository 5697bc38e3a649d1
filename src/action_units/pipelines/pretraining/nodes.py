"""Node of pre-training."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from action_units.faces.store import FaceStore
from action_units.models.trained import TrainedModel
from action_units.pipelines.recipes import choose_recipe
from action_units.training.loop import train


def pretrain(
    faces: FaceStore,
    recipe: str,
    recipes: Mapping[str, Any],
    seed: int,
    device: str,
    restart: bool,
    checkpoints: Path,
) -> tuple[TrainedModel, pd.DataFrame]:
    """Train on the web set's labels; identities held out of it choose the best epoch.

    Args:
        faces: The web set, with a column ``split``.
        recipe: Its name.
        recipes: All recipes.
        seed: Of everything random.
        device: Where to train.
        restart: Throw an unfinished run away.
        checkpoints: Folder of the run's state.

    Returns:
        The model of 18 AUs and its training curve.
    """
    chosen = choose_recipe(recipe, recipes)
    held_out = (faces.table["split"] == "test").to_numpy()
    result = train(
        chosen.network,
        chosen.pretrain,
        faces.faces,
        faces.labels,
        ~held_out,
        held_out,
        faces.aus,
        seed=seed,
        checkpoint_folder=checkpoints,
        restart=restart,
        device=device,
        description="Pre-training",
        provenance={"stage": "pretrain", "recipe": chosen.name},
    )
    return result.model, result.curve
