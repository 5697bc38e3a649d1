"""Annotated copies of pictures and videos, from a table of predictions."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from action_units.errors import ArtifactError, ConfigurationError
from action_units.faces.decoding import Pixels, read_photograph
from action_units.faces.video import listed, read_frames
from action_units.facs.action_units import au_columns, aus_of_columns
from action_units.files import (
    advice,
    give_name,
    make_folder,
    sync,
    temporary_folder,
    write_bytes,
)
from action_units.prediction.contents import kind_of_file
from action_units.prediction.panel import MOST_COLUMNS, Panel, ShownFace
from action_units.progress import Progress

CODECS = {".webm": "VP80", ".mp4": "mp4v", ".avi": "MJPG"}
"""What a video is written with, by its suffix.

VP8 in WebM plays in every browser and in the usual players, and OpenCV's wheel can encode
it. That wheel has no H.264, and no browser plays the older MPEG-4 that it puts into MP4;
VP9 takes three times as long. MPEG-4 (``.mp4``, for players such as VLC) and Motion JPEG
(``.avi``, for editing programs) are some twenty times as fast to write as VP8.
"""

Ints = npt.NDArray[np.int64]

_RATE = 25.0  # of a video whose container names no rate


def annotate(source: Path, table: pd.DataFrame, out: Path, *, name: str = "") -> Path:
    """Draw what was predicted into a copy of a picture or video.

    Args:
        source: The picture or video, which is decoded again.
        table: Its predictions, of this source alone.
        out: A picture's copy is a PNG; a video's is ``.webm``, which browsers play, or
            ``.mp4`` or ``.avi``. The frame rate and the number of frames stay.
        name: Of the classifier; stands in every picture.

    Returns:
        `out`.

    Raises:
        ArtifactError: The table is of something else, or the disk refused.
        ConfigurationError: The suffix is none of these.
        LabelError: The video is damaged.
        UnusableFace: The picture is.
    """
    source, out = Path(source), Path(out)
    frames = _Frames(table, source)
    if kind_of_file(source) == "picture":
        if out.suffix != ".png":
            raise ConfigurationError(f"{out}: an annotated picture is a .png file.")
        if frames.count != 1:
            raise ArtifactError(f"{source} is one picture, but its table is of {frames.count}.")
        pixels = read_photograph(source).pixels
        panel = Panel(_size(pixels), frames.aus, frames.columns, name)
        drawn = panel.draw(pixels, frames.faces(1), frames.slots, source.name)
        write_bytes(out, cv2.imencode(".png", drawn)[1].tobytes())
        return out
    if out.suffix not in CODECS:
        raise ConfigurationError(f"{out}: an annotated video is {', '.join(CODECS)}.")
    _annotate_video(source, frames, out, name)
    return out


def _annotate_video(source: Path, frames: "_Frames", out: Path, name: str) -> None:
    rate = listed(source).rate
    with (
        _encoder(out, rate or _RATE, frames.count) as write,
        Progress(f"Annotating {source.name}", frames.count, "frames") as progress,
    ):
        panel, number = None, 0
        for number, pixels in enumerate(read_frames(source, None), 1):
            if number > frames.count:
                break
            panel = panel or Panel(_size(pixels), frames.aus, frames.columns, name)
            note = f"frame {number:,}" + (f" · {(number - 1) / rate:.2f} s" if rate else "")
            write(panel.draw(pixels, frames.faces(number), frames.slots, note))
            progress.advance()
        if number != frames.count:
            more = "more than " if number > frames.count else ""
            raise ArtifactError(
                f"{source} has {more}{min(number, frames.count):,} frames, but its table has "
                f"{frames.count:,}; predict it again."
            )


@contextmanager
def _unheard() -> Iterator[None]:
    """Without what OpenCV prints: that WebM has no such tag for VP8, which it then writes."""
    sys.stderr.flush()
    heard = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(heard, 2)
        os.close(nowhere)
        os.close(heard)


@contextmanager
def _encoder(out: Path, rate: float, expected: int) -> Iterator[Callable[[Pixels], None]]:
    """Encode a video that takes its name when it is whole; yields what takes the frames."""
    with ExitStack() as stack:
        try:
            make_folder(out.parent)
            # A folder of its own, because the encoder wants a name with the right suffix.
            folder = stack.enter_context(temporary_folder("annotating", out.parent))
        except OSError as error:
            raise ArtifactError(
                f"{out} could not be written ({error.strerror or error}). {advice(error)}"
            ) from error
        path = folder / f"video{out.suffix}"
        try:
            str(path).encode()
        except UnicodeEncodeError:  # OpenCV crashes on it
            raise ConfigurationError(f"{out.parent!r} is not UTF-8; choose another.") from None
        encoder: cv2.VideoWriter | None = None

        def write(frame: Pixels) -> None:
            nonlocal encoder
            if encoder is None:
                four = cv2.VideoWriter.fourcc(*CODECS[out.suffix])
                size = _size(frame)
                with _unheard():
                    encoder = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, four, rate, size)
                stack.callback(encoder.release)
                if not encoder.isOpened():
                    raise ArtifactError(
                        f"{out}: OpenCV cannot encode {size[0]} × {size[1]} pixels here as "
                        f"{CODECS[out.suffix]}; choose another of {', '.join(CODECS)}."
                    )
            encoder.write(frame)

        yield write
        if encoder is not None:
            encoder.release()
        # A full disk is no error to the encoder; but what it could not end has no length.
        if not path.is_file() or abs((listed(path).frames or 0) - expected) > 1:
            raise ArtifactError(
                f"{out} could not be written whole; what was there before is untouched. Free "
                "some space or choose another folder."
            )
        with path.open("rb") as file:
            sync(file.fileno())
        give_name(path, out)


class _Frames:
    """A table of predictions by frame.

    Attributes:
        aus: The AU of each column.
        count: How many frames or pictures it is of.
        columns: How many faces have bars at the same time, at least 1.
        slots: The column of each face's bars, where it has one.
    """

    def __init__(self, table: pd.DataFrame, source: Path) -> None:
        names = [str(column) for column in table]
        self.aus = aus_of_columns(column[:-2] for column in names if column.endswith("_p"))
        if not self.aus or not {"frame", "face_id", "width", "confidence"} <= set(names):
            raise ArtifactError(f"{source}: its table is no table of predictions.")
        images = table["image"].nunique() if "image" in table else 1
        table = table.sort_values(["frame", "face_id"], kind="stable")
        self._frame = table["frame"].to_numpy(np.int64)
        numbers = np.unique(self._frame)
        self.count = max(images, len(numbers))
        if images == 1 and (numbers != np.arange(1, len(numbers) + 1)).any():
            raise ArtifactError(f"{source}: its table leaves out frames; predict it again.")
        self._ids = table["face_id"].to_numpy(np.int64)
        self._confidence = table["confidence"].to_numpy(np.float64)
        self._boxes = table[["x", "y", "width", "height"]].to_numpy(np.float64)  # (N, 4)
        columns = au_columns(self.aus)
        self._p = table[[f"{c}_p" for c in columns]].to_numpy(np.float32)  # (N, A)
        calls = table[[f"{c}_c" for c in columns]].astype("Int8").fillna(0)
        self._called = calls.to_numpy(np.int8) == 1
        self.slots = _slots(self._frame, self._ids)
        self.columns = 1 + max(self.slots.values(), default=0)

    def faces(self, frame: int) -> list[ShownFace]:
        """The faces of a frame."""
        first, last = np.searchsorted(self._frame, [frame, frame + 1])
        return [
            ShownFace(
                int(self._ids[row]),
                float(self._confidence[row]),
                tuple(self._boxes[row].tolist()),
                self._p[row],
                self._called[row],
            )
            for row in range(first, last)
            if self._ids[row] >= 0
        ]


def _slots(frames: Ints, ids: Ints) -> dict[int, int]:
    """Which column shows a face: the first that is free for as long as the face is there."""
    spans = {
        int(face): (int(frames[rows[0]]), int(frames[rows[-1]]))
        for face in np.unique(ids[ids >= 0])
        for rows in (np.flatnonzero(ids == face),)
    }
    slots: dict[int, int] = {}
    busy_until = [0] * MOST_COLUMNS
    for face, (first, last) in sorted(spans.items(), key=lambda item: (item[1], item[0])):
        free = [slot for slot, until in enumerate(busy_until) if until < first]
        if free:
            slots[face] = free[0]
            busy_until[free[0]] = last
    return slots


def _size(pixels: Pixels) -> tuple[int, int]:
    return int(pixels.shape[1]), int(pixels.shape[0])
