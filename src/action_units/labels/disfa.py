"""DISFA's own label files: ``SN001/SN001_au1.txt``, a line ``frame,intensity`` each frame.

Frames are numbered from 1 without a gap, and the number is the key, whatever line it
stands on. DISFA has one recording of each subject.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from action_units.errors import ConfigurationError, LabelError
from action_units.labels.coded_frames import CodedFrames, Recording, coded_frames
from action_units.labels.label_files import (
    Scale,
    check_same_content,
    describe_folder,
    first_names,
    read_codes,
    subject_of,
    walk,
)

RECORDING = "video"
"""The name of each subject's recording."""

_FILE = re.compile(
    r"(?:(SN[ _-]?\d+)[ _-]?)?AU[ _-]?0*(\d{1,2})\.txt", re.ASCII | re.IGNORECASE
)
_LINE = re.compile(r"\s*(-?\d{1,18})\s*,\s*(-?\d{1,18})\s*", re.ASCII)


@dataclass(frozen=True)
class LabelFiles:
    """Where DISFA's label files lie.

    Attributes:
        folders: The folder of each subject, sorted by subject.
        files: Of each subject, the file of each AU.
        skipped: Other files in the folders, not label files by their names.
    """

    folders: dict[str, Path]
    files: dict[str, dict[int, Path]]
    skipped: list[Path]

    def without(self, subjects: Collection[str]) -> "LabelFiles":
        """The files of the other subjects."""
        left = {name: path for name, path in self.folders.items() if name not in subjects}
        return LabelFiles(left, self.files, self.skipped)

    def of(self, subject: str, aus: Sequence[int]) -> list[Path]:
        """A subject's files of some AUs; raises LabelError where one is missing."""
        for au in aus:
            if au not in self.files[subject]:
                folder = self.folders[subject]
                similar = [path.name for path in self.skipped if path.parent == folder]
                hint = f" Skipped in its folder: {first_names(similar)}." if similar else ""
                raise LabelError(
                    folder / f"{subject}_au{au}.txt",
                    f"the label file of this AU is missing.{hint}",
                )
        return [self.files[subject][au] for au in aus]


def find_labels(folder: Path | str) -> LabelFiles:
    """Find the label files of all subjects, at any depth and in upper or lower case.

    Args:
        folder: DISFA's ``ActionUnit_Labels``, or a folder that it lies in.

    Raises:
        LabelError: No subject has any, or a file lies in two places and differs.
    """
    folder = Path(folder)
    files: dict[str, dict[int, Path]] = {}
    folders: dict[str, Path] = {}
    skipped: list[Path] = []
    empty: list[tuple[str, Path]] = []
    for place, names in walk(folder, skipped):
        owner = subject_of(place.name)
        matches = {name: _FILE.fullmatch(name) for name in names}
        if not any(matches.values()):
            if owner:
                empty.append((owner, place))
            continue
        for name, match in matches.items():
            path = place / name
            subject = match and (subject_of(match[1]) if match[1] else owner)
            if not match or not subject:
                skipped.append(path)
                continue
            if owner and subject != owner:
                raise LabelError(path, f"it lies in the folder of {owner}.")
            first = files.setdefault(subject, {}).setdefault(int(match[2]), path)
            folders.setdefault(subject, place)
            if first != path:
                check_same_content(first, path)
                skipped.append(path)
    for subject, place in empty:
        if any(place.parent == other.parent for other in folders.values()):
            folders.setdefault(subject, place)
            files.setdefault(subject, {})
    if not files:
        raise LabelError(
            folder,
            "no subject's label folder is there; expected SN001, SN002, … with SN001_au1.txt "
            f"and so on, in ActionUnit_Labels or elsewhere below; {describe_folder(folder)}.",
        )
    return LabelFiles(dict(sorted(folders.items())), files, skipped)


def read_disfa(
    folder: Path | str | LabelFiles,
    aus: Sequence[int] | None = None,
    scale: Scale = "intensity",
) -> CodedFrames:
    """Read the codes of every frame.

    Args:
        folder: DISFA's ``ActionUnit_Labels``, or the files that were found in it.
        aus: The AUs to read; None: all of which there is a file.
        scale: ``intensity``, or ``presence`` for files of somebody's own with 0 and 1.

    Raises:
        LabelError: A file is missing, a line is not ``frame,intensity``, a frame is missing
            or occurs twice, a code is not on the scale, or files differ in length.
        ConfigurationError: No subject is left.
    """
    files = folder if isinstance(folder, LabelFiles) else find_labels(folder)
    if not files.folders:
        raise ConfigurationError("no subject of DISFA is left to read.")
    if aus is None:
        aus = sorted({au for subject in files.folders for au in files.files[subject]})
    recordings = []
    for subject in files.folders:
        paths = files.of(subject, aus)
        columns = [_read_file(path, scale) for path in paths]
        for path, column in zip(paths, columns, strict=True):
            if len(column) != len(columns[0]):
                raise LabelError(
                    path,
                    f"{len(column):,} frames, but {paths[0].name} has {len(columns[0]):,}; "
                    "every AU of a subject must have the same frames.",
                )
        frames = np.arange(1, len(columns[0]) + 1)
        codes = np.stack(columns, axis=1)  # (N, A)
        recordings.append(Recording(subject, RECORDING, frames, codes, files.folders[subject]))
    return coded_frames(recordings, aus, scale, next(iter(files.folders.values())).parent)


def _read_file(path: Path, scale: Scale) -> np.ndarray:
    """The codes of frames 1, 2, …, ``(N,)`` int8."""
    codes = read_codes(path, _LINE, "frame,intensity in whole numbers", scale=scale)
    frames = sorted(codes)
    for expected, frame in enumerate(frames, 1):
        if frame < 1:
            raise LabelError(
                path, f"frame {frame}; frames are numbered from 1.", codes[frame][1]
            )
        if frame != expected:
            raise LabelError(
                path,
                f"frame {expected} is missing; the next one there is frame {frame}.",
                codes[frame][1],
            )
    return np.array([codes[frame][0] for frame in frames], np.int8)
