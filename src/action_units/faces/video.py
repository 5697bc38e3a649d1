"""Frames of a video whose labels count them.

A frame that is lost without a word shifts every label after it. So a video is
only used where its decoded frames are as many as its labels, and an AVI file is
first walked chunk by chunk, because decoders pass over damaged chunks silently.
"""

import os
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np

from action_units.errors import LabelError
from action_units.faces.decoding import Pixels

_STREAM_CHUNK = re.compile(rb"\d\d(?:dc|db|wb|pc|tx|iv)|ix\d\d|JUNK|LIST|idx1|indx")
_FRAME_CHUNK = re.compile(rb"\d\d(?:dc|db)")
_JPEG_START = b"\xff\xd8"
_HEADER = 8


def read_frames(path: Path | str, expected: int) -> Iterator[Pixels]:
    """Give a video's frames, and refuse it where they are not as many as expected.

    The count can only be known after the last frame: use nothing of what was
    yielded before the iterator has ended without an error.

    Args:
        path: The video.
        expected: How many frames its labels have.

    Yields:
        Frames ``(H, W, 3)``, blue-green-red.

    Raises:
        LabelError: The video is missing, damaged, or has another number of frames.
    """
    path = Path(path)
    check_video(path, expected)
    decoded = 0
    with _capture(path) as capture:
        while True:
            there, frame = capture.read()
            if not there:
                break
            decoded += 1
            if decoded > expected:
                break
            yield np.asarray(frame, np.uint8)
    if decoded != expected:
        count = f"more than {expected:,}" if decoded > expected else f"only {decoded:,}"
        raise LabelError(
            path,
            f"{count} frames can be decoded, but {expected:,} have labels; labels and frames "
            "cannot be matched. Replace the video by a whole copy.",
        )


def check_video(path: Path | str, expected: int | None = None) -> None:
    """Look for damage that decoders pass over; an AVI file is walked to its end.

    Args:
        path: The video.
        expected: How many frames its labels have, where that is known.

    Raises:
        LabelError: The video is missing or damaged, or an AVI file of JPEG frames
            has an empty frame or another number of frames.
    """
    path = Path(path)
    if not path.is_file():
        raise LabelError(path, "there is no such video.")
    with path.open("rb") as file:
        if file.read(4) != b"RIFF":
            if not path.stat().st_size:
                raise LabelError(path, "the video is empty.")
            return
        chunks = _walk(path, file)
    if not chunks.motion_jpeg:
        return
    if chunks.empty is not None:
        raise LabelError(
            path,
            f"frame {chunks.empty:,} is empty; decoders skip it, and every later label would "
            "be one frame off. Replace the video by a whole copy.",
        )
    if expected is not None and chunks.frames != expected:
        raise LabelError(
            path,
            f"the file holds {chunks.frames:,} frames, but {expected:,} have labels; labels "
            "and frames cannot be matched.",
        )


@dataclass
class _Chunks:
    """What the walk through an AVI file finds."""

    motion_jpeg: bool = False
    frames: int = 0
    empty: int | None = None


def _walk(path: Path, file: BinaryIO) -> _Chunks:
    """Walk an AVI file (RIFF, and the AVIX parts of OpenDML), chunk by chunk."""
    size = os.fstat(file.fileno()).st_size
    found = _Chunks()
    at = 0
    while at + 12 <= size:
        tag, length, kind = _list_header(file, at)
        if tag != b"RIFF" or kind not in (b"AVI ", b"AVIX"):
            if at == 0:
                return found
            break
        end = at + _HEADER + length
        if end > size:
            raise LabelError(
                path,
                f"the file ends at byte {size:,} of {end:,}: it was cut short. Replace it by a "
                "whole copy.",
            )
        inner = at + 12
        while inner + _HEADER <= end:
            tag, length, kind = _list_header(file, inner)
            if tag == b"LIST" and kind == b"hdrl":
                file.seek(inner)
                header = file.read(min(length, 1 << 16)).upper()
                found.motion_jpeg = b"VIDSMJPG" in header
            elif tag == b"LIST" and kind == b"movi":
                _walk_frames(path, file, inner + 12, inner + _HEADER + length, found)
            inner += _HEADER + length + length % 2
        at = end + end % 2  # chunks begin on even bytes
    return found


def _walk_frames(path: Path, file: BinaryIO, at: int, end: int, found: _Chunks) -> None:
    while at + _HEADER <= end:
        tag, length, kind = _list_header(file, at)
        if not _STREAM_CHUNK.fullmatch(tag) or at + _HEADER + length > end:
            raise LabelError(
                path,
                f"the data after frame {found.frames:,} are damaged at byte {at:,}; decoders "
                "skip what is there, and every later label would be off. Replace the video by "
                "a whole copy.",
            )
        if tag == b"LIST" and kind == b"rec ":
            at += 12
            continue
        if _FRAME_CHUNK.fullmatch(tag):
            found.frames += 1
            if found.motion_jpeg and found.empty is None and kind[:2] != _JPEG_START:
                found.empty = found.frames
        at += _HEADER + length + length % 2


def _list_header(file: BinaryIO, at: int) -> tuple[bytes, int, bytes]:
    """A chunk's tag and length, and the four bytes after them."""
    file.seek(at)
    tag, length, kind = struct.unpack("<4sI4s", file.read(12).ljust(12, b"\0"))
    return tag, length, kind


@contextmanager
def _capture(path: Path) -> Iterator[cv2.VideoCapture]:
    """Open a video by a name that OpenCV survives."""
    name = str(path.resolve())
    descriptor = None
    try:
        name.encode()
    except UnicodeEncodeError:
        # OpenCV crashes on a name that is not UTF-8, so it gets the number of the open file.
        descriptor = os.open(path, os.O_RDONLY)
        name = f"/dev/fd/{descriptor}"
        if not Path(name).exists():
            os.close(descriptor)
            raise LabelError(path, "rename the video: its name is not UTF-8.") from None
    capture = cv2.VideoCapture(name, cv2.CAP_FFMPEG)
    try:
        if not capture.isOpened():
            raise LabelError(path, "the file cannot be opened as a video.")
        yield capture
    finally:
        capture.release()
        if descriptor is not None:
            os.close(descriptor)
