"""From video frames and photographs to rows of a table, on all cores.

Four stages, each working ahead of the next: reading (one thread), detecting and cutting out
faces (a frame a thread), tracking (in order), and the networks (a batch of faces a thread).
Detection and networks share one pool of threads, so the slower of the two gets more of
them. OpenCV and torch release Python's lock while they compute.
"""

import logging
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from action_units.concurrency import in_order, one_thread_each, prefetched
from action_units.errors import ConfigurationError, UnusableFace
from action_units.faces.detection.base import Detection
from action_units.faces.detection.registry import thread_detector
from action_units.faces.quarantine import LEFT_OUT, Quarantine
from action_units.faces.tracking import PATIENCE
from action_units.media.images import Pixels, decode, further_images
from action_units.media.photographs import Photograph
from action_units.media.video import timed_frames
from action_units.prediction.centring import (
    RunningReferences,
    centrings_of,
    whole_video,
)
from action_units.prediction.centring import check_mode as check_person_centred
from action_units.prediction.classifier import Classifier
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
        references: Of the faces' persons, (M, N, A); None where nothing is person-centred.
    """

    keys: list[Key] = field(default_factory=list)
    face_rows: list[int] = field(default_factory=list)
    crops: list[Pixels] = field(default_factory=list)
    frames: int = 0
    raw: npt.NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    references: npt.NDArray[np.float64] | None = None

    @property
    def last(self) -> int:
        """The number of the last frame."""
        return self.keys[-1].frame

    @property
    def faces(self) -> list[Key]:
        """The rows that have a crop."""
        return [self.keys[row] for row in self.face_rows]

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
        person_centred: str = "none",
        neutral: npt.NDArray[np.float64] | None = None,
    ) -> None:
        """Set how to work.

        Args:
            classifier: Run on the faces.
            faces: ``all``, or ``one``: the face that preprocessing takes.
            workers: Threads, where ``threads.limited`` sets no other number; None is one
                for each core.
            batch_size: Faces in a batch; None takes the networks' own. Changes speed and
                memory only.
            person_centred: ``none``, ``running`` or ``video``; see ``centring``.
            neutral: The reference of the one person in all sources, (M, A), in its place.

        Raises:
            ConfigurationError: A value is invalid.
            ArtifactError: A network has no person-centred postprocessing.
        """
        check_mode(faces)
        check_person_centred(person_centred)
        for name, value in (("workers", workers), ("batch_size", batch_size)):
            if value is not None and (type(value) is not int or value < 1):
                raise ConfigurationError(f"{name}={value!r} must be a whole number from 1.")
        self.classifier, self.mode = classifier, faces
        self.person_centred, self.neutral = person_centred, neutral
        centred = neutral is not None or person_centred != "none"
        self._centrings = centrings_of(classifier) if centred else ()
        self.workers = thread_limit() or workers or cores()
        blocks = [getattr(p.network, "block", _BATCH) for p in classifier.predictors]
        self.batch_size = batch_size or max(blocks)

    def __enter__(self) -> Self:
        """Start the threads."""
        with ExitStack() as stack:
            self._pool = stack.enter_context(one_thread_each(self.workers))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End the threads."""
        self._stack.close()

    @property
    def centred(self) -> bool:
        """Whether faces of videos are person-centred."""
        return bool(self._centrings)

    def centring_settings(self) -> dict[str, str]:
        """How faces are person-centred, for the record of a table; empty where they are not."""
        if self.neutral is not None:
            return {"neutral": sha256(self.neutral.tobytes()).hexdigest()}
        return {"person_centred": self.person_centred} if self.centred else {}

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
        frames = self._frames(path, max_megapixels)
        return self._rows(frames, Quarantine(), make_tracker(self.mode))

    def photographs(
        self, photographs: Iterable[Photograph], quarantine: Quarantine
    ) -> Generator[Rows, None, None]:
        """The rows of photographs, in order, each predicted on its own.

        Args:
            photographs: As files.
            quarantine: Gets those that cannot be used, which have no rows.
        """
        return self.images(_images(photographs), quarantine)

    def images(
        self, images: Iterator[InputImage], quarantine: Quarantine
    ) -> Generator[Rows, None, None]:
        """The rows of pictures in memory; as ``photographs``."""
        return self._rows(images, quarantine, None)

    def raw_probabilities(
        self, source: Path | Iterable[Photograph], quarantine: Quarantine
    ) -> npt.NDArray[np.float32]:
        """The networks' raw probabilities of the faces of a video or photographs, (M, K, A).

        Raises:
            LabelError: The video is missing or damaged.
        """
        predicted = (
            self._predicted(self._frames(source), quarantine, make_tracker(self.mode))
            if isinstance(source, Path)
            else self._predicted(_images(source), quarantine, None)
        )
        nothing = self._predict(_Batch())
        with closing(predicted) as batches:
            return np.concatenate([nothing.raw, *(batch.raw for batch in batches)], axis=1)

    def running_references(self) -> RunningReferences | None:
        """Of the faces of a new video or webcam; None where nothing is person-centred."""
        if self.person_centred != "running":
            return None
        # A track of `all` ends with its tracker's patience; the one of `one` never does.
        return RunningReferences(self._centrings, PATIENCE if self.mode == "all" else None)

    def webcam_frame(
        self,
        pixels: Pixels,
        number: int,
        tracker: Tracker,
        references: RunningReferences | None = None,
    ) -> Rows:
        """The rows of one frame, computed in the calling thread.

        The probabilities are calibrated but not smoothed: smoothing needs later frames.

        Args:
            pixels: Of the frame.
            number: Its number, from 1.
            tracker: Has followed the faces of the frames before.
            references: The references from the frames before, by ``running_references``.
        """
        batch = _Batch()
        batch.add(self._detect(InputImage("", number, _NAN, pixels)), tracker)
        self._refer(self._predict(batch), references)
        return self._combine([batch], 0, smooth=False)

    def _rows(
        self, images: Iterator[InputImage], quarantine: Quarantine, tracker: Tracker | None
    ) -> Generator[Rows, None, None]:
        """All stages; without a tracker every image is on its own."""
        predicted = self._predicted(images, quarantine, tracker)
        referred = self._referred(predicted, tracked=tracker is not None)
        return self._postprocessed(referred, smooth=tracker is not None)

    def _frames(self, path: Path, max_megapixels: float | None = None) -> Iterator[InputImage]:
        """The frames of a video."""
        largest = max_megapixels or self.classifier.faces.settings.max_megapixels
        with closing(timed_frames(path, None, largest)) as decoded:
            for n, frame in enumerate(decoded, 1):
                if n == 1 and np.isnan(frame.seconds):
                    logger.warning("%s has no timestamps for its frames.", path)
                yield InputImage("", n, round(frame.seconds, 6), frame.pixels)

    def _predicted(
        self, images: Iterator[InputImage], quarantine: Quarantine, tracker: Tracker | None
    ) -> Generator[_Batch, None, None]:
        """The stages until the networks."""
        ahead = 2 * self.workers
        detected = in_order(self._pool, self._detect, prefetched(images, ahead), ahead)
        batches = self._batches(detected, quarantine, tracker)
        return in_order(self._pool, self._predict, batches, self.workers)

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

    def _referred(
        self, batches: Generator[_Batch, None, None], tracked: bool
    ) -> Generator[_Batch, None, None]:
        """Give faces the references of their persons; ``video`` waits for the last frame."""
        with closing(batches):
            if tracked and self.person_centred == "video" and self.neutral is None:
                whole = list(batches)
                faces = [key.face_id for batch in whole for key in batch.faces]
                if faces:
                    raw = np.concatenate([batch.raw for batch in whole], axis=1)
                    references = whole_video(self._centrings, faces, raw)
                    ends = np.cumsum([batch.raw.shape[1] for batch in whole])[:-1]
                    parts = np.split(references, ends, axis=1)
                    for batch, part in zip(whole, parts, strict=True):
                        batch.references = part
                yield from whole
                return
            running = self.running_references() if tracked else None
            for batch in batches:
                self._refer(batch, running)
                yield batch

    def _refer(self, batch: _Batch, running: RunningReferences | None) -> None:
        """Set the references of a batch that does not need later ones."""
        if self.neutral is not None:
            batch.references = np.broadcast_to(self.neutral[:, None], batch.raw.shape)
        elif running is not None:
            frames, tracks = [k.frame for k in batch.faces], [k.face_id for k in batch.faces]
            batch.references = running.follow(frames, tracks, batch.raw)

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
        present, intensities = np.zeros(p.shape, np.bool_), np.full_like(p, np.nan)
        if batch.face_rows:
            tracks, frames = None, None
            if smooth:
                keys = [key for b in window for key in b.faces]
                tracks = np.array([key.face_id for key in keys], np.int64)
                frames = np.array([key.frame for key in keys], np.int64)
            raw = np.concatenate([b.raw for b in window], axis=1)  # (M, N, A)
            parts = [b.references for b in window if b.references is not None]
            references = np.concatenate(parts, axis=1) if parts else None
            combined = self.classifier.combine(raw, tracks, frames, references)
            first = sum(len(b.face_rows) for b in window[:index])
            own = slice(first, first + len(batch.face_rows))
            p[batch.face_rows] = combined.probabilities[own]
            present[batch.face_rows] = combined.present[own]
            if combined.intensities is not None:
                intensities[batch.face_rows] = combined.intensities[own]
        estimated = self.classifier.estimated
        return Rows(batch.keys, p, present, batch.frames, intensities if estimated else None)


def _images(photographs: Iterable[Photograph]) -> Iterator[InputImage]:
    return (InputImage(p.name, 1, 0.0, p.content, p.location) for p in photographs)
