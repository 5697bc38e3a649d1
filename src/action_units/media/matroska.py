"""A walk through the elements of a Matroska or WebM file (RFC 8794, RFC 9559)."""

import os
from pathlib import Path

from action_units.errors import LabelError

_EBML, _SEGMENT, _CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675
_KNOWN = {
    _EBML, _SEGMENT, _CLUSTER,
    0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367,
    0xEC, 0xBF,  # blanks and check sums
    0xE7, 0x5854, 0xA7, 0xAB, 0xA3, 0xA0, 0xAF,  # of a cluster
}  # fmt: skip


def is_matroska(path: Path) -> bool:
    """Whether a file begins as a Matroska or WebM file does."""
    with path.open("rb") as file:
        return file.read(4) == _EBML.to_bytes(4, "big")


def walk_matroska(path: Path) -> None:
    """Refuse a file in which bytes were lost, put in, or exchanged between its frames.

    Decoders look for the next cluster, and leave out what lies before it. A file that is
    cut is not refused: it is how recordings end that were broken off.

    Raises:
        LabelError: It is damaged.
    """
    at = 0
    with path.open("rb", buffering=0) as file:
        end = os.fstat(file.fileno()).st_size
        while at < end:
            file.seek(at)
            header = file.read(12).ljust(12, b"\0")
            kind, width = _number(header, marked=True)
            length, more = _number(header[width:], marked=False)
            endless = length == (1 << 7 * more) - 1
            if kind not in _KNOWN or (endless and kind not in (_SEGMENT, _CLUSTER)):
                raise LabelError(
                    path,
                    f"the file is damaged at byte {at:,}, where a part of it should begin. "
                    "Replace it by a whole copy.",
                )
            at += width + more
            if kind == _SEGMENT and not endless:
                end = min(end, at + length)
            if kind not in (_SEGMENT, _CLUSTER):
                at += length


def _number(content: bytes, marked: bool) -> tuple[int, int]:
    """A number whose first bits say how many bytes it has, and how many; 0 where none can be.

    Args:
        content: Begins with it.
        marked: Whether these bits belong to it.
    """
    width = 9 - content[0].bit_length()
    if width > 8:
        return 0, 1
    value = int.from_bytes(content[:width], "big")
    return (value if marked else value & ((1 << 7 * width) - 1)), width
