"""From DISFA's videos to a folder of crops and a table of them.

A video is worked on as a whole: only when its last frame has been decoded is it known
that frames and labels belong together.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
from action_units.faces.folders import Folder, place
from action_units.faces.video import read_frames
from action_units.faces.work.journal import Entry, Journal
from action_units.faces.work.shards import work_through
from action_units.faces.work.workers import Workers
from action_units.facs.names import disfa_image

_COLUMNS = (*COLUMNS, "subject", "frame")


@dataclass(frozen=True)
class Video:
    """A video to crop.

    Attributes:
        path: The file.
        subject: Who it shows, such as ``SN001``.
        frames: How many frames have labels.
        camera: ``Right`` or ``Left``.
    """

    path: Path
    subject: str
    frames: int
    camera: str = "Right"

    @property
    def id(self) -> str:
        """Its name among the portions of the input."""
        return f"{self.camera}Video{self.subject}"

    @property
    def stamp(self) -> str:
        """Differs where the file or the number of labels does."""
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
        for frame, pixels in enumerate(read_frames(video.path, video.frames), 1):
            suffix = self.settings.crop.suffix
            name = disfa_image(video.subject, frame, video.camera, suffix)
            try:
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
        with CropWriter(place(self.out)) as writer:
            for name, content in crops:
                writer.add(name, content)
        return entry


def find_videos(folder: Path | str, camera: str = "Right") -> dict[str, Path]:
    """DISFA's videos of one camera, by subject.

    Args:
        folder: With files such as ``RightVideoSN001_comp.avi``.
        camera: ``Right`` or ``Left``.

    Raises:
        LabelError: There is none, or a subject has two.
    """
    folder = Path(folder)
    found: dict[str, Path] = {}
    for path in sorted(folder.glob(f"{camera}Video*")):
        match = re.fullmatch(rf"{camera}Video(SN\d{{3}})(_\w+)?\.\w+", path.name, re.ASCII)
        if match is None:
            continue
        if match[1] in found:
            raise LabelError(
                folder,
                f"{found[match[1]].name} and {path.name} are both of {match[1]}; keep one.",
            )
        found[match[1]] = path
    if not found:
        raise LabelError(
            folder, f"no video is there; expected {camera}VideoSN001_comp.avi and so on."
        )
    return found
