"""From frames and photographs to rows of a table, with all cores at work.

Four stages, each some frames ahead of the next: reading (a thread of its own), finding and
cutting out faces (a frame a thread), following them (in order), and asking the networks (a
block of faces a thread). Finding and asking share one pool of threads, so that whichever
is the slower gets more of it. OpenCV and torch let go of Python's lock while they compute.
"""

import logging
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import numpy as np
import numpy.typing as npt

from action_units.errors import ConfigurationError, UnusableFace
from action_units.faces.detection.base import Detection
from action_units.faces.detection.registry import thread_detector
from action_units.faces.quarantine import LEFT_OUT, Quarantine
from action_units.media.images import Pixels, decode, further_images
from action_units.media.photographs import Photograph
from action_units.media.video import timed_frames
from action_units.prediction.classifier import Classifier
from action_units.prediction.flow import in_order, prefetched
from action_units.prediction.tables import NO_FACE, Key, Rows
from action_units.prediction.tracks import check_mode, make_tracker
from action_units.threads import cores, thread_limit

logger = logging.getLogger(__name__)

_FACES = 32  # that are asked about at once, where a network has no block of its own
_FRAMES_A_BATCH = 256  # a batch of frames without faces ends here
_NAN = float("nan")

Follow = Callable[[int, list[Detection]], list[tuple[int, int]]]


@dataclass(frozen=True, slots=True)
class Shot:
    """A frame or a photograph to look at.

    Attributes:
        image: The photograph's path; empty for a frame.
        frame: From 1.
        timestamp: In seconds.
        content: Pixels, a picture's file, or why there is none.
        place: Where a person finds the photograph.
    """

    image: str
    frame: int
    timestamp: float
    content: Pixels | bytes | UnusableFace
    place: str = ""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was found in a shot, and its faces as the networks take them, None if unusable."""

    shot: Shot
    found: list[Detection]
    crops: list[Pixels | None]
    error: UnusableFace | None = None
    left_out: str = ""


@dataclass(slots=True)
class _Batch:
    """Some shots with their faces, in order.

    Attributes:
        keys: The rows.
        rows: Which of the rows have a face, (N,).
        crops: Those faces, N of them.
        frames: How many shots there are.
    """

    keys: list[Key] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    crops: list[Pixels] = field(default_factory=list)
    frames: int = 0

    @property
    def last(self) -> int:
        """The number of the last frame."""
        return self.keys[-1][1]


_Asked = tuple[_Batch, npt.NDArray[np.float32]]
"""A batch and what the networks said of its faces, (M, N, A)."""


class Engine:
    """Threads that find faces and ask a classifier about them; use it in a ``with``.

    It has OpenCV and torch work in one thread each, because its own threads are the
    parallelism, and puts back what was set when it is left.
    """

    def __init__(
        self,
        classifier: Classifier,
        faces: str = "all",
        workers: int | None = None,
        batch_size: int | None = None,
    ) -> None:
        """Say how to work.

        Args:
            classifier: What is asked.
            faces: ``all``, or ``one``: the face that preprocessing takes.
            workers: Threads, where ``threads.limited`` sets no other number; None is one
                for each core.
            batch_size: Faces that are asked about at once; None takes the networks' own.
                Changes speed and memory only.

        Raises:
            ConfigurationError: A value cannot be.
        """
        check_mode(faces)
        for name, value in (("workers", workers), ("batch_size", batch_size)):
            if value is not None and (type(value) is not int or value < 1):
                raise ConfigurationError(f"{name}={value!r} must be a whole number from 1.")
        self.classifier, self.mode = classifier, faces
        self.workers = thread_limit() or workers or cores()
        blocks = [getattr(member.network, "block", _FACES) for member in classifier.members]
        self.batch_size = batch_size or max(blocks)

    def __enter__(self) -> Self:
        """Start the threads."""
        self._stack = ExitStack()
        self._stack.callback(cv2.setNumThreads, cv2.getNumThreads())
        cv2.setNumThreads(1)
        torch = sys.modules.get("torch")  # networks may run without it
        if torch is not None:
            self._stack.callback(torch.set_num_threads, torch.get_num_threads())
        one = (lambda: torch.set_num_threads(1)) if torch is not None else None
        self._pool = ThreadPoolExecutor(self.workers, "predict", one)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the threads."""
        self._pool.shutdown(cancel_futures=True)
        self._stack.close()

    def video(
        self, path: Path, max_megapixels: float | None = None
    ) -> Generator[Rows, None, None]:
        """The rows of a video, in order.

        Args:
            path: The video.
            max_megapixels: The largest frame, in 10⁶ pixels; None takes the largest
                photograph that preprocessing took.

        Raises:
            LabelError: It is missing or damaged; use nothing of what was given before.
        """
        most = max_megapixels or self.classifier.faces.settings.max_megapixels

        def shots() -> Iterator[Shot]:
            with closing(timed_frames(path, None, most)) as frames:
                for n, frame in enumerate(frames, 1):
                    if n == 1 and np.isnan(frame.seconds):
                        logger.warning("%s does not say when its frames are shown.", path)
                    yield Shot("", n, round(frame.seconds, 6), frame.pixels)

        look_ahead = self.classifier.look_ahead
        return self._rows(shots(), make_tracker(self.mode).follow, Quarantine(), look_ahead)

    def photographs(
        self, photographs: Iterable[Photograph], quarantine: Quarantine
    ) -> Generator[Rows, None, None]:
        """The rows of photographs, in order; each stands for itself.

        Args:
            photographs: As files.
            quarantine: Gets those that cannot be used, which have no rows.
        """
        shots = (Shot(p.name, 1, 0.0, p.content, p.location) for p in photographs)
        return self.pictures(shots, quarantine)

    def pictures(
        self, shots: Iterator[Shot], quarantine: Quarantine
    ) -> Generator[Rows, None, None]:
        """The rows of pictures that are in memory; as ``photographs``."""

        def follow(frame: int, found: list[Detection]) -> list[tuple[int, int]]:
            return make_tracker(self.mode).follow(frame, found)

        return self._rows(shots, follow, quarantine, None)

    def _rows(
        self,
        shots: Iterator[Shot],
        follow: Follow,
        quarantine: Quarantine,
        look_ahead: int | None,
    ) -> Generator[Rows, None, None]:
        """The chain of all stages; no look-ahead says that the shots are no video."""
        ahead = 2 * self.workers
        seen = in_order(self._pool, self._look, prefetched(shots, ahead), ahead)
        batches = self._batches(seen, follow, quarantine)
        asked = in_order(self._pool, self._ask, batches, self.workers)
        return self._treated(asked, look_ahead)

    def _look(self, shot: Shot) -> _Seen:
        """Find and cut out all faces of a shot."""
        settings = self.classifier.faces.settings
        pixels, others = shot.content, ""
        try:
            if isinstance(pixels, UnusableFace):
                raise pixels
            if isinstance(pixels, bytes):
                others = further_images(pixels)
                pixels = decode(pixels, max_megapixels=settings.max_megapixels)
        except UnusableFace as error:
            return _Seen(_without_content(shot), [], [], error)
        found = thread_detector(settings.detector).detect(pixels)
        crops: list[Pixels | None] = []
        for face in found:
            try:
                crops.append(self.classifier.faces.face(pixels, face))
            except UnusableFace:  # such as a box outside of the picture
                crops.append(None)
        return _Seen(_without_content(shot), found, crops, left_out=others)

    def _batches(
        self, seen: Generator[_Seen, None, None], follow: Follow, quarantine: Quarantine
    ) -> Generator[_Batch, None, None]:
        """Number the faces, and gather as many shots as are asked about at once."""
        batch = _Batch()
        with closing(seen):
            for one in seen:
                shot = one.shot
                if one.error is not None:
                    quarantine.add(shot.place or shot.image, one.error.reason, one.error.detail)
                    continue
                if one.left_out:
                    quarantine.add(shot.place or shot.image, LEFT_OUT, one.left_out)
                before = (shot.image, shot.frame, shot.timestamp)
                batch.frames += 1
                kept = follow(shot.frame, one.found)
                if not kept:
                    batch.keys.append((*before, NO_FACE, 0.0, 0, _NAN, _NAN, _NAN, _NAN))
                for number, place in kept:
                    face, crop = one.found[place], one.crops[place]
                    if crop is not None:
                        batch.rows.append(len(batch.keys))
                        batch.crops.append(crop)
                    x, y, width, height = (round(value, 2) for value in face.box)
                    score, success = round(face.score, 4), int(crop is not None)
                    batch.keys.append((*before, number, score, success, x, y, width, height))
                if len(batch.crops) >= self.batch_size or batch.frames >= _FRAMES_A_BATCH:
                    yield batch
                    batch = _Batch()
        if batch.keys:
            yield batch

    def _ask(self, batch: _Batch) -> _Asked:
        """What the networks say of a batch's faces."""
        if batch.crops:
            raw = self.classifier.probabilities(np.stack(batch.crops))
        else:
            raw = np.empty(
                (len(self.classifier.members), 0, len(self.classifier.aus)), np.float32
            )
        batch.crops = []
        return batch, raw

    def _treated(
        self, asked: Generator[_Asked, None, None], look_ahead: int | None
    ) -> Generator[Rows, None, None]:
        """Smooth, calibrate and call; a batch waits for the frames its last ones need."""
        waiting: deque[_Asked] = deque()
        before: list[_Asked] = []
        with closing(asked):
            for batch, raw in asked:
                waiting.append((batch, raw))
                while waiting and batch.last >= waiting[0][0].last + (look_ahead or 0):
                    yield self._combine(before, waiting, look_ahead)
            while waiting:
                yield self._combine(before, waiting, look_ahead)

    def _combine(
        self, before: list[_Asked], waiting: deque[_Asked], look_ahead: int | None
    ) -> Rows:
        """Make rows of the batch that waits longest; it goes over to those before."""
        batch, raw = waiting.popleft()
        parts = [*before, (batch, raw), *waiting] if look_ahead else [(batch, raw)]
        whole = np.concatenate([part for _, part in parts], axis=1)  # (M, N, A)
        tracks, frames = None, None
        if look_ahead is not None:
            keys = [b.keys[row] for b, _ in parts for row in b.rows]
            tracks = np.array([key[3] for key in keys], np.int64)
            frames = np.array([key[1] for key in keys], np.int64)
        n, aus = len(batch.keys), len(self.classifier.aus)
        p = np.full((n, aus), np.nan, np.float32)
        present = np.zeros((n, aus), np.bool_)
        if batch.rows:
            first = sum(part.shape[1] for _, part in before) if look_ahead else 0
            treated, called = self.classifier.combine(whole, tracks, frames)
            p[batch.rows] = treated[first : first + len(batch.rows)]
            present[batch.rows] = called[first : first + len(batch.rows)]
        if look_ahead:
            before.append((batch, raw))
            while before and before[0][0].last < batch.last + 1 - look_ahead:
                before.pop(0)
        return Rows(batch.keys, p, present, batch.frames)


def _without_content(shot: Shot) -> Shot:
    """A shot once it has been looked at: its pixels are not needed any more."""
    return Shot(shot.image, shot.frame, shot.timestamp, b"", shot.place)
