"""Probabilities that were computed before are read, not computed again."""

import logging
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from action_units.errors import ArtifactError
from action_units.files import atomic_artifact, verify
from action_units.fingerprint import of_values
from action_units.models.model_files import model_bytes
from action_units.models.trained import TrainedModel
from action_units.training.data import Faces

logger = logging.getLogger(__name__)

_FORMAT = 1
"""Changes where the same weights and faces begin to give other probabilities."""

_AT_ONCE = 4096


def made_from(model: TrainedModel, faces: Faces, asked: list[Any]) -> str:
    """What probabilities depend on, as one text.

    Args:
        model: Its weights and record count.
        faces: uint8 (N, S, S[, 3]); their pixels and order count.
        asked: How, as plain values.
    """
    pixels = sha256()
    for start in range(0, len(faces), _AT_ONCE):
        pixels.update(faces[start : start + _AT_ONCE].tobytes())
    weights = sha256(model_bytes(model)).hexdigest()
    return of_values(_FORMAT, weights, list(faces.shape), pixels.hexdigest(), asked)


def remembered(
    path: Path, made_from: str, compute: Callable[[], npt.NDArray[np.float32]]
) -> npt.NDArray[np.float32]:
    """Read probabilities, or compute and keep them where the file has others or none.

    Args:
        path: The file, an ``.npz``.
        made_from: What they depend on.
        compute: Gives them, (N, A).
    """
    known = _read(path, made_from)
    if known is not None:
        logger.info("%s faces had been predicted before", f"{len(known):,}")
        return known
    probabilities = compute()
    with atomic_artifact(path) as file:
        np.savez(file, made_from=np.str_(made_from), probabilities=probabilities)
    return probabilities


def _read(path: Path, made_from: str) -> npt.NDArray[np.float32] | None:
    try:
        with np.load(verify(path)) as saved:
            if str(saved["made_from"]) == made_from:
                probabilities: npt.NDArray[np.float32] = saved["probabilities"]
                return probabilities
    except (ArtifactError, OSError, ValueError, KeyError, BadZipFile):
        pass  # it is about to be made again
    return None
