"""DISFA's own label files: ``SN001/SN001_au1.txt``, a line ``frame,intensity`` each frame.

Frames are numbered from 1 and the number is the key, whatever line it stands on.
An intensity is a whole number from 0 (absent) to 5 (maximal).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from action_units.errors import ConfigurationError, LabelError
from action_units.labels.action_units import DISFA_AUS, au_columns
from action_units.labels.label_files import (
    check_same_content,
    few,
    subject_of,
    walk,
    what_is_there,
)
from action_units.labels.names import disfa_image

PRESENT_FROM = 2
"""The intensity from which an AU counts as present, as in the literature on DISFA."""

_FILE = re.compile(
    r"(?:(SN[ _-]?\d+)[ _-]?)?AU[ _-]?0*(\d{1,2})\.txt", re.ASCII | re.IGNORECASE
)
_LINES = re.compile(r"^(\d{1,8}),([0-5])$", re.ASCII | re.MULTILINE)
_LINE = re.compile(r"\s*(-?\d{1,18})\s*,\s*(-?\d{1,18})\s*", re.ASCII)
_MOST = 5


@dataclass(frozen=True)
class LabelFiles:
    """Where label files lie.

    Attributes:
        root: The folder that was looked through.
        folders: Of each subject, sorted.
        files: Of each subject, by AU.
        passed_over: What lies beside them and is no label file by its name.
    """

    root: Path
    folders: dict[str, Path]
    files: dict[str, dict[int, Path]]
    passed_over: list[Path]

    def of(self, subject: str, aus: Sequence[int]) -> list[Path]:
        """A subject's files of some AUs.

        Raises:
            LabelError: One is missing.
        """
        for au in aus:
            if au in self.files[subject]:
                continue
            folder = self.folders[subject]
            similar = [p.name for p in self.passed_over if p.parent == folder]
            there = f" Passed over in its folder: {few(similar)}." if similar else ""
            raise LabelError(
                folder / f"{subject}_au{au}.txt",
                f"the label file of this AU is missing.{there}",
            )
        return [self.files[subject][au] for au in aus]


def find_labels(folder: Path | str) -> LabelFiles:
    """Find the label files of all subjects, however deep and in whatever case.

    Args:
        folder: DISFA's ``ActionUnit_Labels``, or a folder that it lies in.

    Raises:
        LabelError: There is no subject's, or a file lies in two places and differs.
    """
    folder = Path(folder)
    files: dict[str, dict[int, Path]] = {}
    folders: dict[str, Path] = {}
    passed_over: list[Path] = []
    empty: list[tuple[str, Path]] = []
    for place, names in walk(folder, passed_over):
        owner = subject_of(place.name)
        matches = {name: _FILE.fullmatch(name) for name in names}
        if not any(matches.values()):
            if owner:
                empty.append((owner, place))
            continue
        for name, match in matches.items():
            subject = match and (subject_of(match[1]) if match[1] else owner)
            if match and subject:
                if owner and subject != owner:
                    raise LabelError(place / name, f"it lies in the folder of {owner}.")
                there = files.setdefault(subject, {}).setdefault(int(match[2]), place / name)
                folders.setdefault(subject, place)
                if there != place / name:
                    check_same_content(there, place / name)
                    passed_over.append(place / name)
            else:
                passed_over.append(place / name)
    for subject, place in empty:
        if any(place.parent == other.parent for other in folders.values()):
            folders.setdefault(subject, place)
            files.setdefault(subject, {})
    if not files:
        raise LabelError(
            folder,
            "no subject's label folder is there; expected SN001, SN002, … with SN001_au1.txt "
            "and so on, in ActionUnit_Labels or elsewhere below; "
            f"{what_is_there(folder)}.",
        )
    return LabelFiles(folder, dict(sorted(folders.items())), files, passed_over)


def read_intensities(
    folder: Path | str | LabelFiles, subject: str, aus: Sequence[int] = DISFA_AUS
) -> pd.DataFrame:
    """Read one subject's label files.

    Args:
        folder: DISFA's ``ActionUnit_Labels``, or what was found in it.
        subject: Such as ``SN001``.
        aus: The AUs to read.

    Returns:
        Intensities 0–5, int8 columns ``AU01`` …, indexed by ``frame`` from 1
        without a gap.

    Raises:
        LabelError: A file is missing, a line is not ``frame,intensity``, a frame is
            missing or repeated, an intensity is not 0–5, or files differ in length.
    """
    found = folder if isinstance(folder, LabelFiles) else find_labels(folder)
    if subject not in found.files:
        raise LabelError(
            found.root,
            f"{subject} has no label folder; there are {few(found.folders)}.",
        )
    paths = found.of(subject, aus)
    columns = [_read_file(path) for path in paths]
    for path, column in zip(paths, columns, strict=True):
        if len(column) != len(columns[0]):
            raise LabelError(
                path,
                f"{len(column):,} frames, but {paths[0].name} has {len(columns[0]):,}; every "
                "AU of a subject must have the same frames.",
            )
    frames = pd.RangeIndex(1, len(columns[0]) + 1, name="frame")
    return pd.DataFrame(np.stack(columns, axis=1), index=frames, columns=au_columns(aus))


def occurrence(intensities: pd.DataFrame) -> pd.DataFrame:
    """Presence, 0 or 1, of AUs whose intensity is 2 or more."""
    return (intensities >= PRESENT_FROM).astype(np.int8)


def read_frames(
    folder: Path | str | LabelFiles,
    subjects: Iterable[str],
    aus: Sequence[int] = DISFA_AUS,
    camera: str = "Right",
    suffix: str = ".jpg",
) -> pd.DataFrame:
    """The labels of every frame of some subjects, by the names of their crops.

    Args:
        folder: DISFA's ``ActionUnit_Labels``, or what was found in it.
        subjects: Such as ``SN001``; their order and repeats do not matter.
        aus: The AUs to read, in the order of the columns.
        camera: ``Right`` or ``Left``: whose crops are named. Both have the same labels.
        suffix: Of the crops.

    Returns:
        ``image``, ``subject``, ``frame`` (from 1), int8 presence ``AU01`` … and int8
        intensity 0–5 ``AU01_r`` …, ordered by subject and frame.

    Raises:
        LabelError: As ``read_intensities``.
        ConfigurationError: No subject, or an unknown camera.
    """
    parts = []
    found = folder if isinstance(folder, LabelFiles) else find_labels(folder)
    for subject in sorted(set(subjects)):
        intensities = read_intensities(found, subject, aus)
        names = [disfa_image(subject, frame, camera, suffix) for frame in intensities.index]
        key = pd.DataFrame({"image": names, "subject": subject, "frame": intensities.index})
        levels = intensities.add_suffix("_r").reset_index(drop=True)
        present = occurrence(intensities).reset_index(drop=True)
        parts.append(pd.concat([key, present, levels], axis=1))
    if not parts:
        raise ConfigurationError("no subject of DISFA is left to read.")
    return pd.concat(parts, ignore_index=True)


def _read_file(path: Path) -> np.ndarray:
    """The intensities of frame 1, 2, …, ``(N,)`` int8."""
    try:
        text = path.read_text("utf-8-sig").replace("\r", "")
    except FileNotFoundError:
        raise LabelError(path, "the label file of this AU is missing.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise LabelError(path, f"the file cannot be read as text ({error}).") from None
    lines = text.split("\n")
    n_filled = sum(1 for line in lines if line.strip())
    if not n_filled:
        raise LabelError(path, "the file is empty; expected a line frame,intensity each frame.")
    found = _LINES.findall(text)
    if len(found) != n_filled:
        found = [
            _pair(path, number, line) for number, line in enumerate(lines, 1) if line.strip()
        ]
    pairs = np.array(found, np.int64)  # (N, 2)
    frames, intensities = pairs.T
    order = np.argsort(frames, kind="stable")
    wrong = np.flatnonzero(frames[order] != np.arange(1, len(frames) + 1))
    if len(wrong):
        _refuse_frames(path, lines, frames)
    column: np.ndarray = intensities[order].astype(np.int8)
    return column


def _pair(path: Path, number: int, line: str) -> tuple[int, int]:
    match = _LINE.fullmatch(line)
    if match is None:
        raise LabelError(
            path, f"{line.strip()!r} is not frame,intensity in whole numbers.", number
        )
    frame, intensity = int(match[1]), int(match[2])
    if not 0 <= intensity <= _MOST:
        raise LabelError(
            path,
            f"frame {frame} has intensity {intensity}; intensities go from 0 to 5.",
            number,
        )
    return frame, intensity


def _refuse_frames(path: Path, lines: list[str], frames: np.ndarray) -> None:
    """Say which frame is below 1, repeated or missing, and on which line."""
    numbers = [number for number, line in enumerate(lines, 1) if line.strip()]
    seen: dict[int, int] = {}
    for number, frame in zip(numbers, frames.tolist(), strict=True):
        if frame < 1:
            raise LabelError(path, f"frame {frame}; frames are numbered from 1.", number)
        if frame in seen:
            raise LabelError(
                path, f"frame {frame} is there twice, first on line {seen[frame]}.", number
            )
        seen[frame] = number
    ordered = sorted(seen)
    expected = next(i for i, frame in enumerate(ordered, 1) if frame != i)
    raise LabelError(
        path,
        f"frame {expected} is missing; the next one there is frame {ordered[expected - 1]}.",
        seen[ordered[expected - 1]],
    )
