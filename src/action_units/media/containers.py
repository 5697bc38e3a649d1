"""Walks through the files of videos, for damage that decoders ignore without an error.

Bytes that were lost or put in anywhere move all that comes after, and decoders then take one
frame's bytes for another's, or skip to the next place that they know. Followed are:

- AVI: the chunks of RIFF ("Multimedia Programming Interface and Data Specifications 1.0", and
  Microsoft's "AVI RIFF File Reference"), of files above 1 GB also their AVIX parts ("OpenDML
  AVI File Format Extensions"). Each compressed frame is looked at, and the frames are compared
  with the index, which stays as it was where some are lost.
- MP4 and MOV: boxes (ISO/IEC 14496-12, 4.2).
- Matroska and WebM: elements (RFC 8794, RFC 9559). A file that is cut is not refused: it is
  how recordings end that were broken off.
"""

import os
import re
import struct
from pathlib import Path
from typing import BinaryIO

from action_units.errors import LabelError
from action_units.media.file_types import MATROSKA, MP4_BOXES
from action_units.media.jpeg import NO_END, frame_fault

_CHUNK = re.compile(rb"\d\d(?:dc|db|wb|pc|tx|iv)|ix\d\d|JUNK|LIST|idx1|indx")
_FRAME = re.compile(rb"\d\d(?:dc|db)")
_MPEG4 = (b"XVID", b"DIVX", b"DX50", b"FMP4", b"MP4V")
_DENSE = (*_MPEG4, b"H264", b"X264", b"AVC1", b"HEVC", b"FFV1")
_CHECKED = (*_DENSE, b"HFYU", b"FFVH", b"MJPG")
_LARGEST = 64 << 20  # of a frame; a longer one is damage, and is not held in memory
_HOLE = bytes(512)  # no stream of the dense codecs has a sector of zeros
_HEADER = 8

_EBML, _SEGMENT, _CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675
_ELEMENTS = {
    _EBML, _SEGMENT, _CLUSTER,
    0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367,
    0xEC, 0xBF,  # blanks and check sums
    0xE7, 0x5854, 0xA7, 0xAB, 0xA3, 0xA0, 0xAF,  # of a cluster
}  # fmt: skip

_WHOLE = "Replace it by a whole copy."
_NO_PART = f"where a part of it should begin. {_WHOLE}"


def walk_container(path: Path) -> int | None:
    """Walk an AVI, MP4 or Matroska file to its end; other files are not looked at.

    Returns:
        How many frames the file holds, where each must decode by itself (Motion JPEG in
        AVI); else None.

    Raises:
        LabelError: It is cut or damaged, or its index lists other frames than it has.
    """
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(12).ljust(12, b"\0")
        if start[4:8] in MP4_BOXES:
            _walk_mp4(path, file, size)
        elif start.startswith(MATROSKA):
            _walk_matroska(path, file, size)
        elif start[:4] == b"RIFF" and start[8:] in (b"AVI ", b"AVIX"):
            with path.open("rb") as buffered:
                return _Avi(path, buffered, size).walk()
    return None


def _walk_mp4(path: Path, file: BinaryIO, size: int) -> None:
    """Raise if the boxes do not end at the file's end, or the list of frames is missing."""
    at, kinds = 0, set[bytes]()
    while at < size:
        file.seek(at)
        length, kind, long_length = struct.unpack(">I4sQ", file.read(16).ljust(16, b"\0"))
        if length == 1:
            length = long_length
        elif length == 0:  # up to the end of the file
            length = size - at
        if not all(0x20 <= byte < 0x7F or byte == 0xA9 for byte in kind) or length < 8:
            raise LabelError(path, f"the file is damaged at byte {at:,}, {_NO_PART}")
        kinds.add(kind)
        at += length
    if at > size:
        raise LabelError(
            path, f"the file ends at byte {size:,} of {at:,}: it was cut short. {_WHOLE}"
        )
    if b"moov" not in kinds:
        raise LabelError(path, f"its list of frames is missing: it was cut short. {_WHOLE}")


def _walk_matroska(path: Path, file: BinaryIO, end: int) -> None:
    """Refuse a file in which bytes were lost, put in, or exchanged between its frames."""
    at = 0
    while at < end:
        file.seek(at)
        header = file.read(12).ljust(12, b"\0")
        kind, width = _ebml_number(header, is_id=True)
        length, more = _ebml_number(header[width:], is_id=False)
        endless = length == (1 << 7 * more) - 1
        if kind not in _ELEMENTS or (endless and kind not in (_SEGMENT, _CLUSTER)):
            raise LabelError(path, f"the file is damaged at byte {at:,}, {_NO_PART}")
        at += width + more
        if kind == _SEGMENT and not endless:
            end = min(end, at + length)
        if kind not in (_SEGMENT, _CLUSTER):
            at += length


def _ebml_number(content: bytes, is_id: bool) -> tuple[int, int]:
    """The number that `content` begins with, and its length in bytes; 0 without a number.

    Its first bits give its number of bytes; they belong to an id, and not to a length.
    """
    width = 9 - content[0].bit_length()
    if width > 8:
        return 0, 1
    value = int.from_bytes(content[:width], "big")
    return (value if is_id else value & ((1 << 7 * width) - 1)), width


class _Avi:
    """Walks an AVI file, chunk by chunk, and keeps the first damaged frame that it meets."""

    def __init__(self, path: Path, file: BinaryIO, size: int) -> None:
        self._path, self._file, self._size = path, file, size
        self._codec = b""  # four letters, such as MJPG
        self._frames: list[int] = []  # how many bytes each has
        self._fault: tuple[int, str] | None = None
        self._without_end: list[int] = []

    def walk(self) -> int | None:
        """As ``walk_container``."""
        at = 0
        while at + 12 <= self._size:
            tag, length, kind = self._header(at)
            if tag != b"RIFF" or kind not in (b"AVI ", b"AVIX"):
                break
            end = at + _HEADER + length
            if end > self._size:
                raise LabelError(
                    self._path,
                    f"the file ends at byte {self._size:,} of {end:,}: it was cut short. "
                    f"{_WHOLE}",
                )
            self._walk_part(at + 12, end)
            at = end + end % 2  # chunks begin on even bytes
        if self._fault is None and 0 < len(self._without_end) < len(self._frames):
            self._fault = (self._without_end[0], NO_END)
        if self._fault is not None:
            number, fault = self._fault
            raise LabelError(
                self._path,
                f"frame {number:,} is damaged: {fault}; decoders skip it, or show the frame "
                "before. Replace the video by a whole copy.",
            )
        return len(self._frames) if self._codec == b"MJPG" else None

    def _walk_part(self, at: int, end: int) -> None:
        """Walk one RIFF part: its header, its frames, their index."""
        before = len(self._frames)
        while at + _HEADER <= end:
            tag, length, kind = self._header(at)
            if tag == b"LIST" and kind == b"hdrl":
                header = self._content(at, min(length, 1 << 16)).upper()
                layout = header.find(b"STRF", header.find(b"VIDS"))  # a BITMAPINFOHEADER
                self._codec = header[layout + 24 : layout + 28] if layout >= 0 else b""
            elif tag == b"LIST" and kind == b"movi":
                self._walk_frames(at + 12, min(end, at + _HEADER + length))
            elif tag == b"idx1" and self._fault is None:  # a fault is more precise
                self._compare_index(self._content(at, length), before)
            at += _HEADER + length + length % 2

    def _walk_frames(self, at: int, end: int) -> None:
        while at + _HEADER <= end:
            tag, length, kind = self._header(at)
            if not _CHUNK.fullmatch(tag) or at + _HEADER + length > end:
                raise LabelError(
                    self._path,
                    f"the data after frame {len(self._frames):,} are damaged at byte {at:,}; "
                    "decoders skip what is there, and every later label would be off. Replace "
                    "the video by a whole copy.",
                )
            if tag == b"LIST" and kind == b"rec ":
                at += 12
                continue
            if _FRAME.fullmatch(tag):
                self._frames.append(length)
                if self._codec in _CHECKED:
                    self._check_frame(self._content(at, min(length, _LARGEST)))
            at += _HEADER + length + length % 2

    def _check_frame(self, frame: bytes) -> None:
        fault, number = None, len(self._frames)
        if self._codec == b"MJPG":
            fault = frame_fault(frame)
            if fault == NO_END:  # some cameras write none at all
                self._without_end.append(number)
                fault = None
        elif len(frame) > 8:
            if not frame.strip(b"\0"):
                fault = "it is empty"
            elif self._codec in _DENSE and _HOLE in frame:
                fault = "a part of it is zeros"
            elif self._codec in _MPEG4 and not frame.startswith(b"\0\0\1"):
                fault = "its data do not begin as such"
        if fault is not None and self._fault is None:
            self._fault = (number, fault)

    def _compare_index(self, index: bytes, before: int) -> None:
        """Raise if the frames of this part differ from its index."""
        entries = struct.iter_unpack("<4s4xII", index[: len(index) // 16 * 16])
        listed = [size for tag, _, size in entries if _FRAME.fullmatch(tag)]
        present = self._frames[before:]
        if listed and listed != present:
            same = next(
                (k for k, (a, b) in enumerate(zip(listed, present, strict=False)) if a != b),
                min(len(listed), len(present)),
            )
            raise LabelError(
                self._path,
                f"from frame {before + same + 1:,} on, the file's index lists other frames "
                f"than it has ({len(listed):,} against {len(present):,}): some were lost, "
                "doubled or moved. Replace the video by a whole copy.",
            )

    def _header(self, at: int) -> tuple[bytes, int, bytes]:
        """A chunk's tag and length, and the four bytes after them."""
        self._file.seek(at)
        tag, length, kind = struct.unpack("<4sI4s", self._file.read(12).ljust(12, b"\0"))
        return tag, length, kind

    def _content(self, at: int, length: int) -> bytes:
        """The bytes of the chunk that begins there."""
        self._file.seek(at + _HEADER)
        return self._file.read(length)
