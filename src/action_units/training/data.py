"""Faces and labels of a training: checked, and put on the device."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from scipy.stats import rankdata
from torch import Tensor
from torch.nn import functional

from action_units.config import SoftTargets
from action_units.errors import ConfigurationError
from action_units.labels.action_units import au_column
from action_units.labels.coded_frames import MISSING

LUMA = (299, 587, 114)
"""Thousandths of red, green and blue in a grey value (ITU-R BT.601)."""

READ = 4096
"""Faces that are hashed or uploaded at once."""

Faces = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

_NO_VALUES = (
    "soft_targets needs the columns AU01_r … (intensities) or AU01_p … (probabilities): a "
    "coded set has them where its codes are intensities, a web set where its crops were cut "
    "from raw photographs; set soft_targets.curve to none"
)


@dataclass(frozen=True)
class TrainingData:
    """Checked faces, labels and rows, on the host.

    Attributes:
        faces: uint8 (N, S, S), or in colour (N, S, S, 3).
        targets: float32 (N, A) in [0, 1]; -1 where missing.
        train_rows: int64, the faces to learn from.
        validation_rows: int64, the faces that choose the best epoch; may be empty.
        aus: The AU of each column.
        soft: float32 (N, A), learned in place of the labels, where the recipe has soft
            targets; scores always go by the labels.
        ranks: float32 (M, A) in [0, 1], of the values of the faces to learn from, -1 where
            missing; where the recipe learns intensities.
        groups: (N,), the subject or set of each face, where the recipe balances them.
        images: (N,), the name of each face in error messages.
    """

    faces: Faces
    targets: Floats
    train_rows: Rows
    validation_rows: Rows
    aus: tuple[int, ...]
    soft: Floats | None = None
    ranks: Floats | None = None
    groups: npt.NDArray[np.generic] | None = None
    images: npt.NDArray[np.generic] | None = None

    def name(self, row: int) -> str:
        """The image of a face, or its row number without images."""
        return f"row {row}" if self.images is None else str(self.images[row])

    @property
    def learned(self) -> Floats:
        """float32 (M, A), the targets of the faces to learn from."""
        targets = self.targets if self.soft is None else self.soft
        return targets[self.train_rows]

    @property
    def not_scored(self) -> dict[str, list[int]]:
        """The AUs of which no face in ``train`` or ``validation`` has a label."""
        rows = {"train": self.train_rows, "validation": self.validation_rows}
        missing = {
            part: np.flatnonzero((self.targets[chosen] < 0).all(axis=0))
            for part, chosen in rows.items()
            if len(chosen)
        }
        return {
            part: [self.aus[column] for column in columns]
            for part, columns in missing.items()
            if len(columns)
        }

    def sha256(self) -> str:
        """The SHA-256 of all that a training sees: rows, their labels and their pixels."""
        digest = hashlib.sha256()
        for rows in (self.train_rows, self.validation_rows):
            digest.update(f"{len(rows)} {self.faces.shape[1]} {len(self.aus)}\n".encode())
            digest.update(rows.tobytes())
            digest.update(self.targets[rows].tobytes())
            for start in range(0, len(rows), READ):
                digest.update(np.ascontiguousarray(self.faces[rows[start : start + READ]]).data)
        if self.soft is not None:
            digest.update(self.learned.tobytes())
        if self.ranks is not None:
            digest.update(self.ranks.tobytes())
        if self.groups is not None:
            groups = np.unique(self.groups[self.train_rows], return_inverse=True)[1]
            digest.update(groups.astype(np.int64).tobytes())
        return digest.hexdigest()


def check_data(
    faces: Faces,
    labels: npt.ArrayLike,
    train_rows: npt.ArrayLike,
    validation_rows: npt.ArrayLike,
    aus: Sequence[int],
    images: npt.ArrayLike | None = None,
) -> TrainingData:
    """Check a training's faces and labels, given as in ``TrainingJob``.

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
    rows = _check_rows(train_rows, len(faces), "train_rows")
    held_out = _check_rows(validation_rows, len(faces), "validation_rows")
    if not len(rows):
        raise ConfigurationError("train_rows is empty; there is nothing to learn from.")
    common = np.intersect1d(rows, held_out)
    if common.size:
        raise ConfigurationError(
            f"train_rows and validation_rows have {common.size} faces in common, "
            f"such as row {common[0]}."
        )
    names = None if images is None else one_each(images, len(faces), "images")
    targets[targets < 0] = -1.0
    targets[:, (targets[rows] < 0).all(axis=0)] = -1.0  # never learned, so it chooses no epoch
    numbers = tuple(int(au) for au in aus)
    return TrainingData(faces, targets, rows, held_out, numbers, images=names)


def check_faces(faces: Faces) -> None:
    """Check that an array holds faces.

    Raises:
        ConfigurationError: It is not uint8 (N, S, S) or (N, S, S, 3).
    """
    square = faces.ndim in (3, 4) and faces.shape[1] == faces.shape[2]
    if faces.dtype != np.uint8 or not square or faces.shape[3:] not in ((), (3,)):
        raise ConfigurationError(
            f"faces are {faces.dtype} {faces.shape}; they must be uint8 (N, S, S), or in "
            "colour (N, S, S, 3), as a face store holds them."
        )


def one_each(values: npt.ArrayLike, n: int, name: str) -> npt.NDArray[np.generic]:
    """Values of ``n`` faces as an array (n,); ConfigurationError where they are not."""
    array = np.asarray(values)
    if array.shape != (n,):
        raise ConfigurationError(f"{name} are {array.shape}; {n} faces need one each.")
    return array


def _check_rows(rows: npt.ArrayLike, n: int, name: str) -> Rows:
    """Row numbers, or a mask of ``n`` faces, as int64 row numbers."""
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


def soften(
    options: SoftTargets,
    targets: Floats,
    intensities: npt.ArrayLike | None,
    probabilities: npt.ArrayLike | None = None,
) -> Floats:
    """The targets to learn from.

    Args:
        options: How an intensity becomes a target.
        targets: float32 (N, A), labels in [0, 1]; negative where missing.
        intensities: (N, A) from 0 to 5; NaN where missing.
        probabilities: (N, A) from 0 to 1, targets as they are; NaN where missing.

    Returns:
        float32 (N, A): a probability, else what its intensity becomes, else the label. A
        missing label stays missing.

    Raises:
        ConfigurationError: Both are missing, or they are not what they should be.
    """
    if options.curve == "none":
        return targets
    if intensities is None and probabilities is None:
        raise ConfigurationError(f"No intensities were given: {_NO_VALUES}.")
    values = _checked("intensities", intensities, targets, 5)
    soft = _checked("probabilities", probabilities, targets, 1)
    if np.isnan(values).all() and np.isnan(soft).all():
        raise ConfigurationError(f"All intensities are missing: {_NO_VALUES}.")
    if options.curve == "linear":
        curved = np.minimum(values / options.full, 1.0)
    else:
        curved = 1.0 / (1.0 + np.exp(-options.steepness * (values - options.centre)))
    soft = np.where(np.isnan(soft), curved, soft)
    return np.where(~np.isnan(soft) & (targets >= 0), soft, targets).astype(np.float32)


def ranks(
    targets: Floats, intensities: npt.ArrayLike | None, probabilities: npt.ArrayLike | None
) -> Floats | None:
    """The rank of each value among those of its AU.

    Ranks need no scale: programs differ in what an intensity of 1 means, and shrink rare AUs.

    Args:
        targets: float32 (N, A); negative where missing.
        intensities: (N, A) from 0 to 5; NaN where missing.
        probabilities: (N, A) from 0 to 1, in place of intensities; NaN where missing.

    Returns:
        float32 (N, A): the share of lower values, equal ones counting half; -1 where a face has
        no value or no label. None where no face has a value.

    Raises:
        ConfigurationError: The values are not what they should be.
    """
    soft = _checked("probabilities", probabilities, targets, 1)
    values = np.where(np.isnan(soft), _checked("intensities", intensities, targets, 5), soft)
    values = np.where(targets >= 0, values, np.nan)
    known = ~np.isnan(values)
    if not known.any():
        return None
    middle = rankdata(values, axis=0, nan_policy="omit") - 0.5
    shares = middle / np.maximum(known.sum(axis=0), 1)
    return np.where(known, shares, -1.0).astype(np.float32)


def _checked(
    name: str, given: npt.ArrayLike | None, targets: Floats, highest: int
) -> npt.NDArray[np.float64]:
    """Values (N, A), NaN where missing; ConfigurationError where they are out of range."""
    if given is None:
        return np.full(targets.shape, np.nan)
    values = np.asarray(given, np.float64)
    if values.shape != targets.shape:
        raise ConfigurationError(
            f"{name} are {values.shape} and labels {targets.shape}; they must be alike."
        )
    low, high = np.fmin.reduce(values, None), np.fmax.reduce(values, None)
    if low < 0 or high > highest:
        raise ConfigurationError(
            f"{name} go from {low:g} to {high:g}; they must lie in 0 to {highest}, NaN where "
            "missing."
        )
    return values


def intensities_of(table: pd.DataFrame, aus: Sequence[int]) -> Floats | None:
    """The intensities in the columns ``AU01_r`` … of a face store's table.

    Returns:
        float32 (N, A), NaN where an AU has no column or was not scored; None where no AU
        has one.
    """
    return _values_of(table, [f"{au_column(au)}_r" for au in aus])


def probabilities_of(table: pd.DataFrame, aus: Sequence[int]) -> Floats | None:
    """The probabilities in the columns ``AU01_p`` …, as ``intensities_of`` gives those."""
    return _values_of(table, [f"{au_column(au)}_p" for au in aus])


def _values_of(table: pd.DataFrame, columns: list[str]) -> Floats | None:
    if not any(column in table for column in columns):
        return None
    values = table.reindex(columns=columns).to_numpy(np.float32)
    return np.where(values == MISSING, np.nan, values)


def upload(
    faces: Faces, rows: Rows, size: int, device: torch.device, channels: int = 3
) -> Tensor:
    """Put the faces of some rows on the device, once, as ``resized`` gives them."""
    shape = input_shape(faces, size, channels)
    uploaded = torch.empty(len(rows), *shape, dtype=torch.uint8, device=device)
    for start in range(0, len(rows), READ):
        block = torch.from_numpy(np.ascontiguousarray(faces[rows[start : start + READ]]))
        uploaded[start : start + READ] = resized(block.to(device), size, channels)
    return uploaded


def input_shape(faces: Faces, size: int, channels: int) -> tuple[int, ...]:
    """The shape of a face as ``resized`` gives it: (size, size) or (size, size, 3)."""
    return (size, size, 3) if faces.ndim == 4 and channels == 3 else (size, size)


def resized(faces: Tensor, size: int, channels: int = 3) -> Tensor:
    """Resample faces, bilinearly and antialiased.

    Args:
        faces: uint8 (B, S, S), or in colour (B, S, S, 3).
        size: Their new side.
        channels: Of the network: for one of 1 channel, colours become grey first.

    Returns:
        uint8 (B, size, size), or in colour (B, size, size, 3).
    """
    if faces.ndim == 4 and channels == 1:
        faces = luma(faces)
    if faces.shape[1] == size:
        return faces
    pixels = functional.interpolate(
        planes(faces).float(), (size, size), mode="bilinear", antialias=True
    )
    pixels = pixels.round().clamp(0, 255).to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).contiguous() if faces.ndim == 4 else pixels[:, 0]


def planes(faces: Tensor) -> Tensor:
    """Faces (B, S, S) as (B, 1, S, S), or (B, S, S, 3) as (B, 3, S, S)."""
    return faces.permute(0, 3, 1, 2) if faces.ndim == 4 else faces[:, None]


def luma(faces: Tensor) -> Tensor:
    """Faces in colour, uint8 (B, S, S, 3), in grey, uint8 (B, S, S).

    The sums are whole numbers and a half, and a hair more than a half is added to round, so
    that every runtime gives the same pixels.
    """
    red, green, blue = (
        weight * plane
        for weight, plane in zip(LUMA, faces.to(torch.float32).unbind(-1), strict=True)
    )
    return ((red + green + blue + 500.5) / 1000.0).floor().to(torch.uint8)


class EpochFaces(Protocol):
    """The faces to learn from, in the order of an epoch."""

    def start_epoch(self, order: Tensor, first: int) -> None:
        """Begin an epoch: int64 (M,), positions of faces, and the first place to be read."""

    def __getitem__(self, places: slice) -> Tensor:
        """uint8 (b, S, S[, 3]) on the device: the faces at some places, never going back."""
        ...


class ResidentFaces:
    """The faces to learn from, uint8 (M, S, S[, 3]), all on the device."""

    def __init__(self, faces: Tensor) -> None:
        """Take them."""
        self._faces = faces

    def start_epoch(self, order: Tensor, first: int = 0) -> None:
        """Take the order of an epoch."""
        self._order = order

    def __getitem__(self, places: slice) -> Tensor:
        """The faces at some places."""
        # Copies whole faces, which indexing by a tensor does pixel by pixel.
        return self._faces.index_select(0, self._order[places])
