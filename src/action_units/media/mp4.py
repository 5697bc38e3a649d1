"""A walk through the boxes of an MP4 or MOV file (ISO/IEC 14496-12, 4.2)."""

import os
import struct
from pathlib import Path

from action_units.errors import LabelError

_KNOWN = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")


def is_mp4(path: Path) -> bool:
    """Whether a file begins as an MP4 or MOV file does."""
    with path.open("rb") as file:
        return file.read(8)[4:] in _KNOWN


def walk_mp4(path: Path) -> None:
    """Refuse a file whose boxes do not end where it does.

    Bytes that were lost or put in anywhere move all that comes after, and decoders
    then take one frame's bytes for another's.

    Raises:
        LabelError: It is cut or damaged, or lacks its list of frames.
    """
    at, kinds = 0, set[bytes]()
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        while at < size:
            file.seek(at)
            header = file.read(16)
            length, kind = struct.unpack(">I4s", header[:8].ljust(8, b"\0"))
            if length == 1:
                length = int.from_bytes(header[8:16], "big")
            elif length == 0:  # up to the end of the file
                length = size - at
            if not all(0x20 <= byte < 0x7F or byte == 0xA9 for byte in kind) or length < 8:
                raise LabelError(
                    path,
                    f"the file is damaged at byte {at:,}, where a part of it should begin. "
                    "Replace it by a whole copy.",
                )
            kinds.add(kind)
            at += length
    whole = "it was cut short. Replace it by a whole copy."
    if at > size:
        raise LabelError(path, f"the file ends at byte {size:,} of {at:,}: {whole}")
    if b"moov" not in kinds:
        raise LabelError(path, f"its list of frames is missing: {whole}")
