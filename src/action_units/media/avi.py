"""A walk through an AVI file, for damage that decoders pass over without a word.

The file is RIFF ("Multimedia Programming Interface and Data Specifications 1.0", and
Microsoft's "AVI RIFF File Reference"); files above 1 GB go on in AVIX parts ("OpenDML
AVI File Format Extensions").
"""

import os
import re
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from action_units.errors import LabelError
from action_units.media.mjpeg import NO_END, jpeg_fault

_CHUNK = re.compile(rb"\d\d(?:dc|db|wb|pc|tx|iv)|ix\d\d|JUNK|LIST|idx1|indx")
_FRAME = re.compile(rb"\d\d(?:dc|db)")
_MPEG4 = (b"XVID", b"DIVX", b"DX50", b"FMP4", b"MP4V")
_DENSE = (*_MPEG4, b"H264", b"X264", b"AVC1", b"HEVC", b"FFV1")
_COMPRESSED = (*_DENSE, b"HFYU", b"FFVH")
_LOOKED_AT = (*_COMPRESSED, b"MJPG")
_LARGEST = 64 << 20  # of a frame; a longer one is damage, and is not held in memory
_HOLE = bytes(512)  # no stream of these codecs has a sector of zeros
_HEADER = 8


@dataclass
class Frames:
    """What the walk found.

    Attributes:
        codec: The four letters of the video's codec, such as ``MJPG``.
        sizes: How many bytes each frame has.
    """

    codec: bytes = b""
    sizes: list[int] = field(default_factory=list)
    fault: tuple[int, str] | None = None
    without_end: list[int] = field(default_factory=list)

    def look_at(self, frame: bytes) -> None:
        """Keep the first fault that shows; called once a frame, with its bytes."""
        number = len(self.sizes)
        fault = None
        if self.codec == b"MJPG":
            fault = jpeg_fault(frame)
            if fault == NO_END:  # some cameras write none at all
                self.without_end.append(number)
                fault = None
        elif len(frame) > 8:
            if not frame.strip(b"\0"):
                fault = "it is empty"
            elif self.codec in _DENSE and _HOLE in frame:
                fault = "a part of it is zeros"
            elif self.codec in _MPEG4 and not frame.startswith(b"\0\0\1"):
                fault = "its data do not begin as such"
        if fault is not None and self.fault is None:
            self.fault = (number, fault)


def walk_avi(path: Path) -> Frames | None:
    """Walk an AVI file to its end, chunk by chunk.

    Args:
        path: The file.

    Returns:
        Its frames; None where it is no AVI file.

    Raises:
        LabelError: It is cut or damaged, or its index lists other frames than it has.
    """
    found = Frames()
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        at = 0
        while at + 12 <= size:
            tag, length, kind = _header(file, at)
            if tag != b"RIFF" or kind not in (b"AVI ", b"AVIX"):
                if at == 0:
                    return None
                break
            end = at + _HEADER + length
            if end > size:
                raise LabelError(
                    path,
                    f"the file ends at byte {size:,} of {end:,}: it was cut short. Replace it "
                    "by a whole copy.",
                )
            _walk_part(path, file, at + 12, end, found)
            at = end + end % 2  # chunks begin on even bytes
    if found.fault is None and 0 < len(found.without_end) < len(found.sizes):
        found.fault = (found.without_end[0], NO_END)
    if found.fault is not None:
        number, fault = found.fault
        raise LabelError(
            path,
            f"frame {number:,} is damaged: {fault}; decoders skip it, or show the frame "
            "before. Replace the video by a whole copy.",
        )
    return found


def _walk_part(path: Path, file: BinaryIO, at: int, end: int, found: Frames) -> None:
    """Walk one RIFF part: its header, its frames, their index."""
    before = len(found.sizes)
    while at + _HEADER <= end:
        tag, length, kind = _header(file, at)
        if tag == b"LIST" and kind == b"hdrl":
            file.seek(at)
            header = file.read(min(length, 1 << 16)).upper()
            layout = header.find(b"STRF", header.find(b"VIDS"))  # a BITMAPINFOHEADER
            found.codec = header[layout + 24 : layout + 28] if layout >= 0 else b""
        elif tag == b"LIST" and kind == b"movi":
            _walk_frames(path, file, at + 12, min(end, at + _HEADER + length), found)
        elif tag == b"idx1":
            _compare_index(path, _content(file, at, length), found, before)
        at += _HEADER + length + length % 2


def _walk_frames(path: Path, file: BinaryIO, at: int, end: int, found: Frames) -> None:
    while at + _HEADER <= end:
        tag, length, kind = _header(file, at)
        if not _CHUNK.fullmatch(tag) or at + _HEADER + length > end:
            raise LabelError(
                path,
                f"the data after frame {len(found.sizes):,} are damaged at byte {at:,}; "
                "decoders skip what is there, and every later label would be off. Replace the "
                "video by a whole copy.",
            )
        if tag == b"LIST" and kind == b"rec ":
            at += 12
            continue
        if _FRAME.fullmatch(tag):
            found.sizes.append(length)
            if found.codec in _LOOKED_AT:
                found.look_at(_content(file, at, min(length, _LARGEST)))
        at += _HEADER + length + length % 2


def _compare_index(path: Path, index: bytes, found: Frames, before: int) -> None:
    """Refuse frames that are not those of the index: it stays as it was where some are lost."""
    if found.fault is not None:  # which is told more exactly
        return
    entries = struct.iter_unpack("<4s4xII", index[: len(index) // 16 * 16])
    listed = [size for tag, _, size in entries if _FRAME.fullmatch(tag)]
    there = found.sizes[before:]
    if listed and listed != there:
        same = next(
            (k for k, (a, b) in enumerate(zip(listed, there, strict=False)) if a != b),
            min(len(listed), len(there)),
        )
        raise LabelError(
            path,
            f"from frame {before + same + 1:,} on, the file's index lists other frames than "
            f"are there ({len(listed):,} against {len(there):,}): some were lost, doubled or "
            "moved. Replace the video by a whole copy.",
        )


def _header(file: BinaryIO, at: int) -> tuple[bytes, int, bytes]:
    """A chunk's tag and length, and the four bytes after them."""
    file.seek(at)
    tag, length, kind = struct.unpack("<4sI4s", file.read(12).ljust(12, b"\0"))
    return tag, length, kind


def _content(file: BinaryIO, at: int, length: int) -> bytes:
    """The bytes of the chunk that begins there."""
    file.seek(at + _HEADER)
    return file.read(length)
