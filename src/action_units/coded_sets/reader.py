"""What a reader of a coded set returns: the codes, and where each frame's picture is."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from action_units.config.data import CodedSetSettings
from action_units.labels.coded_frames import CodedFrames
from action_units.labels.label_files import Scale


@dataclass(frozen=True)
class Media:
    """The pictures of one recording: a video, or a file for each frame.

    Attributes:
        path: The video, or the folder of the pictures.
        pictures: The pictures by the frame numbers of the labels; None: `path` is a video.
        first_frame: The number that the labels give to a video's first frame.
        tolerance: Where the labels must cover every frame: by how many frames both may
            differ at their end. None: they may cover some frames only.
        id: Its name in the journal of cropping; None: the subject and the recording.
    """

    path: Path
    pictures: Mapping[int, Path] | None = None
    first_frame: int = 1
    tolerance: int | None = None
    id: str | None = None


@dataclass(frozen=True)
class CodedData:
    """The files of a coded set, read.

    Attributes:
        frames: The codes.
        media: The pictures of each recording, by subject and recording.
        images: The names that crops have, without their suffix, where the set has names of
            its own, by subject, recording and frame; None: names are made of these three.
        place_of: The file, and the line if it is known, of a frame's codes, by subject,
            recording and frame, for messages; None: only `frames.source` is known.
        left_out: Of the subjects that the reader was to leave out, those whose files it has
            seen; they may also be in `frames`.
        set_aside: Recordings or subjects that cannot be used, with the reason.
        skipped: Other files in the folders, not read.
    """

    frames: CodedFrames
    media: Mapping[tuple[str, str], Media]
    images: Callable[[str, str, int], str] | None = None
    place_of: Callable[[str, str, int], tuple[Path, int | None]] | None = None
    left_out: Collection[str] = ()
    set_aside: Mapping[str, str] = field(default_factory=dict)
    skipped: tuple[Path, ...] = ()


Reader: TypeAlias = Callable[[CodedSetSettings, Path, Collection[str]], CodedData]
"""``read(settings, folder, left_out)``: `folder` is the set's folder in ``data/01_raw``, which
has the set's name, and which `settings.labels` and `settings.media` replace; files of subjects
in `left_out` are not checked. Raises LabelError, which names the file and the line."""


def media_folder(settings: CodedSetSettings, folder: Path) -> Path:
    """Where the pictures are: `settings.media`, or the set's folder."""
    return folder if settings.media is None else Path(settings.media)


def labels_path(settings: CodedSetSettings, folder: Path) -> Path:
    """Where the codes are: `settings.labels`, or where the pictures are."""
    return media_folder(settings, folder) if settings.labels is None else Path(settings.labels)


def scale_of(settings: CodedSetSettings) -> Scale:
    """The scale that a set's codes should have, by ``present_from``."""
    return "presence" if settings.present_from is None else "intensity"


def setting(folder: Path, name: str) -> str:
    """The full name of a set's setting, such as ``coded_sets.disfa.camera``, for messages."""
    return f"coded_sets.{folder.name}.{name}"
