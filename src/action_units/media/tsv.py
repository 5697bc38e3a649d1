"""Faces in a file of MS-Celeb-1M: one line a face, seven columns with tabs between them.

    MID, search rank, image URL, page URL, face id, face rectangle, face data

The face id is ``FaceId-0``; the rectangle is base64 of four little-endian float32
(left, top, right and bottom in parts of the photograph that the face was cut from);
the data are a JPEG in base64. The columns are as in the data's public description and
the scripts that unpack it. A face is named as those unpack it,
``m.0d27_dy/84-FaceId-0.jpg``.

The file, tens of GB, is never read through to find its lines: it is cut by
arithmetic into ranges of bytes, and a line belongs to the range that it begins in.
"""

import base64
import binascii
import hashlib
import re
import struct
from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from typing import IO

from action_units.errors import LabelError, UnusableFace
from action_units.media.paths import (
    AnyPath,
    any_path,
    open_file,
    printable,
    size_and_fingerprint,
)
from action_units.media.photograph_names import portable, stem_of
from action_units.media.photographs import FileRange, Photograph, find_files

RANGE = 16 << 20
"""Bytes of a chunk; some 600 faces."""

MAX_LINE = 64 << 20
"""Longer lines are skipped without being held in memory."""

FIRST_LINES = 1000
"""So many lines at the beginning of a file, or those of its first MiB, must not all be
something else than faces."""

_BLOCK = 1 << 20
_SAMPLE = 4096
_SHOWN = 120  # bytes of a line
_COLUMNS = "MID, rank, image URL, page URL, face id, face rectangle, face data"
_FACE_ID = re.compile(r"FaceId-(\d+)", re.ASCII)


class TsvChunk(FileRange):
    """The lines that begin in a range of bytes; see ``photographs.Chunk``."""

    __slots__ = ()

    def photographs(self) -> Iterator[Photograph]:
        """One per line; a line without a face has the reason."""
        try:
            with open_file(self.path) as file:
                for at, line in _lines(file, self.start, self.stop):
                    if line is None or line.strip():
                        yield self._photograph(at, line)
        except Exception as error:  # each store's client has errors of its own
            reason = UnusableFace("unreadable", f"the rest of these lines: {error}")
            yield self.lost(printable(self.path), reason)

    def _photograph(self, at: int, line: bytes | None) -> Photograph:
        shown_by = f"`tail -c +{at + 1} FILE | head -n 1` shows the line"
        location = f"{printable(self.path)}, byte {at:,} ({shown_by})"
        try:
            name, content = parse_line(line)
        except UnusableFace as error:
            name = f"{portable(self.name)}@{at}"
            return Photograph(name, stem_of(name), location, error)
        return Photograph(name, stem_of(name), location, content)


class TsvSource:
    """The faces of one or more TSV files; see ``photographs.PhotographSource``."""

    def __init__(self, path: str | AnyPath, range_bytes: int = RANGE) -> None:
        """Name the files.

        Args:
            path: A file, a folder of ``*.tsv``, or a pattern; a path or a URL.
            range_bytes: How much of a file is a chunk.
        """
        self.path, self.range_bytes = any_path(path), range_bytes

    def named(self) -> None:
        """None: names are in the lines, which are only read by workers."""

    def chunks(self) -> Iterator[TsvChunk]:
        """The ranges of each file.

        Raises:
            LabelError: Not one of a file's first lines is a face's; or as ``find_files``.
        """
        for name, path in find_files(self.path, ".tsv"):
            size, whole = size_and_fingerprint(path)
            if not size:
                raise LabelError(
                    printable(path), f"the file is empty; expected lines of {_COLUMNS}."
                )
            with open_file(path, sparse=True) as file:
                block = file.read(_BLOCK)
                _check_first_lines(path, block, is_all=len(block) == size)
                line = len(block) / max(1, block.count(b"\n"))  # about its bytes
                local = isinstance(path, Path)
                closed = _end_of_lines(file, size) if local else size
                for start in range(0, size, self.range_bytes):
                    stop = min(start + self.range_bytes, size)
                    fingerprint = (
                        _fingerprint(file, start, stop, size, closed) if local else whole
                    )
                    weight = max(1, round((stop - start) / line))
                    yield TsvChunk(name, path, start, stop, fingerprint, weight)


def _check_first_lines(path: AnyPath, block: bytes, is_all: bool) -> None:
    """Raise if none of the first lines has a face, and quote them."""
    lines = block.split(b"\n")
    seen: list[tuple[int, bytes, str]] = []
    for number, line in enumerate(lines if is_all else lines[:-1], 1):
        if not line.strip():
            continue
        try:
            parse_line(line.rstrip(b"\r"))
            return
        except UnusableFace as error:
            seen.append((number, line, error.detail))
        if len(seen) == FIRST_LINES:
            break
    if seen:
        number, line, why = seen[0]
        raise LabelError(
            printable(path),
            f"{why}; the line begins {line[:_SHOWN].decode('utf-8', 'replace')!r}. Not one of "
            f"the first {len(seen):,} lines is a face's.",
            number,
        )


def parse_line(line: bytes | None) -> tuple[str, bytes]:
    """Read a line.

    Args:
        line: Without its end; None stands for one that is too long.

    Returns:
        The face's name, and its bytes.

    Raises:
        UnusableFace: ``damaged``, ``empty`` or ``too large``.
    """
    if line is None:
        raise UnusableFace("too large", f"the line has more than {MAX_LINE:,} bytes")
    columns = line.split(b"\t")
    if len(columns) != 7:
        raise UnusableFace("damaged", f"{len(columns)} columns, expected 7: {_COLUMNS}")
    *texts, rectangle, data = columns
    identity, rank, _, _, face_id = (text.decode("utf-8", "replace") for text in texts)
    if not identity or not (rank.isascii() and rank.isdigit()):
        raise UnusableFace(
            "damaged", f"{identity!r}, {rank[:40]!r}: expected a MID and a number"
        )
    if not _FACE_ID.fullmatch(face_id):
        raise UnusableFace("damaged", f"face id {face_id[:40]!r}, expected one like FaceId-0")
    content = _from_base64(data, "face data")
    if not content:
        raise UnusableFace("empty", "the column of the face data is empty")
    if rectangle:
        _check_rectangle(_from_base64(rectangle, "face rectangle"))
    return f"{portable(identity)}/{rank}-{face_id}.jpg", content


def _check_rectangle(raw: bytes) -> None:
    """Refuse a rectangle that no face can have: then the face's data may be wrong too."""
    if len(raw) != 16:
        raise UnusableFace("damaged", f"face rectangle of {len(raw)} bytes, expected 16")
    if not all(map(isfinite, struct.unpack("<4f", raw))):
        raise UnusableFace("damaged", "the face rectangle is not of finite numbers")


def _from_base64(column: bytes, what: str) -> bytes:
    try:
        return base64.b64decode(column, validate=True)
    except binascii.Error as error:
        raise UnusableFace("damaged", f"{what}: not base64 ({error})") from None


def _lines(file: IO[bytes], start: int, stop: int) -> Iterator[tuple[int, bytes | None]]:
    """The lines that begin in ``[start, stop)``: first byte, and content without its end."""
    at = start
    file.seek(max(0, start - 1))
    if start:  # a line that begins before the range belongs to the range before
        at = start - 1 + _skip_line(file)
    while at < stop and (line := file.readline(MAX_LINE + 1)):
        if len(line) <= MAX_LINE or line.endswith(b"\n"):
            yield at, line.rstrip(b"\r\n")
            at += len(line)
        else:
            yield at, None
            at += len(line) + _skip_line(file)


def _skip_line(file: IO[bytes]) -> int:
    """Read to the end of a line and forget it; gives how many bytes it had."""
    skipped = 0
    while part := file.readline(_BLOCK):
        skipped += len(part)
        if part.endswith(b"\n"):
            break
    return skipped


def _end_of_lines(file: IO[bytes], size: int) -> int:
    """The byte after the last line that is ended, looked for in the last `MAX_LINE`."""
    stop, at = max(0, size - MAX_LINE), size
    while at > stop:
        start = max(stop, at - _BLOCK)
        file.seek(start)
        end = file.read(at - start).rfind(b"\n")
        if end >= 0:
            return start + end + 1
        at = start
    return stop


def _fingerprint(file: IO[bytes], start: int, stop: int, size: int, closed: int) -> str:
    """A text that is the same while the lines of a range are the same.

    The time of change is of the whole file, and would redo all of it where lines were
    appended. So this is a hash of the first and the last 4 KiB of the range, and its
    length: any other file, and any file in which something was inserted, taken out or
    cut, differs there. Only bytes that are exchanged in place, in the middle of a
    range and at the same length, go unseen. Where the last line of the range has no
    end, more of it may come, so the size of the file counts too.

    A file in a store cannot be appended to: there, the store's own fingerprint is taken.
    """
    digest = hashlib.sha256()
    for at in (start, max(start, stop - _SAMPLE)):
        file.seek(at)
        digest.update(file.read(min(_SAMPLE, stop - at)))
    open_end = f"-{size}" if closed < stop else ""
    return f"{stop - start}-{digest.hexdigest()[:32]}{open_end}"
