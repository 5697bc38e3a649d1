"""Features of coded faces as a store, for models that look at more than one frame.

Features are what the head of a network is given; the head is linear, so features times its
weights are the network's logits. On disk a store is a folder of three files:

* ``features.npy``: float16 (N, F);
* ``table.parquet``: a row for each of these, in the order of subjects, recordings and frames;
* ``store.json``: the SHA-256 of both, and what they were made of; written last.

While a store is replaced it has no table, so nobody reads rows of another array.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from action_units.errors import ArtifactError, ConfigurationError
from action_units.faces.store import INDEX_NAME, FaceStore, check_members
from action_units.files import (
    atomic_artifact,
    atomic_write,
    make_folder,
    manifest_of,
    reading,
    sha256_of,
    verify,
)
from action_units.fingerprint import of_values
from action_units.labels.action_units import au_columns
from action_units.models.trained import TrainedModel

FEATURES_NAME, TABLE_NAME = "features.npy", "table.parquet"

PARTS = ("train", "validation", "test")
"""What a fold does with a subject, as its column ``part`` has it."""

_FORMAT = 1
_KEYS = ("subject", "set", "recording", "frame", "image")


@dataclass(frozen=True, eq=False)
class FeatureStore:
    """Features of faces by one network, and a table of the faces.

    Attributes:
        features: float16 (N, F); a read-only memory map where the store was opened.
        table: A row a face: ``subject``, ``image``, as the data has them ``set``,
            ``recording`` and ``frame``, the labels ``AU01`` … and intensities ``AU01_r`` …;
            ``fold``, the network's, and ``part``, one of `PARTS`.
        notes: Plain values: ``aus`` of the network, the SHA-256 of its ``weights``, and
            ``made_from``, by which a store is recognised.
    """

    features: npt.NDArray[np.float16]
    table: pd.DataFrame
    notes: Mapping[str, Any] = field(default_factory=dict)

    def save(self, folder: Path | str) -> None:
        """Write the store; one that was opened from the folder is there already.

        Raises:
            ArtifactError: The disk refused; there may be no store then.
        """
        folder = Path(folder)
        source = getattr(self.features, "filename", None)
        if source is not None and Path(source).parent == folder.resolve():
            return
        make_folder(folder)
        for name in (INDEX_NAME, TABLE_NAME):
            (folder / name).unlink(missing_ok=True)
        manifest_of(folder / INDEX_NAME).unlink(missing_ok=True)
        with atomic_write(folder / FEATURES_NAME) as file:
            np.save(file, self.features, allow_pickle=False)
        with atomic_write(folder / TABLE_NAME) as file:
            self.table.to_parquet(file, index=False)
        members = {name: sha256_of(folder / name) for name in (FEATURES_NAME, TABLE_NAME)}
        index = {"format": _FORMAT, "sha256": members, "notes": dict(self.notes)}
        with atomic_artifact(folder / INDEX_NAME) as file:
            file.write((json.dumps(index, indent=1) + "\n").encode())

    @classmethod
    def open(cls, folder: Path | str, made_by: str = "") -> Self:
        """Open a saved store; its features stay on disk and are mapped into memory.

        Args:
            folder: The store's folder.
            made_by: What makes it (``hints.command``).

        Raises:
            ArtifactError: The store is missing, or a file of it is not what was saved.
        """
        folder = Path(folder)
        path = verify(folder / INDEX_NAME, made_by)
        with reading(path, made_by):
            index = json.loads(path.read_text())
            if index["format"] != _FORMAT:
                raise ArtifactError(
                    f"{path} is a feature store of format {index['format']}, and this version "
                    f"reads format {_FORMAT}; make the store again."
                )
            check_members(folder, index["sha256"], made_by)
            features = np.load(
                (folder / FEATURES_NAME).resolve(), mmap_mode="r", allow_pickle=False
            )
            return cls(features, pd.read_parquet(folder / TABLE_NAME), index["notes"])


def extract_features(
    model: TrainedModel,
    faces: FaceStore,
    split: Mapping[str, Any],
    device: str,
    existing: Path | None = None,
) -> FeatureStore:
    """Features of all coded faces by the network of one fold.

    Where its predictions average each face and its horizontal flip, so do the features.

    Args:
        model: The fold's fine-tuned network.
        faces: Of the coded sets.
        split: The fold's number and subjects.
        device: Where to compute.
        existing: Folder of a store, which is opened and returned where it is whole and was
            made of the same weights, faces and subjects.

    Raises:
        ConfigurationError: A feature is beyond the range of float16, or the network was trained
            on faces that were made otherwise.
    """
    from action_units.models.model_files import model_bytes
    from action_units.training.same_faces import check_same_faces

    check_same_faces(model, faces)
    weights = sha256(model_bytes(model)).hexdigest()
    part_of = {who: part for part in PARTS for who in split[part]}
    rows = pd.util.hash_pandas_object(faces.table, index=False).to_numpy()
    made_from = of_values(
        [_FORMAT, weights, split["fold"], part_of], sha256(rows.tobytes()).hexdigest()
    )
    if existing is not None and (store := _same_store(existing, made_from)) is not None:
        return store
    keys = [name for name in _KEYS if name in faces.table]
    labels = [name for au in au_columns(faces.aus) for name in (au, f"{au}_r")]
    columns = [*keys, *(name for name in labels if name in faces.table)]
    table = faces.table[columns].sort_values(keys, kind="stable")
    table.insert(len(keys), "fold", int(split["fold"]))
    table.insert(len(keys) + 1, "part", table["subject"].map(part_of).fillna(""))
    features = _features(model, faces, table.index.to_numpy(), device)
    notes = {"aus": list(model.aus), "weights": weights, "made_from": made_from}
    return FeatureStore(features, table.reset_index(drop=True), notes)


def _features(
    model: TrainedModel, faces: FaceStore, order: npt.NDArray[np.intp], device: str
) -> npt.NDArray[np.float16]:
    """Features of the faces in an order, (N, F)."""
    from action_units.training.inference import Predictor

    flip = bool(model.provenance.get("flip_average", False))
    predictor = Predictor(model, device, flip=flip)
    features = np.empty((len(order), model.network.backbone.n_features), np.float16)
    for part, exact in predictor.in_parts(
        lambda part: predictor.features(faces.faces[order[part]]), len(order), "Features"
    ):
        highest = float(np.abs(exact).max())
        if not highest <= float(np.finfo(np.float16).max):
            raise ConfigurationError(
                f"a feature is {highest:g}, and float16 holds 65,504 at most; train the "
                "network with weight decay or normalisation layers."
            )
        features[part] = exact
    return features


def _same_store(folder: Path, made_from: str) -> FeatureStore | None:
    """The store in a folder, if it was made from the same and is whole."""
    try:
        store = FeatureStore.open(folder)
    except ArtifactError:
        return None  # it is about to be made again
    return store if store.notes.get("made_from") == made_from else None
