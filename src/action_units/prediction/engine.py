"""From video frames and photographs to rows of a table, on all cores.

Four stages, each working ahead of the next: reading (one thread), detecting and cutting out
faces (a frame a thread), tracking (in order), and the networks (a batch of faces a thread).
Detection and networks share one pool of threads, so the slower of the two gets more of
them. OpenCV and torch release Python's lock while they compute.
"""

import logging
import sys
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
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
from action_units.prediction.concurrency import in_order, prefetched
from action_units.prediction.outputs import NO_FACE, Key, Rows
from action_units.prediction.tracks import Tracker, check_mode, make_tracker
from action_units.threads import cores, thread_limit

logger = logging.getLogger(__name__)

_BATCH = 32  # faces, for networks without a block size of their own
_FRAMES_PER_BATCH = 256  # a batch of frames without faces ends here
_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class InputImage:
    """A video frame or a photograph.

    Attributes:
        name: The photograph's path, for the table; empty for a frame.
        frame: From 1.
        timestamp: In seconds.
        content: Pixels, the bytes of a file, or why they are missing.
        place: Where a person finds the photograph, for the quarantine.
    """

    name: str
    frame: int
    timestamp: float
    content: Pixels | bytes | UnusableFace
    place: str = ""


@dataclass(frozen=True, slots=True)
class _Detected:
    """An image whose content is no longer needed, and the crops of its faces.

    A crop is None where the face cannot be cut out, such as outside of the picture.
    """

    image: InputImage
    faces: list[Detection] = field(default_factory=list)
    crops: list[Pixels | None] = field(default_factory=list)
    error: UnusableFace | None = None
    left_out: str = ""


@dataclass(slots=True)
class _Batch:
    """Some images with their faces, in order.

    Attributes:
        keys: The rows.
        face_rows: Which of the rows have a crop, (N,).
        crops: Of those rows.
        frames: The number of images.
        raw: The networks' probabilities, (M, N, A).
    """

    keys: list[Key] = field(default_factory=list)
    face_rows: list[int] = field(default_factory=list)
    crops: list[Pixels] = field(default_factory=list)
    frames: int = 0
    raw: npt.NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))

    @property
    def last(self) -> int:
        """The number of the last frame."""
        return self.keys[-1].frame

    def add(self, detected: _Detected, tracker: Tracker) -> None:
        """Append the rows of an image."""
        image = detected.image
        self.frames += 1
        tracked = tracker.follow(image.frame, detected.faces)
        start = (image.name, image.frame, image.timestamp)
        if not tracked:
            self.keys.append(Key(*start, NO_FACE, 0.0, 0, _NAN, _NAN, _NAN, _NAN))
        for number, index in tracked:
            face, crop = detected.faces[index], detected.crops[index]
            if crop is not None:
                self.face_rows.append(len(self.keys))
                self.crops.append(crop)
            box = (round(value, 2) for value in face.box)
            self.keys.append(
                Key(*start, number, round(face.score, 4), int(crop is not None), *box)
            )


class Engine:
    """Threads that detect faces and run a classifier on them; use it in a ``with``.

    OpenCV and torch compute with one thread each meanwhile, because the engine's own threads
    are the parallelism.
    """

    def __init__(
        self,
        classifier: Classifier,
        faces: str = "all",
        workers: int | None = None,
        batch_size: int | None = None,
    ) -> None:
        """Set how to work.

        Args:
            classifier: Run on the faces.
            faces: ``all``, or ``one``: the face that preprocessing takes.
            workers: Threads, where ``threads.limited`` sets no other number; None is one
                for each core.
            batch_size: Faces in a batch; None takes the networks' own. Changes speed and
                memory only.

        Raises:
            ConfigurationError: A value is invalid.
        """
        check_mode(faces)
        for name, value in (("workers", workers), ("batch_size", batch_size)):
            if value is not None and (type(value) is not int or value < 1):
                raise ConfigurationError(f"{name}={value!r} must be a whole number from 1.")
        self.classifier, self.mode = classifier, faces
        self.workers = thread_limit() or workers or cores()
        blocks = [getattr(p.network, "block", _BATCH) for p in classifier.predictors]
        self.batch_size = batch_size or max(blocks)

    def __enter__(self) -> Self:
        """Start the threads."""
        with ExitStack() as stack:
            stack.callback(cv2.setNumThreads, cv2.getNumThreads())
            cv2.setNumThreads(1)
            one_thread = None
            if (torch := sys.modules.get("torch")) is not None:  # ONNX Runtime needs none
                stack.callback(torch.set_num_threads, torch.get_num_threads())
                one_thread = lambda: torch.set_num_threads(1)  # noqa: E731
            self._pool = ThreadPoolExecutor(self.workers, "predict", one_thread)
            stack.callback(self._pool.shutdown, cancel_futures=True)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End the threads."""
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
            LabelError: It is missing or damaged; rows given before are then invalid.
        """
        largest = max_megapixels or self.classifier.faces.settings.max_megapixels

        def frames() -> Iterator[InputImage]:
            with closing(timed_frames(path, None, largest)) as decoded:
                for n, frame in enumerate(decoded, 1):
                    if n == 1 and np.isnan(frame.seconds):
                        logger.warning("%s has no timestamps for its frames.", path)
                    yield InputImage("", n, round(frame.seconds, 6), frame.pixels)

        return self._rows(frames(), Quarantine(), make_tracker(self.mode))

    def photographs(
        self, photographs: Iterable[Photograph], quarantine: Quarantine
    ) -> Generator[Rows, None, None]:
        """The rows of photographs, in order, each predicted on its own.

        Args:
            photographs: As files.
            quarantine: Gets those that cannot be used, which have no rows.
        """
        images = (InputImage(p.name, 1, 0.0, p.content, p.location) for p in photographs)
        return self.images(images, quarantine)

    def images(
        self, images: Iterator[InputImage], quarantine: Quarantine
    ) -> Generator[Rows, None, None]:
        """The rows of pictures in memory; as ``photographs``."""
        return self._rows(images, quarantine, None)

    def webcam_frame(self, pixels: Pixels, number: int, tracker: Tracker) -> Rows:
        """The rows of one frame, computed in the calling thread.

        The probabilities are calibrated but not smoothed: smoothing needs later frames.

        Args:
            pixels: Of the frame.
            number: Its number, from 1.
            tracker: Has followed the faces of the frames before.
        """
        batch = _Batch()
        batch.add(self._detect(InputImage("", number, _NAN, pixels)), tracker)
        return self._combine([self._predict(batch)], 0, smooth=False)

    def _rows(
        self, images: Iterator[InputImage], quarantine: Quarantine, tracker: Tracker | None
    ) -> Generator[Rows, None, None]:
        """All stages; without a tracker every image is on its own."""
        ahead = 2 * self.workers
        detected = in_order(self._pool, self._detect, prefetched(images, ahead), ahead)
        batches = self._batches(detected, quarantine, tracker)
        predicted = in_order(self._pool, self._predict, batches, self.workers)
        return self._postprocessed(predicted, smooth=tracker is not None)

    def _detect(self, image: InputImage) -> _Detected:
        """Find and cut out all faces of an image."""
        settings = self.classifier.faces.settings
        pixels, others = image.content, ""
        without_content = replace(image, content=b"")
        try:
            if isinstance(pixels, UnusableFace):
                raise pixels
            if isinstance(pixels, bytes):
                others = further_images(pixels)
                pixels = decode(pixels, max_megapixels=settings.max_megapixels)
        except UnusableFace as error:
            return _Detected(without_content, error=error)
        faces = thread_detector(settings.detector).detect(pixels)
        crops: list[Pixels | None] = []
        for face in faces:
            try:
                crops.append(self.classifier.faces.face(pixels, face))
            except UnusableFace:
                crops.append(None)
        return _Detected(without_content, faces, crops, left_out=others)

    def _batches(
        self,
        detected: Generator[_Detected, None, None],
        quarantine: Quarantine,
        tracker: Tracker | None,
    ) -> Generator[_Batch, None, None]:
        """Number the faces, and gather images into batches."""
        batch = _Batch()
        with closing(detected):
            for one in detected:
                place = one.image.place or one.image.name
                if one.error is not None:
                    quarantine.add(place, one.error.reason, one.error.detail)
                    continue
                if one.left_out:
                    quarantine.add(place, LEFT_OUT, one.left_out)
                batch.add(one, tracker or make_tracker(self.mode))
                if len(batch.crops) >= self.batch_size or batch.frames >= _FRAMES_PER_BATCH:
                    yield batch
                    batch = _Batch()
        if batch.keys:
            yield batch

    def _predict(self, batch: _Batch) -> _Batch:
        """Run the networks on a batch's crops, which are then dropped."""
        shape = len(self.classifier.predictors), 0, len(self.classifier.aus)
        batch.raw = (
            self.classifier.probabilities(np.stack(batch.crops))
            if batch.crops
            else np.empty(shape, np.float32)
        )
        batch.crops = []
        return batch

    def _postprocessed(
        self, batches: Generator[_Batch, None, None], smooth: bool
    ) -> Generator[Rows, None, None]:
        """Smooth, calibrate and call; a batch waits for the frames that its last ones need."""
        reach = self.classifier.look_ahead if smooth else 0
        window: list[_Batch] = []  # the batches that the next rows depend on
        index = 0  # of the batch in it whose rows come next
        with closing(batches):
            for newest in batches:
                window.append(newest)
                while index < len(window) and newest.last >= window[index].last + reach:
                    yield self._combine(window, index, smooth)
                    needed = window[index].last + 1 - reach  # by the next batch
                    index += 1
                    while window and index and window[0].last < needed:
                        window.pop(0)
                        index -= 1
        for rest in range(index, len(window)):
            yield self._combine(window, rest, smooth)

    def _combine(self, window: list[_Batch], index: int, smooth: bool) -> Rows:
        """The rows of one batch of a window."""
        batch = window[index]
        p = np.full((len(batch.keys), len(self.classifier.aus)), np.nan, np.float32)
        present = np.zeros(p.shape, np.bool_)
        if batch.face_rows:
            tracks, frames = None, None
            if smooth:
                keys = [b.keys[row] for b in window for row in b.face_rows]
                tracks = np.array([key.face_id for key in keys], np.int64)
                frames = np.array([key.frame for key in keys], np.int64)
            raw = np.concatenate([b.raw for b in window], axis=1)  # (M, N, A)
            combined, called = self.classifier.combine(raw, tracks, frames)
            first = sum(len(b.face_rows) for b in window[:index])
            own = slice(first, first + len(batch.face_rows))
            p[batch.face_rows], present[batch.face_rows] = combined[own], called[own]
        return Rows(batch.keys, p, present, batch.frames)
