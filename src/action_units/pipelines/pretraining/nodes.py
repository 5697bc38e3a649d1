"""Node of pre-training."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from action_units.faces.store import FaceStore
from action_units.models.trained import TrainedModel
from action_units.pipelines.settings import TrainingSettings


def pretrain(
    faces: FaceStore, checkpoints: Path, parameters: Mapping[str, Any]
) -> tuple[TrainedModel, pd.DataFrame, pd.DataFrame]:
    """Train on the web set's labels; identities held out of it choose the best epoch.

    Args:
        faces: The web set, with a column ``split``.
        checkpoints: Folder of the run's state.
        parameters: All parameters of the run.

    Returns:
        The model of 18 AUs, its training curve, and who it was trained with:
        ``identity, split, photographs``.
    """
    from action_units.training.data import intensities_of
    from action_units.training.job import TrainingJob
    from action_units.training.train import train

    settings = TrainingSettings.read(parameters)
    held_out = (faces.table["split"] == "test").to_numpy()
    job = TrainingJob(
        settings.recipe.network,
        settings.recipe.pretrain,
        faces.faces,
        faces.labels,
        ~held_out,
        held_out,
        faces.aus,
        seed=settings.seed,
        machine=settings.machine,
        images=faces.table["image"],
        subjects=faces.subjects,
        intensities=intensities_of(faces.table, faces.aus),
        checkpoint_folder=checkpoints,
        description="Pre-training",
        provenance={
            "stage": "pretrain",
            "recipe": settings.name,
            "faces": faces.notes.get("faces"),
        },
    )
    result = train(job, restart=settings.restart)
    people = faces.table.groupby(["subject", "split"], as_index=False).size()
    people.columns = pd.Index(["identity", "split", "photographs"])
    return result.model, result.curve, people
