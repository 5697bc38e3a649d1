"""DISFA+'s label files: ``Labels/SN001/A1_AU1_TrailNo_1/AU1.txt``.

Posed and spontaneous expressions of nine subjects (Mavadati, Sanger & Mahoor, CVPRW 2016).
A folder a trial, a file an AU; in a file two lines of header, then a line a picture: its name
and the intensity 0–5, separated by spaces (``000.jpg     0``).

The layout follows public code (FERGI's data loader); it was not compared with the
distributed files. What is uncertain is read in several forms: no, one or two lines of header;
spaces, tabs or a comma between; any picture's suffix. A frame is the number in its picture's
name, which the trial's folder of pictures uses too.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from action_units.errors import LabelError
from action_units.labels.action_units import DISFA_AUS
from action_units.labels.coded_frames import CodedFrames, Recording, coded_frames
from action_units.labels.label_files import (
    check_same_content,
    log_skipped,
    read_codes,
    subject_of,
    walk,
)

_LINE = re.compile(r"\s*(\d{1,9})\.(?:jpg|jpeg|png|bmp)[\s,]+(-?\d{1,9})\s*", re.ASCII | re.I)
_FILE = re.compile(r"AU[ _-]?0*(\d{1,2})\.txt", re.ASCII | re.IGNORECASE)


def read_disfa_plus(folder: Path | str, aus: Sequence[int] = DISFA_AUS) -> CodedFrames:
    """Read the intensities of every trial.

    Args:
        folder: DISFA+'s ``Labels``, or a folder that contains it. Other files in it,
            and copies of trials, are named in the log.
        aus: The AUs to read.

    Raises:
        LabelError: A file is missing or has a line that is not a picture and an intensity
            0–5, a picture occurs twice, or files of a trial differ in their pictures.
    """
    recordings = []
    skipped: list[Path] = []
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
        recordings.append(_read_trial(subject, trial, files, aus))
    log_skipped(skipped, "label files")
    return coded_frames(recordings, aus, "intensity", folder)


def _read_trial(
    subject: str, trial: Path, files: Mapping[int, Path], aus: Sequence[int]
) -> Recording:
    paths = [files.get(au, trial / f"AU{au}.txt") for au in aus]
    expected = "a picture and its intensity"
    columns = [read_codes(path, _LINE, expected, header_lines=2) for path in paths]
    frames = sorted(columns[0])
    for path, column in zip(paths, columns, strict=True):
        if different := sorted(set(column) ^ set(frames)):
            raise LabelError(
                path,
                f"picture {different[0]:03d} is in only one of {path.name} and "
                f"{paths[0].name}; every AU of a trial must have the same pictures.",
            )
    codes = np.array([[column[frame][0] for column in columns] for frame in frames])
    return Recording(subject, trial.name, np.array(frames), codes, trial)
