"""Frames of a video, as many as its labels.

A frame that is lost without an error shifts every label after it. So a video is only used
where its decoded frames are as many as its labels, and its file is walked first, because
decoders ignore damage (``containers``). Undetected are bytes exchanged within a
frame's data that its decoder takes for sound. In Motion JPEG they spoil that picture; where
frames build on each other, as in MPEG-4, decoders may show an older picture until the next
key frame. Both leave every later frame in its place.
"""

import logging
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import av

from action_units.errors import LabelError
from action_units.media.containers import walk_container
from action_units.media.images import MAX_MEGAPIXELS, Pixels
from action_units.media.video_stream import Frame, Undecodable, decode_video, open_video

logger = logging.getLogger(__name__)

_NEARLY = 5
"""So many frames more or fewer than labels may be of one recording all the same."""

_FASTEST = 1000  # frames a second; containers without a rate show one of their clock's


def read_frames(
    path: Path | str,
    expected: int | None,
    max_megapixels: float | None = MAX_MEGAPIXELS,
    tolerance: int = 0,
    numbered: bool = False,
) -> Generator[Pixels, None, None]:
    """Give a video's frames without their times; see ``timed_frames``."""
    with closing(timed_frames(path, expected, max_megapixels, tolerance, numbered)) as frames:
        for frame in frames:
            yield frame.pixels


def timed_frames(
    path: Path | str,
    expected: int | None,
    max_megapixels: float | None = MAX_MEGAPIXELS,
    tolerance: int = 0,
    numbered: bool = False,
) -> Generator[Frame, None, None]:
    """Give a video's frames, and refuse it where they are not as many as expected.

    The count can only be known after the last frame: use nothing of what was
    yielded before the iterator has ended without an error.

    Args:
        path: The video.
        expected: How many frames its labels have; None where it has no labels. Then
            the frames of a Motion JPEG file must be as many as it holds, and where
            some are missing at the start or the end of another file, a warning is logged.
        max_megapixels: The largest frame, in 10⁶ pixels, once pixels are square; None for
            any.
        tolerance: By how many frames a video may be longer or shorter than its labels,
            which only the end of the two may explain.
        numbered: Some of its frames have labels, by their numbers: the first frames must
            decode.

    Raises:
        LabelError: The video is missing or damaged, or has another number of frames, or
            too large ones.
    """
    path = Path(path)
    in_file = check_video(path, expected, tolerance)
    required = in_file if expected is None else expected
    most = None if required is None else required + tolerance
    decoded = lost = 0
    with closing(decode_video(path, max_megapixels)) as frames:
        for frame in frames:
            if isinstance(frame, Undecodable):
                lost += frame.frames
                continue
            if lost and (decoded or numbered or expected is not None):
                raise LabelError(
                    path,
                    f"frame {decoded + 1:,} cannot be decoded, but frames after it can: every "
                    "later label would be off. Replace the video by a whole copy.",
                )
            decoded += 1
            if most is None or decoded <= most:
                yield frame
    if required is None:
        if not decoded:
            raise LabelError(path, "no frame of it can be decoded. Replace it by a whole copy.")
        if lost:
            logger.warning(
                "%s: %d frames decoded of the %d listed.", path, decoded, decoded + lost
            )
    elif expected is not None:
        check_frame_count(path, "can be decoded", decoded, expected, tolerance)
    elif decoded != required:
        raise LabelError(
            path,
            f"{decoded:,} frames can be decoded, but the file holds {required:,}. Replace the "
            "video by a whole copy.",
        )


def check_frame_count(
    path: Path, what: str, frames: int, labels: int, tolerance: int = 0
) -> None:
    """Raise if the numbers of frames and labels differ, with advice.

    Raises:
        LabelError: They differ by more than the tolerance.
    """
    difference = abs(frames - labels)
    if difference <= tolerance:
        return
    hint = ""
    if difference <= _NEARLY:
        lost = "frames have no label" if frames > labels else "labels have no frame"
        hint = (
            f" If frame 1 has label 1 and only the last {lost}, "
            f"frame_count_tolerance: {difference} in the set's entry of coded_sets leaves the "
            "surplus out."
        )
    raise LabelError(
        path,
        f"{'only ' if frames < labels else ''}{frames:,} frames {what}, but {labels:,} have "
        f"labels; labels and frames cannot be matched. Replace them by a whole copy.{hint}",
    )


def check_video(
    path: Path | str, expected: int | None = None, tolerance: int = 0
) -> int | None:
    """Look for damage that decoders ignore.

    Args:
        path: The video.
        expected: How many frames its labels have, where that is known.
        tolerance: By how many the two may differ.

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
    in_file = walk_container(path)
    if in_file is not None and expected is not None:
        check_frame_count(path, "are in the file", in_file, expected, tolerance)
    return in_file


@dataclass(frozen=True)
class ContainerInfo:
    """A video's properties by its container.

    Attributes:
        rate: Frames a second, on average; None where it gives none, or an impossible one.
        frames: About how many it has; None if unknown.
    """

    rate: float | None
    frames: int | None


def container_info(
    path: Path | str, max_megapixels: float | None = MAX_MEGAPIXELS
) -> ContainerInfo:
    """Read a video's frame rate and count, which may be missing or wrong.

    Raises:
        LabelError: It cannot be opened as a video.
    """
    path = Path(path)
    try:
        with open_video(path, max_megapixels) as (container, stream):
            rate = stream.average_rate
            rate = rate if rate and 0 < rate <= _FASTEST else None
            frames = stream.frames
            if not frames and rate and container.duration:
                frames = round(rate * container.duration / av.time_base)
            return ContainerInfo(float(rate) if rate else None, max(0, frames) or None)
    except LabelError:
        check_video(path)  # which raises with the reason, if known
        raise
