"""Frames of a video whose labels count them.

A frame that is lost without a word shifts every label after it. So a video is
only used where its decoded frames are as many as its labels. The file is first
walked, because decoders pass over what is damaged: an AVI file chunk by chunk, of
JPEG frames with a look at each, and an MP4 file box by box. What remains unseen are
bytes exchanged within a frame's data. In Motion JPEG they spoil that picture; where
frames build on each other, as in MPEG-4, decoders may show an older picture until the
next key frame. Both leave every later frame in its place.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from action_units.errors import LabelError
from action_units.faces.avi import walk_avi
from action_units.faces.decoding import Pixels
from action_units.faces.mp4 import is_mp4, walk_mp4

logger = logging.getLogger(__name__)

_FASTEST = 1000.0  # frames a second; containers without a rate show one of their clock's
_MOST = 1e9

_PROBES = 64
"""How many frames are asked for after one that cannot be decoded, to tell it from the end."""


def read_frames(path: Path | str, expected: int | None) -> Iterator[Pixels]:
    """Give a video's frames, and refuse it where they are not as many as expected.

    The count can only be known after the last frame: use nothing of what was
    yielded before the iterator has ended without an error.

    Args:
        path: The video.
        expected: How many frames its labels have; None where it has no labels. Then
            the frames of a Motion JPEG file must be as many as it holds, and where
            another file lists another number, the log says so.

    Yields:
        Frames ``(H, W, 3)``, blue-green-red.

    Raises:
        LabelError: The video is missing or damaged, or has another number of frames.
    """
    path = Path(path)
    held = check_video(path, expected)
    wanted = held if expected is None else expected
    decoded = 0
    with _capture(path) as capture:
        said = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        while wanted is None or decoded <= wanted:
            there, frame = capture.read()
            if not there:
                break
            decoded += 1
            if wanted is None or decoded <= wanted:
                yield np.asarray(frame, np.uint8)
        if not there and any(capture.grab() for _ in range(_PROBES)):
            raise LabelError(
                path,
                f"frame {decoded + 1:,} cannot be decoded, but frames after it can: every "
                "later label would be off. Replace the video by a whole copy.",
            )
    if wanted is None:
        if not decoded:
            raise LabelError(path, "no frame of it can be decoded. Replace it by a whole copy.")
        # Other containers than MP4 list a length, of which the count is an estimate.
        near = 0 if is_mp4(path) else max(2, said // 20)
        if said > 0 and abs(said - decoded) > near:
            logger.warning("%s: %d frames decoded of the %d listed.", path, decoded, said)
    elif decoded != wanted:
        count = f"more than {wanted:,}" if decoded > wanted else f"only {decoded:,}"
        of = f"{wanted:,} have labels" if expected is not None else f"the file holds {wanted:,}"
        raise LabelError(
            path,
            f"{count} frames can be decoded, but {of}; labels and frames cannot be matched. "
            "Replace the video by a whole copy.",
        )


def check_video(path: Path | str, expected: int | None = None) -> int | None:
    """Look for damage that decoders pass over.

    Args:
        path: The video.
        expected: How many frames its labels have, where that is known.

    Returns:
        How many frames the file holds, where each must decode by itself (Motion JPEG in
        AVI); else None.

    Raises:
        LabelError: The video is missing or damaged, or is an AVI file of JPEG frames and
            holds another number of frames.
    """
    path = Path(path)
    if not path.is_file():
        raise LabelError(path, "there is no such video.")
    if not path.stat().st_size:
        raise LabelError(path, "the video is empty.")
    if is_mp4(path):
        walk_mp4(path)
        return None
    frames = walk_avi(path)
    if frames is None or frames.codec != b"MJPG":
        return None
    held = len(frames.sizes)
    if expected is not None and held != expected:
        raise LabelError(
            path,
            f"the file holds {held:,} frames, but {expected:,} have labels; labels and frames "
            "cannot be matched.",
        )
    return held


@dataclass(frozen=True)
class Listed:
    """What a video's container says of itself.

    Attributes:
        rate: Frames a second; None where it says none, or nothing that can be.
        frames: How many there are; None where it does not say.
    """

    rate: float | None
    frames: int | None


def listed(path: Path | str) -> Listed:
    """Read a video's frame rate and count, which may be missing or wrong.

    Raises:
        LabelError: It cannot be opened as a video.
    """
    try:
        with _capture(Path(path)) as capture:
            rate = float(capture.get(cv2.CAP_PROP_FPS))
            frames = float(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    except LabelError:
        check_video(path)  # which says why, where it knows
        raise
    return Listed(
        rate if 0 < rate <= _FASTEST else None,
        int(frames) if 0 < frames < _MOST else None,
    )


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
