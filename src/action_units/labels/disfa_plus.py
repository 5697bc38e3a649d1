"""DISFA+'s label files: ``Labels/SN001/A1_AU1_TrailNo_1/AU1.txt``.

Posed and spontaneous expressions of nine subjects (Mavadati, Sanger & Mahoor, CVPRW 2016).
A folder a trial, a file an AU; in a file two lines of header, then a line a picture: its name
and the intensity 0–5, separated by spaces (``000.jpg     0``).

The layout follows public code (FERGI's and Py-Feat's data loaders); it was not compared with
the distributed files. What is uncertain is read in several forms: no, one or two lines of
header; spaces, tabs or a comma between; any picture's suffix; a subject's folder once or twice
(``SN001/SN001``). A frame is the number in its picture's name, which the trial's folder of
pictures uses too. Py-Feat passes over trials that lack a file, so there may be some; here they
are set aside by name.
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from action_units.errors import LabelError
from action_units.labels.coded_frames import CodedFrames, Recording, coded_frames
from action_units.labels.label_files import (
    Scale,
    check_same_content,
    read_codes,
    subject_of,
    walk,
)

_LINE = re.compile(r"\s*(\d{1,9})\.(?:jpg|jpeg|png|bmp)[\s,]+(-?\d{1,9})\s*", re.ASCII | re.I)
_FILE = re.compile(r"AU[ _-]?0*(\d{1,2})\.txt", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Trials:
    """The codes of DISFA+, read.

    Attributes:
        frames: The codes of the sound trials.
        set_aside: The other trials, such as ``SN001/A1_AU1_TrailNo_1``, and what they lack.
        left_out: The subjects that were left out and have files.
        skipped: Other files in the folders, not read.
    """

    frames: CodedFrames
    set_aside: dict[str, str]
    left_out: set[str]
    skipped: list[Path]


def read_disfa_plus(
    folder: Path | str,
    aus: Sequence[int] | None = None,
    scale: Scale = "intensity",
    left_out: Collection[str] = (),
) -> Trials:
    """Read the codes of every trial.

    A trial that lacks the file of an AU, or whose files differ in their pictures, is set
    aside.

    Args:
        folder: DISFA+'s ``Labels``, or a folder that contains it.
        aus: The AUs to read; None: those of which at least half of the trials have a file.
        scale: ``intensity``, or ``presence`` for files of somebody's own with 0 and 1.
        left_out: Subjects whose files are not read.

    Raises:
        LabelError: A line is not a picture and a code on the scale, a picture occurs twice,
            or no trial is sound.
    """
    skipped: list[Path] = []
    trials: list[tuple[str, Path, dict[int, Path]]] = []
    for trial, names in walk(folder, skipped):
        subject = subject_of(trial.parent.name)
        pictures_only = names and not any(name.lower().endswith(".txt") for name in names)
        if subject is None or subject_of(trial.name) is not None or pictures_only:
            continue
        files: dict[int, Path] = {}
        for name in names:
            match = _FILE.fullmatch(name)
            if match is None:
                skipped.append(trial / name)
            elif (first := files.setdefault(int(match[1]), trial / name)) != trial / name:
                check_same_content(first, trial / name)
        trials.append((subject, trial, files))
    if aus is None:
        counts = Counter(au for _, _, files in trials for au in files)
        aus = sorted(au for au, count in counts.items() if 2 * count >= len(trials))
        rare = counts.keys() - set(aus)
        skipped += [files[au] for _, _, files in trials for au in files.keys() & rare]
    recordings = []
    set_aside: dict[str, str] = {}
    seen = {subject for subject, _, _ in trials}
    for subject, trial, files in trials:
        if subject in left_out:
            continue
        read = _read_trial(subject, trial, files, aus, scale)
        if isinstance(read, Recording):
            recordings.append(read)
        else:
            set_aside[f"{subject}/{trial.name}"] = read
    if set_aside and not recordings:
        name, reason = next(iter(set_aside.items()))
        raise LabelError(
            folder, f"none of its {len(set_aside):,} trials can be used: {name}: {reason}."
        )
    frames = coded_frames(recordings, aus, scale, folder)
    return Trials(frames, set_aside, seen & {*left_out}, skipped)


def _read_trial(
    subject: str, trial: Path, files: Mapping[int, Path], aus: Sequence[int], scale: Scale
) -> Recording | str:
    """The codes of a trial, or what it lacks."""
    if missing := [au for au in aus if au not in files]:
        return f"AU{missing[0]}.txt is missing"
    expected = "a picture and its intensity"
    columns = [
        read_codes(files[au], _LINE, expected, header_lines=2, scale=scale) for au in aus
    ]
    frames = sorted(columns[0])
    for au, column in zip(aus, columns, strict=True):
        if different := sorted(set(column) ^ set(frames)):
            return (
                f"picture {different[0]:03d} is in only one of {files[au].name} and "
                f"{files[aus[0]].name}"
            )
    codes = np.array([[column[frame][0] for column in columns] for frame in frames])
    return Recording(subject, trial.name, np.array(frames), codes, trial)
