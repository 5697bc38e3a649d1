"""From DISFA's videos, or their extracted frames, to a folder of crops and a table of them.

A video is worked on as a whole: only when its last frame has been decoded is it known
that frames and labels belong together.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from action_units.errors import LabelError, UnusableFace
from action_units.faces.crops import (
    COLUMNS,
    KILLED,
    CropFolder,
    CropResult,
    CropWriter,
    FaceSettings,
    crop_result,
    cut,
    detector_of_thread,
)
from action_units.faces.detection.base import Detection
from action_units.faces.folders import Folder, place, stamps_in
from action_units.faces.work.journal import Entry, Journal
from action_units.faces.work.shards import work_through
from action_units.faces.work.workers import Workers
from action_units.labels.names import disfa_image
from action_units.media.decoding import Pixels, read_photograph
from action_units.media.video import listed, read_frames, refuse_another_count

_COLUMNS = (*COLUMNS, "subject", "frame")


@dataclass(frozen=True)
class Video:
    """A video to crop.

    Attributes:
        path: The file.
        subject: Who it shows, such as ``SN001``.
        frames: How many frames have labels.
        camera: ``Right`` or ``Left``.
        pictures: Its extracted frames in their order, if `path` is their folder.
        tolerance: By how many frames recording and labels may differ at their end.
    """

    path: Path
    subject: str
    frames: int
    camera: str = "Right"
    pictures: tuple[Path, ...] | None = None
    tolerance: int = 0

    @property
    def id(self) -> str:
        """Its name among the portions of the input."""
        return f"{self.camera}Video{self.subject}"

    @property
    def stamp(self) -> str:
        """Differs where the file or the number of labels does."""
        if self.pictures is not None:
            stamps = stamps_in(self.path)
            own = [(path.name, stamps.get(path.name)) for path in self.pictures]
            return f"{sha256(repr(own).encode()).hexdigest()}-{self.frames}"
        try:
            status = self.path.stat()
        except OSError:
            return "missing"
        return f"{self.path.name}-{status.st_size}-{status.st_mtime_ns}-{self.frames}"

    @property
    def weight(self) -> int:
        """How many frames it has."""
        return self.frames


def crop_videos(
    videos: Sequence[Video],
    out: Folder | str,
    journal: Path | str,
    settings: FaceSettings | None = None,
    workers: Workers | None = None,
) -> CropResult:
    """Cut one face out of each frame of the videos that have not been worked on yet.

    The crops of a video are written once all its frames have been decoded and
    counted, so none is ever there under the number of another frame. Of several
    faces the one that continues the track of the last is taken.

    Args:
        videos: The videos.
        out: The folder of the crops; a path or a URL that fsspec serves.
        journal: The folder of this work's journal, on a disk.
        settings: How faces are found and cut out. Where they have changed since the
            last run, everything is done again, and the log says so.
        workers: Who does the work.

    Returns:
        Crops and quarantine of all videos, however many runs it took. Frames in the
        quarantine go by the name that their crop would have.

    Raises:
        LabelError: A video is missing or damaged, or its frames are not as many as
            its labels; videos that were finished before stay done.
        ArtifactError: The detector's model is missing, another run is at it, or the
            disk refused.
    """
    settings = settings or FaceSettings()
    with Journal.open(journal, settings.made_with()) as done:
        folder = CropFolder(out, done)
        folder.begin()
        job = CropVideos(str(out), settings)
        work = work_through(
            videos, job, done, folder.has, workers, shard_weight=1, unit="frames"
        )
        folder.finish({video.id for video in videos})
        return crop_result([done.done[video.id] for video in videos], _COLUMNS, work)


@dataclass(frozen=True)
class CropVideos:
    """What a worker does with a video.

    Attributes:
        out: The folder of the crops.
        settings: How faces are found and cut out.
    """

    out: str
    settings: FaceSettings

    def __call__(
        self, shard: tuple[Video, ...], at: Callable[[str], None], skip: frozenset[str]
    ) -> list[Entry]:
        """Crop; see ``shards.Job``."""
        return [self._crop(video, at, skip) for video in shard]

    def _crop(self, video: Video, at: Callable[[str], None], skip: frozenset[str]) -> Entry:
        at(str(video.path))
        if str(video.path) in skip:
            raise LabelError(video.path, KILLED)
        entry = Entry(video.id, video.stamp, [], [])
        crops: list[tuple[str, bytes]] = []
        detector = detector_of_thread(self.settings.detector)
        last: tuple[int, Detection] | None = None
        suffix = self.settings.crop.suffix
        frame = 0
        for frame, pixels in enumerate(_pixels(video, self.settings.max_megapixels), 1):
            name = disfa_image(video.subject, frame, video.camera, suffix)
            try:
                if frame > video.frames:
                    raise UnusableFace("no label", "it comes after the last frame with a label")
                if isinstance(pixels, UnusableFace):
                    raise pixels
                if last is None:
                    face = detector.best(pixels)
                else:
                    face = detector.best(pixels, last[1], frame - last[0])
                last = frame, face
                row, content = cut(pixels, face, name, self.settings)
            except UnusableFace as error:
                detail = f"frame {frame} of {video.path.name}: {error.detail}"
                entry.set_aside.append([name, error.reason, detail, ""])
                continue
            crops.append((name, content))
            entry.rows.append([*row, video.subject, frame])
        for missing in range(frame + 1, video.frames + 1):
            name = disfa_image(video.subject, missing, video.camera, suffix)
            detail = f"label {missing} of {video.path.name} comes after the last frame"
            entry.set_aside.append([name, "no frame", detail, ""])
        with CropWriter(place(self.out)) as writer:
            for name, content in crops:
                writer.add(name, content)
        if any(line[1] == "unreadable" for line in entry.set_aside):
            # A disk or a network that fails now may not do so in the next run.
            entry = replace(entry, stamp="")
        return entry


def check_recording(video: Video, max_megapixels: float | None) -> None:
    """Refuse a recording that cannot be cropped, decoding no more than is needed for that.

    Args:
        video: The recording.
        max_megapixels: The largest frame that is decoded.

    Raises:
        LabelError: It cannot be read, or its frames are not as many as its labels.
    """
    frames = _pixels(video, max_megapixels)
    next(frames)
    if video.pictures is None and listed(video.path, max_megapixels).frames != video.frames:
        # What a container says of itself may be wrong, so all are counted.
        for _ in frames:
            pass


def _pixels(video: Video, max_megapixels: float | None) -> Iterator[Pixels | UnusableFace]:
    if video.pictures is None:
        yield from read_frames(video.path, video.frames, max_megapixels, video.tolerance)
        return
    frames = len(video.pictures)
    refuse_another_count(video.path, "lie there", frames, video.frames, video.tolerance)
    for path in video.pictures:
        try:
            yield read_photograph(path, max_megapixels=max_megapixels).pixels
        except UnusableFace as error:
            yield error
