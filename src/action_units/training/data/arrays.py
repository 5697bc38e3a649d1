"""Faces and labels on the device, and what they are called when a run is resumed."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from action_units.errors import ConfigurationError

BLOCK = 4096

Faces = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]


def check_faces(faces: Faces) -> None:
    """Refuse an array that does not hold faces.

    Raises:
        ConfigurationError: It is not uint8 (N, S, S).
    """
    if faces.dtype != np.uint8 or faces.ndim != 3 or faces.shape[1] != faces.shape[2]:
        raise ConfigurationError(
            f"faces are {faces.dtype} {faces.shape}; they must be uint8 (N, S, S), as a face "
            "store holds them."
        )


def upload(faces: Faces, rows: Rows, size: int, device: torch.device) -> Tensor:
    """Put faces on the device, once, resized where the network wants another size.

    Args:
        faces: uint8 (N, S, S), memory-mapped or not.
        rows: int64 (M,), which.
        size: The side the network takes.
        device: Where to.

    Returns:
        uint8 (M, size, size).
    """
    there = torch.empty(len(rows), size, size, dtype=torch.uint8, device=device)
    for start in range(0, len(rows), BLOCK):
        block = torch.from_numpy(np.ascontiguousarray(faces[rows[start : start + BLOCK]]))
        there[start : start + BLOCK] = resized(block.to(device), size)
    return there


def resized(faces: Tensor, size: int) -> Tensor:
    """Resample uint8 (B, S, S) to (B, size, size), bilinearly and antialiased."""
    if faces.shape[-1] == size:
        return faces
    pixels = functional.interpolate(
        faces[:, None].float(), (size, size), mode="bilinear", antialias=True
    )
    return pixels[:, 0].round().clamp(0, 255).to(torch.uint8)


@dataclass(frozen=True)
class TrainingData:
    """Checked faces, labels and rows, on the host.

    Attributes:
        faces: uint8 (N, S, S).
        targets: float32 (N, A) in [0, 1]; -1 where missing.
        train_rows: int64, the faces to learn from.
        validation_rows: int64, the faces that choose the best epoch; may be empty.
        aus: The AU of each column.
        soft: float32 (N, A), what is learned in place of the labels, where the recipe asks
            for that; scores always go by the labels.
        subjects: (N,), the subject of each face, where the recipe asks for it.
        images: (N,), what each face is called where something is wrong with it.
    """

    faces: Faces
    targets: npt.NDArray[np.float32]
    train_rows: Rows
    validation_rows: Rows
    aus: tuple[int, ...]
    soft: npt.NDArray[np.float32] | None = None
    subjects: npt.NDArray[np.generic] | None = None
    images: npt.NDArray[np.generic] | None = None

    def name(self, row: int) -> str:
        """What a face is called: its image, or its row number where that is not known."""
        return f"row {row}" if self.images is None else str(self.images[row])

    @property
    def learned(self) -> npt.NDArray[np.float32]:
        """float32 (M, A), the targets of the faces to learn from."""
        targets = self.targets if self.soft is None else self.soft
        return targets[self.train_rows]

    def sha256(self) -> str:
        """The SHA-256 of all that a training sees: rows, their labels and their pixels."""
        digest = hashlib.sha256()
        for rows in (self.train_rows, self.validation_rows):
            digest.update(f"{len(rows)} {self.faces.shape[1]} {len(self.aus)}\n".encode())
            digest.update(rows.tobytes())
            digest.update(self.targets[rows].tobytes())
            for start in range(0, len(rows), BLOCK):
                digest.update(
                    np.ascontiguousarray(self.faces[rows[start : start + BLOCK]]).data
                )
        if self.soft is not None:
            digest.update(self.learned.tobytes())
        if self.subjects is not None:
            groups = np.unique(self.subjects[self.train_rows], return_inverse=True)[1]
            digest.update(groups.astype(np.int64).tobytes())
        return digest.hexdigest()


def checked_data(
    faces: Faces,
    labels: npt.ArrayLike,
    train_rows: npt.ArrayLike,
    validation_rows: npt.ArrayLike,
    aus: Sequence[int],
    images: npt.ArrayLike | None = None,
) -> TrainingData:
    """Bring a training's data into one form.

    Args:
        faces: uint8 (N, S, S).
        labels: (N, A) in [0, 1]; negative or NaN where missing.
        train_rows: Row numbers, or a mask of N.
        validation_rows: Likewise.
        aus: The AU of each label column.
        images: (N,), what each face is called; their row numbers without.

    Raises:
        ConfigurationError: They do not fit together.
    """
    check_faces(faces)
    targets = np.nan_to_num(np.asarray(labels, np.float32), nan=-1.0)
    if targets.shape != (len(faces), len(aus)):
        raise ConfigurationError(
            f"labels are {targets.shape}; {len(faces)} faces and {len(aus)} AUs need "
            f"({len(faces)}, {len(aus)})."
        )
    if targets.size and targets.max() > 1:
        raise ConfigurationError(
            f"labels go up to {targets.max():g}; they must be 0 or 1 (or between), negative "
            "where missing. Intensities are binarised first."
        )
    rows = checked_rows(train_rows, len(faces), "train_rows")
    held_out = checked_rows(validation_rows, len(faces), "validation_rows")
    if not len(rows):
        raise ConfigurationError("train_rows is empty; there is nothing to learn from.")
    common = np.intersect1d(rows, held_out)
    if common.size:
        raise ConfigurationError(
            f"train_rows and validation_rows have {common.size} faces in common, "
            f"such as row {common[0]}."
        )
    names = None if images is None else np.asarray(images)
    if names is not None and names.shape != (len(faces),):
        raise ConfigurationError(f"images are {names.shape}; {len(faces)} faces need one each.")
    targets[targets < 0] = -1.0
    numbers = tuple(int(au) for au in aus)
    return TrainingData(faces, targets, rows, held_out, numbers, images=names)


def checked_rows(rows: npt.ArrayLike, n: int, name: str) -> Rows:
    """Row numbers as an array.

    Args:
        rows: Row numbers, or a mask of ``n``.
        n: How many faces there are.
        name: What the rows are for.

    Raises:
        ConfigurationError: A number is out of range or stands twice.
    """
    array = np.asarray(rows)
    if array.dtype == np.bool_:
        if array.shape != (n,):
            raise ConfigurationError(f"{name}: a mask of {array.shape} for {n} faces.")
        array = np.flatnonzero(array)
    array = array.astype(np.int64)
    if array.size and (array.min() < 0 or array.max() >= n):
        raise ConfigurationError(
            f"{name} holds row {array.min()} to {array.max()}; there are {n} faces."
        )
    if len(np.unique(array)) != len(array):
        raise ConfigurationError(f"{name} names a row twice.")
    return array
