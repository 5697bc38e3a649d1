"""A video's frames as a player shows them, decoded by FFmpeg through PyAV.

Only this module applies a container's or a stream's display information:

- Frames of two fields (interlaced) are deinterlaced, one frame for one frame.
- Pixels that are not square are stretched to square ones; no row or column is given up.
- Frames are rotated and flipped by the display matrix.
- Range and matrix of the colours are those of the stream; deeper pixels keep 8 bits.
- A part of the frame that the container alone hides (Matroska's PixelCrop, MP4's clean
  aperture) stays visible.
- Frames that change their size on the way are scaled to the first one's.
"""

import os
import struct
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.container import InputContainer
from av.filter import Graph
from av.packet import Packet
from av.sidedata.sidedata import SideDataContainer, Type
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from action_units.errors import LabelError
from action_units.media.images import Pixels
from action_units.media.jpeg import NO_END, frame_fault

_GENERATED_TIMES = 1  # AVFMT_FLAG_GENPTS
_MOST_STRETCHED = 4  # a pixel wider or higher than this is an error of who wrote the file
_LISTING = ("matroska,webm", "flv", "asf")  # their header has the length; others are walked
_NEAR = 2  # frames; where a length is given in milliseconds, and without the last frame's own
_SAME_SHAPE = 0.02  # up to which two ratios of width to height are one


@dataclass(frozen=True, eq=False, slots=True)
class Frame:
    """A frame of a video.

    Attributes:
        pixels: Blue-green-red, (H, W, 3), upright.
        seconds: When it is shown, from the stream's start; NaN if unknown.
    """

    pixels: Pixels
    seconds: float


@dataclass(frozen=True, slots=True)
class Undecodable:
    """Data of which the decoder could make no whole frame, or that are not there.

    Attributes:
        frames: Of how many frames, about.
    """

    frames: int = 1


@contextmanager
def open_video(
    path: Path, max_megapixels: float | None
) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a file and find the video in it.

    Args:
        path: The file; its name may be any bytes.
        max_megapixels: The largest frame that gets memory, in 10⁶ pixels; None for any.

    Raises:
        LabelError: It is not a video, or its frames are too large.
    """
    # By its number: a name could be taken for an address or a pattern of names, and so no
    # playlist reaches another file either.
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise LabelError(path, f"the file cannot be read ({error.strerror}).") from None
    options = {"fd": str(descriptor), "protocol_whitelist": "fd"}
    if max_megapixels is not None:
        options["max_pixels"] = str(int(max_megapixels * 1e6))
    try:
        try:
            container = av.open("fd:", options=options, metadata_errors="replace")
        except (av.FFmpegError, ValueError):
            raise LabelError(path, "the file cannot be opened as a video.") from None
        with container:
            stream = container.streams.best("video")
            if (
                not isinstance(stream, VideoStream)
                or stream.codec_context is None
                or Disposition.attached_pic in stream.disposition
            ):
                raise LabelError(path, "the file has no video that can be decoded.")
            context = stream.codec_context
            check_size(path, context.width, context.height, max_megapixels)
            context.options = {k: v for k, v in options.items() if k == "max_pixels"}
            if context.name == "mjpeg":  # of which each frame stands for itself
                context.options = {**context.options, "err_detect": "explode"}
            yield container, stream
    finally:
        os.close(descriptor)


def decode_video(
    path: Path, max_megapixels: float | None
) -> Generator[Frame | Undecodable, None, None]:
    """Decode a video from its start to its end.

    Args:
        path: The file.
        max_megapixels: As in ``open_video``; counts after pixels were made square.

    Raises:
        LabelError: It is not a video, or a frame is too large or of another shape.
    """
    with open_video(path, max_megapixels) as (container, stream):
        context = stream.codec_context
        # An AVI file's times are those of decoding; what PyAV has FFmpeg put in their place is
        # wrong where frames build on later ones.
        container.flags &= ~_GENERATED_TIMES
        # With several threads errors come together with other frames, and PyAV drops them.
        context.thread_count = 1
        clock, upright = _clock(stream), _Upright(path, stream, max_megapixels)
        deinterlacer = _Deinterlacer()
        # The frames of an AVI file were looked at when it was walked.
        looked_at = context.name == "mjpeg" and container.format.name != "avi"
        # Damage is reported with the next data: where none come, the video was cut, though
        # frames may still come that waited for their turn.
        end, broken = 0.0, 0
        for packet in _packets(path, container):
            if packet.pts is not None:
                end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
            # An empty packet, such as Theora's for a repeated frame, is not the end; that
            # of the stream has no time.
            if packet.stream is not stream or (not packet.size and packet.dts is not None):
                continue
            if broken and packet.size:
                yield Undecodable(broken)
                broken = 0
            broken += packet.is_corrupt
            if looked_at and packet.size and frame_fault(bytes(packet)) not in (None, NO_END):
                broken += 1
                continue
            try:
                frames = stream.decode(packet)
            except av.FFmpegError as error:
                check_size(path, context.width, context.height, max_megapixels)
                if isinstance(error, av.error.ArgumentError) and not context.width:
                    # A decoder forgets a size that is above max_pixels, or that none can be.
                    raise LabelError(
                        path, f"a frame of it is above {max_megapixels:g} megapixels."
                    ) from None
                if isinstance(error, MemoryError):
                    raise
                broken += 1
                continue
            for frame in frames:
                if frame.is_corrupt:
                    broken += not packet.is_corrupt
                    continue
                for whole, seconds, turn in deinterlacer.push(
                    frame, clock(frame), _turn(frame)
                ):
                    yield Frame(upright(whole, turn), seconds)
        for whole, seconds, turn in deinterlacer.flush():
            yield Frame(upright(whole, turn), seconds)
        if container.format.name in _LISTING and container.duration:
            missing = (container.duration / av.time_base - end) * (stream.average_rate or 0)
            broken = max(broken, round(missing) if missing > _NEAR else 0)
        if broken:
            yield Undecodable(broken)


def _packets(path: Path, container: InputContainer) -> Iterator["Packet[Stream]"]:
    """The data of all streams, in the order of the file."""
    try:
        yield from container.demux()
    except av.FFmpegError as error:
        if isinstance(error, MemoryError):
            raise
        raise LabelError(
            path,
            f"the file cannot be read to its end ({error.strerror}). Check the disk, and "
            "replace the video by a whole copy.",
        ) from None


def check_size(path: Path, width: int, height: int, max_megapixels: float | None) -> None:
    """Refuse frames above the largest size, in 10⁶ pixels."""
    if max_megapixels is not None and width * height > max_megapixels * 1e6:
        raise LabelError(
            path,
            f"its frames of {width:,} × {height:,} pixels are above {max_megapixels:g} "
            "megapixels.",
        )


def _clock(stream: VideoStream) -> Callable[[VideoFrame], float]:
    """A function that gives when a frame is shown, in seconds from the stream's start."""
    start, base, rate = stream.start_time, stream.time_base, stream.average_rate
    last, in_order = float("nan"), True
    before: tuple[int, int] | None = None

    def seconds(frame: VideoFrame) -> float:
        nonlocal start, last, before, in_order
        # AVI files have no more than the order of decoding, and their last frames not even it;
        # MXF files of H.264 give it out as that of showing, in which frames cannot go back.
        pts, dts = frame.pts, frame.dts
        if pts is not None and dts is not None:
            if before is not None and pts < before[0] and dts >= before[1]:
                in_order = False
            before = pts, dts
        when = pts if in_order and pts is not None else dts
        if when is None or base is None:
            last += float(1 / rate) if rate else float("nan")
            return last
        start = when if start is None else start
        last = float((when - start) * base)
        return last

    return seconds


_Turn = tuple[bool, bool, bool]
"""Whether rows and columns change places; and then are mirrored, from right and from below."""


def _turn(frame: VideoFrame) -> _Turn:
    """How a frame is turned to be upright (ISO/IEC 14496-12, 6.2.2)."""
    try:
        matrix = cast(SideDataContainer, frame.side_data)[Type.DISPLAYMATRIX]
    except KeyError:
        return False, False, False
    # A pixel (x, y) is shown at (ax + cy, bx + dy); angles between are left as they are.
    a, b, _, c, d = struct.unpack_from("=5i", bytes(matrix))
    if abs(b) + abs(c) > abs(a) + abs(d):
        return True, c < 0, b < 0
    return False, a < 0, d < 0


class _Upright:
    """Makes pixels of frames: square, upright, and all of the first one's size."""

    def __init__(self, path: Path, stream: VideoStream, max_megapixels: float | None) -> None:
        self._path, self._most = path, max_megapixels
        ratio = float(stream.sample_aspect_ratio or 1)
        self._ratio = ratio if 1 / _MOST_STRETCHED <= ratio <= _MOST_STRETCHED else 1.0
        self._reformatter = VideoReformatter()
        self._size: tuple[int, int] | None = None

    def __call__(self, frame: VideoFrame, turn: _Turn) -> Pixels:
        swapped, from_right, from_below = turn
        width = round(frame.width * max(self._ratio, 1.0))
        height = round(frame.height / min(self._ratio, 1.0))
        shown = (height, width) if swapped else (width, height)
        if self._size is None:
            check_size(self._path, width, height, self._most)
            self._size = shown
        elif shown != self._size:
            before, now = (w / h for w, h in (self._size, shown))
            if abs(now / before - 1) > _SAME_SHAPE:
                raise LabelError(
                    self._path,
                    f"its frames change their shape, from {self._size[0]:,} × "
                    f"{self._size[1]:,} pixels to {shown[0]:,} × {shown[1]:,}. Cut it into "
                    "a file for each.",
                )
            width, height = self._size[::-1] if swapped else self._size
        made = self._reformatter.reformat(
            frame, width, height, "bgr24", interpolation="BICUBIC", threads=1
        )
        pixels = np.asarray(made.to_ndarray(), np.uint8)
        if swapped:
            pixels = np.swapaxes(pixels, 0, 1)
        pixels = pixels[:: -1 if from_below else 1, :: -1 if from_right else 1]
        return np.ascontiguousarray(pixels)


class _Deinterlacer:
    """Makes whole frames of two fields each (FFmpeg's bwdif), from the first such frame on.

    Each frame that goes in comes out, in its order; the filter looks one frame ahead.
    """

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._form: tuple[int, int, str] | None = None
        self._waiting: deque[tuple[float, _Turn]] = deque()

    def push(
        self, frame: VideoFrame, seconds: float, turn: _Turn
    ) -> Iterator[tuple[VideoFrame, float, _Turn]]:
        """Take a frame and give those that are ready."""
        if self._graph is None and not frame.interlaced_frame:
            yield frame, seconds, turn
            return
        form = frame.width, frame.height, frame.format.name
        if form != self._form:
            yield from self.flush()
            self._begin(form, frame)
        self._waiting.append((seconds, turn))
        assert self._graph is not None
        self._graph.vpush(frame)
        yield from self._ready()

    def flush(self) -> Iterator[tuple[VideoFrame, float, _Turn]]:
        """Give the frames that are left at the end."""
        if self._graph is not None:
            self._graph.vpush(None)
            yield from self._ready()

    def _begin(self, form: tuple[int, int, str], frame: VideoFrame) -> None:
        self._graph, self._form = Graph(), form
        self._graph.threads = 1
        self._graph.link_nodes(
            self._graph.add_buffer(
                width=form[0], height=form[1], format=frame.format, time_base=frame.time_base
            ),
            self._graph.add("bwdif", "mode=send_frame:deint=interlaced"),
            self._graph.add("buffersink"),
        ).configure()

    def _ready(self) -> Iterator[tuple[VideoFrame, float, _Turn]]:
        assert self._graph is not None
        while True:
            try:
                frame = self._graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            yield frame, *self._waiting.popleft()
