"""The packed face store: the crops of one set as an array, with a table of them.

On disk a store is a folder of three files. ``store.json`` names the other two
(``faces-….npy`` and ``table-….parquet``, called after their content) with their
SHA-256, and is the last to be written: a store that is being replaced stays
the old one until the new one is complete.
"""

import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyarrow import parquet

from action_units.errors import ArtifactError
from action_units.files import (
    atomic_artifact,
    atomic_write,
    reading,
    sha256_of,
    verify,
    write_text,
)
from action_units.fingerprint import of_file
from action_units.labels.action_units import au_columns
from action_units.labels.coded_frames import MISSING

Faces = npt.NDArray[np.uint8]
Index = slice | npt.NDArray[np.bool_] | npt.NDArray[np.integer[Any]]

INDEX_NAME = "store.json"
_FORMAT = 1
_MADE_FROM = ".made_from"
_BLOCK = 1 << 24
_LARGE = 1 << 26  # bytes that take longer to write than a clock of files ticks
_MAX_RATIO = 200  # unpacked bytes for each byte of a table's file and each of its rows
_HEX = 16


def in_colour(faces: Faces) -> bool:
    """Whether faces are in colour, ``(N, H, W, 3)``."""
    return faces.ndim == 4 and faces.shape[3] == 3


@dataclass(frozen=True, eq=False)
class FaceStore:
    """Faces and a table of them.

    Attributes:
        faces: Crops, uint8, ``(N, H, W)`` gray or ``(N, H, W, 3)`` red-green-blue; a
            read-only memory map where the store was opened from disk.
        table: One row a face, in the order of `faces`: ``image``, ``subject``, the
            label columns of `aus`, and as the source has them ``frame``,
            ``gender``, ``split``, ``rectsize``, ``score``, ``sha256``, ``set``.
        aus: The AUs that are labelled, in the order of the label columns.
        notes: Plain values that are saved with it; `select` drops them.
        fingerprint: Of what it was made from; see ``action_units.fingerprint``.
    """

    faces: Faces
    table: pd.DataFrame
    aus: tuple[int, ...]
    notes: Mapping[str, Any] = field(default_factory=dict)
    fingerprint: str = ""

    def __post_init__(self) -> None:
        """Check that the parts belong together; raises ValueError."""
        shape = self.faces.shape
        if self.faces.dtype != np.uint8 or not (len(shape) == 3 or in_colour(self.faces)):
            raise ValueError(
                f"faces must be uint8 of shape (N, H, W), or (N, H, W, 3) in colour, not "
                f"{self.faces.dtype} of shape {shape}"
            )
        if len(self.faces) != len(self.table):
            raise ValueError(f"{len(self.faces)} faces but {len(self.table)} rows in the table")
        required = ["image", "subject", *au_columns(self.aus)]
        if missing := [name for name in required if name not in self.table]:
            raise ValueError(f"the table has no column {', '.join(missing)}")

    def __len__(self) -> int:
        """How many faces there are."""
        return len(self.faces)

    @property
    def colour(self) -> bool:
        """Whether the faces are in colour."""
        return in_colour(self.faces)

    @cached_property
    def labels(self) -> npt.NDArray[np.int8]:
        """Presence of each AU in each face, ``(N, A)``; read-only.

        0 or 1, or ``MISSING`` where the AU was not scored.
        """
        labels = self.table[au_columns(self.aus)].fillna(MISSING).to_numpy(np.int8)
        labels.flags.writeable = False
        return labels

    @cached_property
    def subjects(self) -> npt.NDArray[np.str_]:
        """The subject or identity of each face, ``(N,)``; read-only."""
        subjects = self.table["subject"].to_numpy(dtype=np.str_)
        subjects.flags.writeable = False
        return subjects

    def select(self, index: Index) -> Self:
        """Some of the faces, in the order of the index.

        Args:
            index: Row numbers ``(M,)``, a mask ``(N,)``, or a slice, which copies nothing.
        """
        if not isinstance(index, slice) and len(index) == 0:
            index = slice(0, 0)
        table = self.table.iloc[index].reset_index(drop=True)
        return type(self)(self.faces[index], table, self.aus)

    def save(self, folder: Path | str) -> None:
        """Write the store; a previous one stays until this one is complete.

        An unchanged store that was opened from the folder is not written again.

        Raises:
            ArtifactError: The disk refused.
        """
        folder = Path(folder)
        if self._lies_in(folder):
            _delete_others(folder, json.loads((folder / INDEX_NAME).read_text()))
            return
        faces_hash = hashlib.sha256()
        for block in _npy_blocks(self.faces):
            faces_hash.update(block)
        table = self._table_bytes()
        table_hash = hashlib.sha256(table).hexdigest()
        index = {
            "format": _FORMAT,
            "aus": list(self.aus),
            "shape": list(self.faces.shape),
            "faces": f"faces-{faces_hash.hexdigest()[:_HEX]}.npy",
            "faces_sha256": faces_hash.hexdigest(),
            "table": f"table-{table_hash[:_HEX]}.parquet",
            "table_sha256": table_hash,
            "notes": dict(self.notes),
        }
        with atomic_write(folder / str(index["faces"])) as file:
            for block in _npy_blocks(self.faces):
                file.write(block)
        with atomic_write(folder / str(index["table"])) as file:
            file.write(table)
        with atomic_artifact(folder / INDEX_NAME) as file:
            file.write((json.dumps(index, indent=1) + "\n").encode())
        # Apart, because it may hold times of files: equal stores are equal files.
        if self.fingerprint:
            text = f"{index['faces']} {index['table']} {self.fingerprint}\n"
            write_text(folder / _MADE_FROM, text)
        _delete_others(folder, index)

    @classmethod
    def open(cls, folder: Path | str, made_by: str = "") -> Self:
        """Open a saved store; its faces stay on disk and are mapped into memory.

        Args:
            folder: The store's folder.
            made_by: What makes it (``hints.command``), for the sentence where it is missing.

        Raises:
            ArtifactError: The store is missing, or a file of it is not what was saved.
        """
        folder = Path(folder)
        path = verify(folder / INDEX_NAME, made_by)
        with reading(path, made_by):
            index = json.loads(path.read_text())
            if index["format"] != _FORMAT:
                raise ArtifactError(
                    f"{path} is a face store of format {index['format']}, and this version "
                    f"reads format {_FORMAT}; make the store again."
                )
            members = {index[part]: index[f"{part}_sha256"] for part in ("faces", "table")}
            check_members(folder, members, made_by)
            faces = _mapped(folder / index["faces"], tuple(index["shape"]))
            table = _read_table(folder / index["table"], len(faces))
            notes = index.get("notes", {})
            return cls(faces, table, tuple(index["aus"]), notes, _fingerprint(folder, index))

    def _lies_in(self, folder: Path) -> bool:
        """Whether a folder holds exactly this store."""
        source = getattr(self.faces, "filename", None)
        if source is None or Path(source).parent != folder.resolve():
            return False
        try:
            index = json.loads((folder / INDEX_NAME).read_text())
            table = (folder / index["table"]).read_bytes()
        except (OSError, ValueError, KeyError):
            return False
        return (
            index["faces"] == Path(source).name
            and index["shape"] == list(self.faces.shape)
            and index.get("notes", {}) == dict(self.notes)
            and _fingerprint(folder, index) == self.fingerprint
            and bool(table == self._table_bytes())
        )

    def _table_bytes(self) -> bytes:
        buffer = io.BytesIO()
        self.table.to_parquet(buffer, index=False)
        return buffer.getvalue()


def check_members(folder: Path, members: Mapping[str, str], made_by: str) -> None:
    """Check that a store's files are those that its index names.

    Args:
        folder: Of the store.
        members: The SHA-256 of each file, by name.
        made_by: What makes the store (``hints.command``).

    Raises:
        ArtifactError: One is missing, or another.
    """
    for name, expected in members.items():
        member = folder / name
        if not member.is_file() or _hash(member) != expected:
            raise ArtifactError(
                f"{member} is {'damaged' if member.is_file() else 'missing'}: it is not the "
                f"file that {INDEX_NAME} names. Delete {folder} and make the store again."
                + (f" {made_by} makes it." if made_by else "")
            )


def _hash(path: Path) -> str:
    """A file's SHA-256; of a large one it is computed once while size and time stay."""
    status = path.stat()
    if status.st_size < _LARGE:
        return sha256_of(path)
    return _hash_while(path.resolve(), of_file(status))


@lru_cache(64)
def _hash_while(path: Path, status: str) -> str:
    return sha256_of(path)


def _mapped(path: Path, shape: tuple[int, ...]) -> Faces:
    """The faces of a file; raises ArtifactError where they have another shape."""
    if 0 in shape:  # nothing can be mapped
        return np.empty(shape, np.uint8)
    try:
        faces: Faces = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError) as error:
        raise ArtifactError(f"{path} does not hold faces ({error}).") from error
    if faces.shape != shape:
        raise ArtifactError(f"{path} holds {faces.shape}, and {INDEX_NAME} expects {shape}.")
    return faces


def _read_table(path: Path, rows: int) -> pd.DataFrame:
    """The table of a file, whose size is checked first: a small file may claim a million rows.

    Raises:
        ArtifactError: It has another number of rows, or unpacks to far more than the file.
    """
    about = parquet.read_metadata(path)
    groups = [about.row_group(number) for number in range(about.num_row_groups)]
    size = sum(group.total_byte_size for group in groups)
    if about.num_rows != rows or size > _MAX_RATIO * (path.stat().st_size + rows):
        raise ArtifactError(
            f"{path} has {about.num_rows:,} rows in {size:,} bytes; expected {rows:,}, one "
            "for each face."
        )
    return pd.read_parquet(path)


def _delete_others(folder: Path, index: Mapping[str, Any]) -> None:
    """Delete the faces and tables of earlier stores, and of one whose saving was killed."""
    for path in [*folder.glob("faces-*.npy"), *folder.glob("table-*.parquet")]:
        if path.name not in (index["faces"], index["table"]):
            path.unlink(missing_ok=True)


def _fingerprint(folder: Path, index: Mapping[str, Any]) -> str:
    """What was recorded for the files that an index names; empty if nothing."""
    try:
        faces, table, made_from = (folder / _MADE_FROM).read_text().split()
    except (OSError, ValueError):
        return ""
    return made_from if (faces, table) == (index["faces"], index["table"]) else ""


def _npy_blocks(faces: Faces) -> Iterator[bytes | memoryview]:
    """The bytes of ``np.save``, a block at a time, whatever the array's strides."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": faces.shape}
    )
    yield header.getvalue()
    rows = max(1, _BLOCK // max(1, faces[0].size)) if len(faces) else 1
    for start in range(0, len(faces), rows):
        yield np.ascontiguousarray(faces[start : start + rows]).reshape(-1).data
