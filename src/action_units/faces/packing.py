"""Packing a folder of crops and its label table into a face store."""

import hashlib
import os
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from action_units import fingerprint
from action_units.errors import ArtifactError, LabelError, UnusableFace
from action_units.faces.crop import pad_to_square, resize_square
from action_units.faces.quarantine import Quarantine
from action_units.faces.store import INDEX_NAME, Faces, FaceStore
from action_units.files import advice, reserve
from action_units.labels.action_units import aus_of_columns
from action_units.labels.tables import parse_rectsize
from action_units.media.images import Pixels, decode, read_content, to_rgb
from action_units.media.paths import AnyPath, any_path, fingerprints_in, printable
from action_units.progress import Progress

_IN_MEMORY = 256 << 20
_BATCH = 512
_PER_TASK = 32  # crops that a thread reads in one task: a task for each would cost as much
_FORMAT = 2  # raised whenever the same crops would be packed differently


def pack_crops(
    folder: AnyPath | str,
    table: pd.DataFrame,
    size: int,
    workers: int | None = None,
    existing: Path | str | None = None,
    provenance: Mapping[str, Any] | None = None,
    colour: bool = False,
) -> tuple[FaceStore, Quarantine]:
    """Read the crops that a table names and make them one array.

    A ``rectsize`` that begins at 0,0 is the size of the crop when it was made, and
    the whole crop is taken; any other is cut out first. What is not square is
    padded with zeros to a square.

    Args:
        folder: Where the crops are; a path, or a URL that fsspec serves.
        table: With ``image``, ``subject`` and label columns, and optionally ``rectsize``; its
            other columns are kept.
        size: Side of the packed faces, in pixels.
        workers: Threads; None takes one a processor, at most 8.
        existing: Folder of a store; it is opened, and no crop is read, if it was packed from
            the same table and settings and from crops of the same sizes and times.
        provenance: How the crops were made, where that is known; kept in the store's notes
            under ``faces``, together with `size`.
        colour: Keep the crops' colours; the grey of a gray crop is repeated.

    Returns:
        The usable crops in the table's order, with their ``sha256``; and the unusable ones,
        whose rows are not in the store.

    Raises:
        LabelError: An image's name leads out of the folder, or not one is usable.
        ArtifactError: The disk has no room for a temporary file.
    """
    folder = any_path(folder)
    table = table.reset_index(drop=True)
    names = _texts(table["image"])
    rects = _texts(table["rectsize"]) if "rectsize" in table else [""] * len(names)
    for name in names:
        if not name or {"/", "\\", "\0"} & {*name} or name in (".", ".."):
            problem = f"image {name!r} is not the plain name of a file in the folder."
            raise LabelError(printable(folder), problem)
    made = None if provenance is None else {**provenance, "size": size}
    made_from = _fingerprint(folder, table, size, made, colour)
    if existing is not None and (store := _same_store(Path(existing), made_from)):
        return store, Quarantine(store.notes["set_aside"])
    faces = allocate((len(names), size, size, *((3,) if colour else ())))
    quarantine = Quarantine()
    usable: list[int] = []
    hashes: list[str] = []

    # A Path costs as much as a tenth of reading a crop from a disk.
    local = f"{folder}/" if isinstance(folder, Path) else ""

    def read(rows: range) -> list[tuple[Pixels | UnusableFace, str]]:
        paths = (local + names[row] if local else folder / names[row] for row in rows)
        return [
            _read_crop(path, rects[row], size, colour)
            for path, row in zip(paths, rows, strict=True)
        ]

    with (
        Progress("Packing crops", len(names), "crops") as progress,
        ThreadPoolExecutor(workers or min(8, os.cpu_count() or 1)) as pool,
    ):
        for batch in _parts(range(len(names)), _BATCH):
            parts = pool.map(read, _parts(batch, _PER_TASK))
            for row, (face, digest) in zip(batch, chain.from_iterable(parts), strict=True):
                if isinstance(face, UnusableFace):
                    quarantine.add(folder / names[row], face.reason, face.detail, digest)
                    continue
                faces[len(usable)] = face  # never ahead of the row that was read
                usable.append(row)
                hashes.append(digest)
            progress.advance(len(batch), quarantine.summary())
    if not usable:
        raise LabelError(
            printable(folder),
            f"none of the {len(names):,} images of the table can be used "
            f"({quarantine.summary() or 'the table is empty'}); the first is "
            f"{names[0] if names else 'missing'}. Is this the folder of the crops?",
        )
    table = table.iloc[usable].reset_index(drop=True)
    table["sha256"] = hashes
    notes = {"set_aside": quarantine.rows(), "faces": made}
    aus = aus_of_columns(table.columns)
    return FaceStore(faces[: len(usable)], table, aus, notes, made_from), quarantine


def packed_face(content: bytes, size: int, rectsize: str = "", colour: bool = False) -> Pixels:
    """A crop's file as the face that a store holds.

    Args:
        content: The file's bytes.
        size: Side of the face, in pixels.
        rectsize: The part of the crop to use, as in label tables; all of it by default.
        colour: Keep its colours.

    Returns:
        uint8 (size, size), or with `colour` (size, size, 3) red-green-blue.

    Raises:
        UnusableFace: It cannot be decoded, or has no such part.
    """
    face = pad_to_square(_inside(decode(content, gray=not colour), rectsize))
    face = resize_square(face, size)
    return to_rgb(face) if colour else face


def _read_crop(
    path: AnyPath | str, rectsize: str, size: int, colour: bool
) -> tuple[Pixels | UnusableFace, str]:
    """A crop at its packed size, or why it is unusable, and its file's hash."""
    digest = ""
    try:
        content = read_content(path)
        digest = hashlib.sha256(content).hexdigest()
        return packed_face(content, size, rectsize, colour), digest
    except UnusableFace as error:
        return error, digest


def _inside(pixels: Pixels, rectsize: str) -> Pixels:
    """The part of a crop that its rectangle means."""
    if not rectsize:
        return pixels
    x, y, width, height = parse_rectsize(rectsize)
    if (x, y) == (0, 0):
        return pixels
    if y + height > pixels.shape[0] or x + width > pixels.shape[1]:
        raise UnusableFace(
            "rectangle",
            f"{rectsize} reaches beyond the {pixels.shape[1]} × {pixels.shape[0]} pixels",
        )
    return np.ascontiguousarray(pixels[y : y + height, x : x + width])


def _same_store(folder: Path, made_from: str) -> FaceStore | None:
    """The store in a folder, if it was packed from the same and is whole."""
    if not (folder / INDEX_NAME).is_file():
        return None
    try:
        store = FaceStore.open(folder)
    except ArtifactError:
        return None  # it is about to be replaced
    return store if store.fingerprint == made_from else None


def _fingerprint(
    folder: AnyPath,
    table: pd.DataFrame,
    size: int,
    provenance: Mapping[str, Any] | None,
    colour: bool,
) -> str:
    """Of all that a store is made of: settings, rows, sizes and times of the crops."""
    rows = pd.util.hash_pandas_object(table, index=False).to_numpy().tobytes()
    crops = fingerprints_in(folder)
    return fingerprint.of_values(
        [_FORMAT, size, list(table.columns), provenance, *(["colour"] if colour else [])],
        hashlib.sha256(rows).hexdigest(),
        [crops.get(name, "") for name in _texts(table["image"])],
    )


def _texts(column: "pd.Series[Any]") -> list[str]:
    """A column's texts; as a list first, as pandas gives them out one by one very slowly."""
    return [str(text) for text in column.tolist()]


def _parts(rows: range, size: int) -> list[range]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def allocate(shape: tuple[int, ...]) -> Faces:
    """An array in memory, or in a file without a name that goes when the array goes.

    Raises:
        ArtifactError: The disk has no room for the file.
    """
    n_bytes = int(np.prod(shape, dtype=np.int64))
    if n_bytes <= _IN_MEMORY:
        return np.empty(shape, np.uint8)
    try:
        with tempfile.TemporaryFile() as file:
            reserve(file.fileno(), n_bytes)
            return np.memmap(file, np.uint8, "r+", shape=shape)
    except OSError as error:
        raise ArtifactError(
            f"{tempfile.gettempdir()} has no room for {n_bytes:,} bytes of faces "
            f"({error.strerror}). {advice(error)} TMPDIR names the folder for temporary files."
        ) from error
