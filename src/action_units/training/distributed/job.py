"""A training as a value, and as a folder that other processes read it from.

A job's folder holds ``job.json`` (all plain values), the arrays beside it as ``.npy`` and
the pre-trained model it starts from, if any. Faces that are mapped from a file, as those of
a face store, are named and not copied, so each computer must see that file at its place.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from action_units.config import NetworkSpec, Recipe
from action_units.errors import ArtifactError
from action_units.files import atomic_write, write_text
from action_units.models.model_files import load_model, save_model
from action_units.models.trained import TrainedModel
from action_units.training.data.arrays import Faces

NAME = "job.json"
_SCHEMA = 2
_ARRAYS = ("labels", "train_rows", "validation_rows", "subjects", "intensities", "images")
_PLAIN = (
    "aus", "seed", "checkpoint_seconds", "device", "precision", "threads", "compilation",
    "micro_batch", "faces_in_memory", "tensorboard", "description", "provenance", "replaces",
)  # fmt: skip
_INITIAL = "initial.safetensors"


@dataclass(frozen=True)
class Job:
    """What ``train`` is asked for, under the names it has there.

    In place of ``restart`` stands `replaces`, the SHA-256 of the checkpoint that the training
    takes the place of.
    """

    network_spec: NetworkSpec
    recipe: Recipe
    faces: Faces
    labels: npt.ArrayLike
    train_rows: npt.ArrayLike
    validation_rows: npt.ArrayLike
    aus: Sequence[int]
    seed: int
    subjects: npt.ArrayLike | None = None
    intensities: npt.ArrayLike | None = None
    images: npt.ArrayLike | None = None
    initial: TrainedModel | None = None
    checkpoint_folder: Path | str | None = None
    checkpoint_seconds: float | None = None
    device: str = "auto"
    precision: str = "auto"
    threads: int | None = None
    compilation: str = "none"
    micro_batch: Any = None
    faces_in_memory: Any = "auto"
    tensorboard: bool = False
    description: str = "Training"
    provenance: Mapping[str, Any] = field(default_factory=dict)
    replaces: str | None = None

    def write(self, folder: Path | str) -> Path:
        """Write it; ``job.json`` comes last, so a folder that has it is complete.

        Returns:
            The folder.

        Raises:
            ArtifactError: The disk refused.
        """
        folder = Path(folder).resolve()
        (folder / NAME).unlink(missing_ok=True)
        faces = _mapped_from(self.faces)
        if faces is None:
            faces = folder / "faces.npy"
            _save(faces, np.asarray(self.faces))
        there = [name for name in _ARRAYS if getattr(self, name) is not None]
        for name in there:
            array = np.asarray(getattr(self, name))
            _save(folder / f"{name}.npy", array.astype(str) if array.dtype == object else array)
        if self.initial is not None:
            save_model(self.initial, folder / _INITIAL)
        kept = self.checkpoint_folder
        content = {
            "schema": _SCHEMA,
            "network": self.network_spec.to_json(),
            "recipe": self.recipe.to_json(),
            "faces": str(faces),
            "arrays": there,
            "initial": self.initial is not None,
            "checkpoint_folder": None if kept is None else str(Path(kept).resolve()),
            **{name: getattr(self, name) for name in _PLAIN},
        }
        content["aus"] = [int(au) for au in self.aus]
        write_text(folder / NAME, json.dumps(content, indent=1) + "\n")
        return folder

    @classmethod
    def read(cls, folder: Path | str) -> "Job":
        """Read what ``write`` wrote.

        Raises:
            ArtifactError: It is not there, not whole, or of another version.
        """
        folder = Path(folder)
        try:
            content = json.loads((folder / NAME).read_text())
            if content["schema"] != _SCHEMA:
                raise ValueError(f"schema {content['schema']}, this version reads {_SCHEMA}")
            arrays = {
                name: np.load(folder / f"{name}.npy", allow_pickle=False)
                for name in content["arrays"]
            }
            faces = np.load(content["faces"], mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, KeyError) as error:
            raise ArtifactError(
                f"{folder} holds no training that this version can read ({error}); write the "
                "job again, in a folder that every computer sees at the same place."
            ) from error
        return cls(
            network_spec=NetworkSpec.read(content["network"]),
            recipe=Recipe.read(content["recipe"]),
            faces=faces,
            initial=load_model(folder / _INITIAL) if content["initial"] else None,
            checkpoint_folder=content["checkpoint_folder"],
            **arrays,
            **{name: content[name] for name in _PLAIN},
        )


def _save(path: Path, array: npt.NDArray[Any]) -> None:
    with atomic_write(path) as file:
        np.save(file, array, allow_pickle=False)


def _mapped_from(faces: Faces) -> Path | None:
    """The .npy file that an array is a map of, if it is one of the whole file."""
    name = getattr(faces, "filename", None)
    if name is None or not faces.flags.c_contiguous or not Path(name).is_file():
        return None
    try:
        whole = np.load(name, mmap_mode="r", allow_pickle=False)
    except ValueError:
        return None
    return Path(name).resolve() if whole.shape == faces.shape else None
