"""From photographs, videos or extracted frames to a folder of crops and a table of them.

Work resumes where it stopped and processes only what is new; neither the table nor the
bytes of a crop depend on how it was divided among processes.

The source splits photographs into chunks. A video is a chunk of its own: only when its
last frame has been decoded is it known that frames and labels belong together.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from action_units import fingerprint
from action_units.errors import LabelError, UnusableFace
from action_units.faces.crop import FaceSettings, cut_and_encode
from action_units.faces.crop_folder import CropFolder, CropWriter
from action_units.faces.detection.base import Detection
from action_units.faces.detection.registry import thread_detector
from action_units.faces.incremental import work_through
from action_units.faces.journal import Entry, Journal
from action_units.faces.quarantine import LEFT_OUT, Quarantine
from action_units.faces.workers import Workers
from action_units.media.images import Pixels, decode, further_images, read_image
from action_units.media.paths import AnyPath, any_path, printable
from action_units.media.photographs import Chunk, PhotographSource
from action_units.media.video import check_frame_count, container_info, read_frames

FIRST = 1000
"""So many photographs must not all be unusable for other reasons than showing no face."""

# The first of a crop's values in the journal; those of its kind of input follow.
_COLUMNS = ("image", "bytes", "rectsize", "source", "angle", "score")
_PHOTOGRAPH_COLUMNS = (*_COLUMNS, "photograph", "source_sha256")
_VIDEO_COLUMNS = (*_COLUMNS, "subject", "frame")

_NO_FACE, _REPEATED, _CRASH = "no face", "repeated", "crash"
_CRASHED = "it crashed its process twice; is it too large, or malicious?"
_TABLE_PART = 4096  # rows that are objects at once: as columns they take a fraction


@dataclass(frozen=True)
class CropResult:
    """The outcome of cropping.

    Attributes:
        table: One row a crop, in the order of the input: ``image`` (the crop's file),
            ``rectsize``, ``source`` (its square in the photograph or frame), ``angle``
            (by which it was turned), ``score``; of photographs also ``photograph``
            and ``source_sha256``, of videos ``subject`` and ``frame``.
        quarantine: What gave no crop, and why.
        new: How many pictures were worked on, the others having been done before.
    """

    table: pd.DataFrame
    quarantine: Quarantine
    new: int


def crop_photographs(
    source: PhotographSource,
    out: AnyPath | str,
    journal: Path | str,
    settings: FaceSettings | None = None,
    workers: Workers | None = None,
) -> CropResult:
    """Cut one face out of each photograph that has not been worked on yet.

    Args:
        source: The photographs.
        out: The folder of the crops; a path or a URL that fsspec serves.
        journal: The folder of this work's journal, on a disk.
        settings: How faces are found and cut out. Where they have changed since the
            last run, everything is processed again, with a log line.
        workers: The processes that do the work.

    Returns:
        Crops and quarantine of the whole source, however many runs it took.

    Raises:
        ArtifactError: The detector's model is missing, another run uses the journal, or a
            disk refused.
        LabelError: Not one of the first photographs, ``FIRST`` or a few more, is usable.
    """
    settings = settings or FaceSettings()
    job = _CropPhotographs(str(out), settings)
    return _crop_all(
        source.chunks, job, _PHOTOGRAPH_COLUMNS, journal, workers, check=_CheckFirst()
    )


@dataclass(frozen=True)
class Recording:
    """A recording of a coded set to crop.

    Attributes:
        id: Its name among the recordings, the same in every run.
        subject: Who it shows, such as ``SN001``.
        path: The video, or the folder of its pictures.
        images: The names of the crops, by the numbers of the frames that have labels.
        pictures: The pictures by the same numbers; None: `path` is a video.
        first_frame: The number of a video's first frame.
        tolerance: Where every frame has a label: by how many frames both may differ at
            their end. None: only some frames have labels, and those that have none are
            skipped.
    """

    id: str
    subject: str
    path: Path
    images: Mapping[int, str]
    pictures: Mapping[int, Path] | None = None
    first_frame: int = 1
    tolerance: int | None = None

    @property
    def fingerprint(self) -> str:
        """Differs where a file, the labelled frames or the names of the crops do."""
        labelled = str(len(self.images))
        if self.tolerance is None:
            labelled += f"-{fingerprint.of_values(list(self.images.items()), self.first_frame)}"
        if self.pictures is not None:
            own = [(path.name, _status(path)) for path in self.pictures.values()]
            return f"{hashlib.sha256(repr(own).encode()).hexdigest()}-{labelled}"
        status = _status(self.path)
        return "missing" if status is None else f"{self.path.name}-{status}-{labelled}"

    @property
    def weight(self) -> int:
        """How many frames have labels."""
        return len(self.images)


def _status(path: Path) -> str | None:
    try:
        return fingerprint.of_file(path.stat())
    except OSError:
        return None


def crop_videos(
    recordings: Sequence[Recording],
    out: AnyPath | str,
    journal: Path | str,
    settings: FaceSettings | None = None,
    workers: Workers | None = None,
) -> CropResult:
    """Cut one face out of each frame of the recordings that have not been worked on yet.

    The crops of a recording are written once all its frames have been decoded and
    counted, so none ever has the number of another frame. Of several faces the one that
    continues the track of the last is taken. Frames without a label are decoded, but not
    looked at.

    Args:
        recordings: Videos or pictures; no two crops of them have the same name.
        out: As ``crop_photographs``; so are the other arguments.
        journal: The folder of this work's journal.
        settings: How faces are found and cut out.
        workers: The processes that do the work.

    Returns:
        Crops and quarantine of all recordings, however many runs it took. Frames in the
        quarantine have the name that their crop would have.

    Raises:
        LabelError: A recording is missing or damaged, or its number of frames is not that of
            its labels; recordings that were finished before stay done.
        ArtifactError: As ``crop_photographs``.
    """
    job = _CropVideos(str(out), settings or FaceSettings())
    return _crop_all(
        lambda: recordings,
        job,
        _VIDEO_COLUMNS,
        journal,
        workers,
        shard_weight=1,
        unit="frames",
    )


def check_recording(recording: Recording, max_megapixels: float | None) -> int:
    """Check that a recording can be cropped; decodes no more than is needed for that.

    Args:
        recording: The recording.
        max_megapixels: The largest frame that is decoded.

    Returns:
        How many frames it has; where its container lists at least as many as have labels,
        that number, which may be wrong.

    Raises:
        LabelError: It cannot be read, or its number of frames is not that of its labels.
    """
    frames = _frames(recording, max_megapixels)
    next(frames, None)
    if recording.pictures is not None:
        return len(recording.pictures)
    listed = container_info(recording.path, max_megapixels).frames
    if recording.tolerance is not None:
        listed = listed if listed == len(recording.images) else None
    elif listed is not None and max(recording.images) >= recording.first_frame + listed:
        listed = None
    # A container's own count may be wrong, so all frames are counted.
    return 1 + sum(1 for _ in frames) if listed is None else listed


@dataclass(frozen=True)
class _CropJob:
    """What a worker does with a shard; see ``incremental.Job``."""

    out: str
    settings: FaceSettings


class _CropPhotographs(_CropJob):
    def __call__(
        self, shard: tuple[Chunk, ...], at: Callable[[str], None], skip: frozenset[str]
    ) -> list[Entry]:
        names: set[str] = set()
        with CropWriter(any_path(self.out)) as writer:
            return [self._crop_chunk(chunk, writer, names, at, skip) for chunk in shard]

    def _crop_chunk(
        self,
        chunk: Chunk,
        writer: CropWriter,
        names: set[str],
        at: Callable[[str], None],
        skip: frozenset[str],
    ) -> Entry:
        entry = Entry(chunk.id, chunk.fingerprint, [], [])
        for photograph in chunk.photographs():
            at(photograph.location)
            name = photograph.stem + self.settings.crop.suffix
            path, content, sha256 = printable(photograph.location), b"", ""
            try:
                if photograph.location in skip:
                    raise UnusableFace(_CRASH, _CRASHED)
                if isinstance(photograph.content, UnusableFace):
                    raise photograph.content
                content = photograph.content
                sha256 = hashlib.sha256(content).hexdigest() if content else ""
                if name in names:
                    raise UnusableFace(_REPEATED, f"its crop would be another {name}")
                pixels = decode(content, max_megapixels=self.settings.max_megapixels)
                face = thread_detector(self.settings.detector).best(pixels)
                row, crop = _row_and_file(pixels, face, name, self.settings)
            except UnusableFace as error:
                entry.quarantined.append([path, error.reason, error.detail, sha256])
                continue
            names.add(name)
            writer.add(name, crop)
            entry.rows.append([*row, photograph.name, sha256])
            if others := further_images(content):
                entry.quarantined.append([path, LEFT_OUT, others, sha256])
        return _to_retry_if_unreadable(entry)


class _CropVideos(_CropJob):
    def __call__(
        self, shard: tuple[Recording, ...], at: Callable[[str], None], skip: frozenset[str]
    ) -> list[Entry]:
        return [self._crop_recording(recording, at, skip) for recording in shard]

    def _crop_recording(
        self, video: Recording, at: Callable[[str], None], skip: frozenset[str]
    ) -> Entry:
        at(str(video.path))
        if str(video.path) in skip:
            raise LabelError(video.path, _CRASHED)
        entry = Entry(video.id, video.fingerprint, [], [])
        crops: dict[str, bytes] = {}
        detector = thread_detector(self.settings.detector)
        last: tuple[int, Detection] | None = None
        seen: set[int] = set()
        for frame, pixels in _frames(video, self.settings.max_megapixels):
            name = video.images.get(frame)
            if name is None:
                if video.tolerance is not None:
                    detail = f"frame {frame} comes after the last frame with a label"
                    entry.quarantined.append([printable(video.path), "no label", detail, ""])
                continue
            seen.add(frame)
            try:
                if isinstance(pixels, UnusableFace):
                    raise pixels
                if last is None:
                    face = detector.best(pixels)
                else:
                    face = detector.best(pixels, last[1], frame - last[0])
                last = frame, face
                row, crops[name] = _row_and_file(pixels, face, name, self.settings)
            except UnusableFace as error:
                detail = f"frame {frame} of {video.path.name}: {error.detail}"
                entry.quarantined.append([name, error.reason, detail, ""])
                continue
            entry.rows.append([*row, video.subject, frame])
        for missing in sorted(video.images.keys() - seen):
            detail = f"frame {missing} has labels, but is not in {video.path.name}"
            entry.quarantined.append([video.images[missing], "no frame", detail, ""])
        with CropWriter(any_path(self.out)) as writer:
            for name, content in crops.items():
                writer.add(name, content)
        return _to_retry_if_unreadable(entry)


def _row_and_file(
    pixels: Pixels, face: Detection, name: str, settings: FaceSettings
) -> tuple[list[Any], bytes]:
    """A crop's values, as ``_COLUMNS`` names them, and its file's bytes."""
    crop, content = cut_and_encode(pixels, face, settings)
    source = "({},{},{},{})".format(*crop.source)
    angle, score = round(crop.angle, 2), round(face.score, 4)
    return [name, len(content), crop.rectsize, source, angle, score], content


def _to_retry_if_unreadable(entry: Entry) -> Entry:
    """The entry; done again by the next run where a disk or a network failed in this one."""
    failed = any(line[1] == "unreadable" for line in entry.quarantined)
    return replace(entry, fingerprint="") if failed else entry


def _frames(
    recording: Recording, max_megapixels: float | None
) -> Iterator[tuple[int, Pixels | UnusableFace]]:
    """The frames with their numbers: of a video all, of pictures those that have labels."""
    n_labels, tolerance = len(recording.images), recording.tolerance
    if recording.pictures is None:
        expected = None if tolerance is None else n_labels
        frames = read_frames(
            recording.path, expected, max_megapixels, tolerance or 0, numbered=True
        )
        yield from enumerate(frames, recording.first_frame)
        return
    if tolerance is not None:
        n_found = len(recording.pictures)
        check_frame_count(recording.path, "lie there", n_found, n_labels, tolerance)
    for frame, path in sorted(recording.pictures.items()):
        try:
            yield frame, read_image(path, max_megapixels=max_megapixels)
        except UnusableFace as error:
            yield frame, error


def _crop_all(
    list_chunks: Callable[[], Iterable[Any]],
    job: Any,
    columns: Sequence[str],
    journal: Path | str,
    workers: Workers | None,
    check: Callable[[list[Entry]], None] | None = None,
    **options: Any,
) -> CropResult:
    """Do what is not done, delete stale crops, and gather the results of all chunks."""
    with Journal.open(journal, job.settings.provenance()) as done:
        folder = CropFolder(job.out, done)
        folder.begin()
        check = None if done.has_crops() else check
        new = work_through(
            list_chunks(), job, done, folder.has, workers, check=check, **options
        )
        if repeated := _without_repeated(done.repeated()):
            done.add(repeated)
            folder = CropFolder(job.out, done)
            work_through(list_chunks(), job, done, folder.has, workers, **options)
        folder.finish()
        return _gather(done.entries(), columns, new)


def _gather(entries: Iterable[Entry], columns: Sequence[str], new: int) -> CropResult:
    rows: list[list[Any]] = []
    parts = [pd.DataFrame(columns=list(columns))]
    quarantine = Quarantine()
    for entry in entries:
        rows.extend(entry.rows)
        for path, reason, detail, sha256 in entry.quarantined:
            quarantine.add(path, reason, detail, sha256)
        if len(rows) >= _TABLE_PART:
            parts.append(pd.DataFrame(rows, columns=list(columns)))
            rows = []
    if rows:
        parts.append(pd.DataFrame(rows, columns=list(columns)))
    table = pd.concat(parts[1:] or parts, ignore_index=True).drop(columns="bytes")
    return CropResult(table, quarantine, new)


class _CheckFirst:
    """Stops the work where all photographs at the beginning are unusable."""

    def __init__(self) -> None:
        self._quarantined: list[list[str]] | None = []

    def __call__(self, entries: list[Entry]) -> None:
        if self._quarantined is None:
            return
        self._quarantined += [line for entry in entries for line in entry.quarantined]
        if any(entry.rows for entry in entries) or any(
            one[1] == _NO_FACE for one in self._quarantined
        ):
            self._quarantined = None
        elif len(self._quarantined) >= FIRST:
            counts = Counter(reason for _, reason, _, _ in self._quarantined).most_common(4)
            path, reason, detail, _ = self._quarantined[0]
            raise LabelError(
                path,
                f"{reason}: {detail}. Not one of the first {len(self._quarantined):,} "
                f"photographs is usable ({', '.join(f'{n:,} {reason}' for reason, n in counts)}"
                "); are these photographs, and whole?",
            )


def _without_repeated(entries: Sequence[Entry]) -> list[Entry]:
    """Chunks with crops of the same name, of which each is left to the first chunk.

    The others have overwritten its file, so the first must be processed again.
    """
    counts = Counter(row[0] for entry in entries for row in entry.rows)
    owned: set[str] = set()
    changed = []
    for entry in entries:
        repeated = [row for row in entry.rows if row[0] in owned]
        owns = {row[0] for row in entry.rows if counts[row[0]] > 1} - owned
        owned |= owns
        quarantined = [
            [printable(row[-2]), _REPEATED, f"its crop would be another {row[0]}", row[-1]]
            for row in repeated
        ]
        rows = [row for row in entry.rows if row not in repeated]
        fingerprint = "" if owns else entry.fingerprint
        changed.append(Entry(entry.id, fingerprint, rows, entry.quarantined + quarantined))
    return changed
