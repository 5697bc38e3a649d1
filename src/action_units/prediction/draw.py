"""Drawings of predictions: annotated copies of pictures and videos, and timelines."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
from av.container import OutputContainer
from av.video.frame import VideoFrame

from action_units.errors import ArtifactError, ConfigurationError
from action_units.files import atomic_write, write_bytes
from action_units.labels.action_units import au_columns, aus_of_columns
from action_units.media.file_types import kind_of_file
from action_units.media.images import Pixels, read_image
from action_units.media.sources import FolderChunk
from action_units.media.video import container_info, timed_frames
from action_units.prediction.outputs import Outcome, read_table, with_suffix
from action_units.prediction.panel import MAX_COLUMNS, Panel, ShownFace
from action_units.prediction.sources import Photographs, short_name
from action_units.prediction.timeline import draw_timelines
from action_units.progress import Progress

logger = logging.getLogger(__name__)

VIDEO, PICTURE = "_annotated.webm", "_annotated.png"

_TICK = Fraction(1, 1000)  # of a second, in which WebM counts
_VP8 = {"deadline": "realtime", "cpu-used": "4", "crf": "10"}
_BITS = 0.35  # a pixel, at most: VP8 needs a limit
_RATE = 25.0  # frames a second, where the container has none


def draw(outcomes: Sequence[Outcome], *, annotate: bool, timeline: bool) -> list[Path]:
    """Draw next to the tables.

    Args:
        outcomes: Of ``write_tables``; nothing is drawn of what was quarantined.
        annotate: A copy of each picture and video with boxes, bars and active AUs.
        timeline: A plot of every AU along each video, one for each face.

    Returns:
        The files, in the order of the sources.
    """
    drawn: list[Path] = []
    for outcome in outcomes:
        if outcome.record and (annotate or timeline):
            table = read_table(outcome.table)
            drawn += _annotated_copies(outcome, table) if annotate else []
            if timeline and not isinstance(outcome.part, Photographs):
                path = with_suffix(outcome.stem, "_timeline.png")
                drawn += draw_timelines(table, path, title=outcome.part.given)
    return drawn


def _annotated_copies(outcome: Outcome, table: pd.DataFrame) -> Iterator[Path]:
    part, name = outcome.part, str(outcome.record["classifier"])
    if not isinstance(part, Photographs):
        yield annotate(part.path, table, with_suffix(outcome.stem, VIDEO), name=name)
        return
    files = [
        (chunk.id, chunk.path)
        for chunk in part.chunks
        if isinstance(chunk, FolderChunk) and isinstance(chunk.path, Path)
    ]
    if len(files) < len(part.chunks):
        logger.warning(
            "%s: photographs in a tar, a TSV or a store are not annotated; copy them "
            "into a folder first.",
            part.location,
        )
    of_image = dict(tuple(table.groupby("image")))
    # The same addition as the table's name, where another source has taken the plain one.
    suffix = outcome.stem.name.removeprefix(part.name)
    for image, path in files:
        if image in of_image:
            flat = short_name(image.strip("/").replace("/", "~"))
            out = outcome.stem.parent / f"{flat}{suffix}{PICTURE}"
            yield annotate(path, of_image[image], out, name=name)


def annotate(source: Path, table: pd.DataFrame, out: Path, *, name: str = "") -> Path:
    """Draw predictions into a copy of a picture or video.

    Args:
        source: The picture or video, which is decoded again.
        table: Its predictions, of this source alone.
        out: A picture's copy is a PNG. A video's is VP8 in WebM, which browsers and the
            usual players show; every frame keeps its time.
        name: Of the classifier; drawn in every picture.

    Returns:
        `out`.

    Raises:
        ArtifactError: The table is of another source, or the disk refused.
        ConfigurationError: The suffix is not ``.png`` or ``.webm``.
        LabelError: The video is damaged.
        UnusableFace: The picture cannot be used.
    """
    source, out = Path(source), Path(out)
    frames = _Frames(table, source)
    picture = kind_of_file(source) == "picture"
    suffix = ".png" if picture else ".webm"
    if out.suffix != suffix:
        kind = "picture" if picture else "video"
        raise ConfigurationError(f"{out}: an annotated {kind} is a {suffix} file.")
    if picture:
        if frames.count != 1:
            raise ArtifactError(f"{source} is one picture, but its table is of {frames.count}.")
        pixels = read_image(source)
        drawn = frames.panel(pixels, name).draw(
            pixels, frames.faces(1), frames.slots, source.name
        )
        write_bytes(out, cv2.imencode(".png", drawn)[1].tobytes())
        return out
    rate = frames.rate or container_info(source).rate or _RATE
    with (
        closing(timed_frames(source, None)) as decoded,
        _encoder(out, rate) as write,
        Progress(f"Annotating {source.name}", frames.count, "frames") as progress,
    ):
        panel, number = None, 0
        for number, frame in enumerate(decoded, 1):
            if number > frames.count:
                break
            panel = panel or frames.panel(frame.pixels, name)
            timed = not np.isnan(frame.seconds)
            note = f"frame {number:,}" + (f" · {frame.seconds:.2f} s" if timed else "")
            drawn = panel.draw(frame.pixels, frames.faces(number), frames.slots, note)
            write(drawn, frame.seconds if timed else (number - 1) / rate)
            progress.advance()
        if number != frames.count:
            more = "more than " if number > frames.count else ""
            raise ArtifactError(
                f"{source} has {more}{min(number, frames.count):,} frames, but its table has "
                f"{frames.count:,}; predict it again."
            )
    return out


@contextmanager
def _encoder(out: Path, rate: float) -> Iterator[Callable[[Pixels, float], None]]:
    """Encode a video, which takes its name when it is complete.

    Yields:
        A function that takes the frames, each with its time in seconds.
    """
    average = Fraction(rate).limit_denominator(1001)
    step = max(1, round(1 / (average * _TICK)))
    last = -1
    with atomic_write(out) as file, _closed(av.open(file, "w", "webm")) as container:
        stream = container.add_stream("libvpx", average)
        context = stream.codec_context
        context.time_base = _TICK
        context.pix_fmt = "yuv420p"
        context.options = _VP8

        def write(pixels: Pixels, seconds: float) -> None:
            nonlocal last
            if last < 0:
                context.width, context.height = _size(pixels)
                context.bit_rate = int(_BITS * context.width * context.height * average)
            frame = VideoFrame.from_ndarray(pixels, "bgr24")
            frame.pts = last = max(round(seconds / _TICK), last + 1)
            frame.time_base, frame.duration = _TICK, step
            container.mux(stream.encode(frame))

        yield write
        container.mux(stream.encode(None))


@contextmanager
def _closed(container: OutputContainer) -> Iterator[OutputContainer]:
    """Close a container; an earlier error of writing is the one that is raised."""
    try:
        yield container
    except BaseException:
        with suppress(av.FFmpegError, OSError):
            container.close()
        raise
    container.close()


class _Frames:
    """A table of predictions by frame.

    Attributes:
        aus: The AU of each column.
        count: The number of frames or pictures.
        rate: Frames a second, on average; None where the table has no times.
        columns: The most faces that have bars at the same time, at least 1.
        slots: The column of each face's bars, where it has one.
    """

    def __init__(self, table: pd.DataFrame, source: Path) -> None:
        names = [str(column) for column in table]
        self.aus = aus_of_columns(column[:-2] for column in names if column.endswith("_p"))
        if not self.aus or not {"frame", "face_id", "width", "confidence"} <= set(names):
            raise ArtifactError(f"{source}: its table is not a table of predictions.")
        images = table["image"].nunique() if "image" in table else 1
        table = table.sort_values(["frame", "face_id"], kind="stable")
        self._frame = table["frame"].to_numpy(np.int64)
        numbers = np.unique(self._frame)
        self.count = max(images, len(numbers))
        if images == 1 and (numbers != np.arange(1, len(numbers) + 1)).any():
            raise ArtifactError(f"{source}: its table leaves out frames; predict it again.")
        times = table["timestamp"] if "timestamp" in table else pd.Series(dtype=float)
        length = float(times.max() - times.min())
        self.rate = (self.count - 1) / length if length > 0 else None
        self._ids = table["face_id"].to_numpy(np.int64)
        self._confidence = table["confidence"].to_numpy(np.float64)
        self._boxes = table[["x", "y", "width", "height"]].to_numpy(np.float64)  # (N, 4)
        columns = au_columns(self.aus)
        self._p = table[[f"{c}_p" for c in columns]].to_numpy(np.float32)  # (N, A)
        calls = table[[f"{c}_c" for c in columns]].astype("Int8").fillna(0)
        self._present = calls.to_numpy(np.int8) == 1
        self.slots = _slots(self._frame, self._ids)
        self.columns = 1 + max(self.slots.values(), default=0)

    def panel(self, pixels: Pixels, name: str) -> Panel:
        """For pictures of this size."""
        return Panel(_size(pixels), self.aus, self.columns, name)

    def faces(self, frame: int) -> list[ShownFace]:
        """The faces of a frame."""
        first, last = np.searchsorted(self._frame, [frame, frame + 1])
        return [
            ShownFace(
                int(self._ids[row]),
                float(self._confidence[row]),
                tuple(self._boxes[row].tolist()),
                self._p[row],
                self._present[row],
            )
            for row in range(first, last)
            if self._ids[row] >= 0
        ]


def _slots(frames: npt.NDArray[np.int64], ids: npt.NDArray[np.int64]) -> dict[int, int]:
    """The column of each face: the first that is free for as long as the face is there."""
    spans = {
        int(face): (int(frames[rows[0]]), int(frames[rows[-1]]))
        for face in np.unique(ids[ids >= 0])
        for rows in (np.flatnonzero(ids == face),)
    }
    slots: dict[int, int] = {}
    busy_until = [0] * MAX_COLUMNS
    for face, (first, last) in sorted(spans.items(), key=lambda item: (item[1], item[0])):
        free = [slot for slot, until in enumerate(busy_until) if until < first]
        if free:
            slots[face] = free[0]
            busy_until[free[0]] = last
    return slots


def _size(pixels: Pixels) -> tuple[int, int]:
    return int(pixels.shape[1]), int(pixels.shape[0])
