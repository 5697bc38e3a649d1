"""Node of pre-training."""

from pathlib import Path

import pandas as pd

from action_units.config import TrainingConfig
from action_units.faces.store import FaceStore
from action_units.models.trained import TrainedModel
from action_units.pipelines.parameters import check_face_size


def pretrain(
    faces: FaceStore, checkpoints: Path, training: TrainingConfig
) -> tuple[TrainedModel, pd.DataFrame, pd.DataFrame]:
    """Train on the web set's labels; identities held out of it choose the best epoch.

    Args:
        faces: Of the web sets, with a column ``split``.
        checkpoints: Folder of the states of this training.
        training: The recipe, the seed and the machine.

    Returns:
        The model of the AUs that the faces are labelled with, its training curve, and who it
        was trained with: ``identity, split, photographs``.

    Raises:
        ConfigurationError: The faces were packed with another ``face_size``.
    """
    from action_units.training.data import intensities_of, probabilities_of
    from action_units.training.job import TrainingJob
    from action_units.training.train import train

    check_face_size(faces.faces.shape[1], training)
    held_out = (faces.table["split"] == "test").to_numpy()
    job = TrainingJob(
        training.recipe.network,
        training.recipe.pretrain,
        faces.faces,
        faces.labels,
        ~held_out,
        held_out,
        faces.aus,
        seed=training.seed,
        machine=training.machine,
        images=faces.table["image"],
        subjects=faces.subjects,
        sets=faces.table.get("set"),
        intensities=intensities_of(faces.table, faces.aus),
        probabilities=probabilities_of(faces.table, faces.aus),
        checkpoint_folder=checkpoints,
        description="Pre-training",
        provenance={
            "stage": "pretrain",
            "recipe": training.name,
            "faces": faces.notes.get("faces"),
            **annotators_of(faces.table),
        },
    )
    result = train(job, restart=training.restart)
    people = faces.table.groupby(["subject", "split"], as_index=False).size()
    people.columns = pd.Index(["identity", "split", "photographs"])
    return result.model, result.curve, people


def annotators_of(table: pd.DataFrame) -> dict[str, list[str]]:
    """Who labelled the faces, as ``annotators``; nothing where that is OpenFace alone."""
    if "annotator" not in table:
        return {}
    return {"annotators": sorted(table["annotator"].fillna("OpenFace").unique().tolist())}
