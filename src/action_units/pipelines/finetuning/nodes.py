"""Node of fine-tuning: the subjects of a fold; ``stages`` trains."""

from dataclasses import asdict
from hashlib import sha256

import numpy as np

from action_units.config import ChosenProtocols, FinetuneSettings
from action_units.evaluation.predictions import check_no_duplicate_images
from action_units.faces.store import FaceStore
from action_units.labels.folds import split_subjects as split_protocol
from action_units.stages import Split


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
