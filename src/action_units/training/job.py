"""A training as a value, and as a folder from which other processes read it.

A job's folder holds ``job.json`` (all plain values), the arrays as ``.npy`` and the pre-trained
model it starts from, if any. Faces that are mapped from a file, such as those of a face store,
are named and not copied, so each computer must see that file at the same path.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from action_units.config import MachineConfig, NetworkSpec, Recipe
from action_units.errors import ArtifactError, ConfigurationError
from action_units.files import atomic_write, write_text
from action_units.models.model_files import load_model, save_model
from action_units.models.trained import TrainedModel
from action_units.training.data import Faces

NAME = "job.json"
_SCHEMA = 3
_GROUPS = ("subjects", "sets")
_VALUES = ("intensities", "probabilities")
_ARRAYS = ("labels", "train_rows", "validation_rows", *_GROUPS, *_VALUES, "images")
_PLAIN = ("seed", "checkpoint_seconds", "description", "provenance", "replaces")
_INITIAL = "initial.safetensors"


@dataclass(frozen=True)
class TrainingJob:
    """What to train: the network, the recipe, and the faces and labels.

    Attributes:
        network_spec: The network.
        recipe: How to train it.
        faces: uint8 (N, S, S), or in colour (N, S, S, 3); in memory or mapped.
        labels: (N, A) in [0, 1]; negative or NaN where a label is missing.
        train_rows: Row numbers or a mask of the faces to learn from.
        validation_rows: Faces that choose the best epoch; without them, or without a label
            of theirs, the last epoch is used.
        aus: The AU of each label column.
        seed: Decides everything random.
        machine: Where and how to compute.
        subjects: (N,), the subject of each face; needed where the recipe balances subjects.
        sets: (N,), the set of each face; needed where the recipe balances sets.
        intensities: (N, A) from 0 to 5, NaN where missing; these or `probabilities` are
            needed if the recipe has soft targets.
        probabilities: (N, A) of presence, NaN where missing.
        images: (N,), the name of each face in error messages.
        initial: A pre-trained model; it gets a new head for ``aus`` and all its layers
            are trained.
        checkpoint_folder: Of this training alone; the state is not kept without.
        checkpoint_seconds: Save within an epoch when this long has passed since the last
            save; None saves only after each evaluated epoch. It does not change the result.
        description: Of this training, in log lines.
        provenance: Plain values that are kept with the model, such as fold and protocol. A
            checkpoint with others is not resumed.
        replaces: The SHA-256 of the checkpoint that a restarted training replaces.

    Raises:
        ConfigurationError: The seed is not a whole number from 0.
    """

    network_spec: NetworkSpec
    recipe: Recipe
    faces: Faces
    labels: npt.ArrayLike
    train_rows: npt.ArrayLike
    validation_rows: npt.ArrayLike
    aus: Sequence[int]
    _: KW_ONLY
    seed: int
    machine: MachineConfig = field(default_factory=MachineConfig)
    subjects: npt.ArrayLike | None = None
    sets: npt.ArrayLike | None = None
    intensities: npt.ArrayLike | None = None
    probabilities: npt.ArrayLike | None = None
    images: npt.ArrayLike | None = None
    initial: TrainedModel | None = None
    checkpoint_folder: Path | str | None = None
    checkpoint_seconds: float | None = 60.0
    description: str = "Training"
    provenance: Mapping[str, Any] = field(default_factory=dict)
    replaces: str | None = None

    def __post_init__(self) -> None:
        """Check the seed."""
        if type(self.seed) is not int or not 0 <= self.seed < 2**63:
            raise ConfigurationError(
                f"seed is {self.seed!r}; it must be a whole number from 0."
            )

    def write(self, folder: Path | str) -> Path:
        """Write it; ``job.json`` comes last, so a folder that has it is complete.

        Returns:
            The folder.

        Raises:
            ArtifactError: The disk refused.
        """
        folder = Path(folder).resolve()
        (folder / NAME).unlink(missing_ok=True)
        faces = _mapped_file(self.faces)
        if faces is None:
            faces = folder / "faces.npy"
            _save(faces, np.asarray(self.faces))
        names = [name for name in _ARRAYS if getattr(self, name) is not None]
        for name in names:
            array = np.asarray(getattr(self, name))
            _save(folder / f"{name}.npy", array.astype(str) if array.dtype == object else array)
        if self.initial is not None:
            save_model(self.initial, folder / _INITIAL)
        checkpoints = self.checkpoint_folder and str(Path(self.checkpoint_folder).resolve())
        content = {
            "schema": _SCHEMA,
            "network": self.network_spec.to_json(),
            "recipe": self.recipe.to_json(),
            "machine": self.machine.to_json(),
            "faces": str(faces),
            "arrays": names,
            "aus": [int(au) for au in self.aus],
            "initial": self.initial is not None,
            "checkpoint_folder": None
            if checkpoints is None
            else str(Path(checkpoints).resolve()),
            **{name: getattr(self, name) for name in _PLAIN},
        }
        write_text(folder / NAME, json.dumps(content, indent=1) + "\n")
        return folder

    @classmethod
    def read(cls, folder: Path | str) -> "TrainingJob":
        """Read what ``write`` wrote.

        Raises:
            ArtifactError: It is missing, incomplete, or of another version.
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
                "job again, in a folder that every computer sees at the same path."
            ) from error
        return cls(
            network_spec=NetworkSpec.read(content["network"]),
            recipe=Recipe.read(content["recipe"]),
            machine=MachineConfig.read(content["machine"]),
            faces=faces,
            aus=content["aus"],
            initial=load_model(folder / _INITIAL) if content["initial"] else None,
            checkpoint_folder=content["checkpoint_folder"],
            **arrays,
            **{name: content[name] for name in _PLAIN},
        )


def _save(path: Path, array: npt.NDArray[Any]) -> None:
    with atomic_write(path) as file:
        np.save(file, array, allow_pickle=False)


def _mapped_file(faces: Faces) -> Path | None:
    """The .npy file of which an array is the whole map, if there is one."""
    name = getattr(faces, "filename", None)
    if name is None or not faces.flags.c_contiguous or not Path(name).is_file():
        return None
    try:
        whole = np.load(name, mmap_mode="r", allow_pickle=False)
    except ValueError:
        return None
    return Path(name).resolve() if whole.shape == faces.shape else None
