"""BP4D's codes: ``AU_OCC/F001_T1.csv`` and ``AU_INT/AU06/F001_T1_AU06.csv``.

Spontaneous expressions of 41 subjects in 8 tasks (Zhang et al., Image and Vision Computing
2014); BP4D+ has the same layout. Occurrence: one file a subject and task, the first row
AU numbers above a first column of frame numbers, cells 0, 1, or 9 where the AU could not be
scored. Intensity: one file a subject, task and AU (06, 10, 12, 14, 17), lines
``frame,intensity`` with 0 to 5, or 9; only some frames of a task are coded.

The layout follows public code (the FERA 2015 baseline and several training repositories);
it was not compared with the distributed files. What is uncertain is read in both forms:
intensity files lie below ``AU06/`` or side by side, with or without one line of header.
Frames are numbered as the pictures of the task are.
"""

import csv
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from action_units.errors import LabelError
from action_units.labels.action_units import AUSet, au_column
from action_units.labels.coded_frames import MISSING, CodedFrames, Recording, coded_frames
from action_units.labels.label_files import log_skipped, read_codes, walk

BP4D_AUS: AUSet = (1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24)
"""The twelve AUs whose occurrence the literature on BP4D reports."""

BP4D_INTENSITY_AUS: AUSet = (6, 10, 12, 14, 17)
"""The five AUs that are coded with intensities."""

_NAME = re.compile(r"([FM]\d{3})_(T\d{1,2})(?:_AU(\d\d))?\.csv", re.ASCII | re.IGNORECASE)
_NUMBER = re.compile(r"\s*(\d{1,9})\s*", re.ASCII)
_LINE = re.compile(rf"{_NUMBER.pattern},{_NUMBER.pattern}", re.ASCII)
_NOT_SCORED = 9


def read_bp4d(folder: Path | str, aus: Sequence[int] = BP4D_AUS) -> CodedFrames:
    """Read the occurrence of AUs in every task; cells of 9 become ``MISSING``.

    Args:
        folder: BP4D's ``AU_OCC``.
        aus: The AUs to read; the files have more.

    Raises:
        LabelError: A file lacks an AU, or a cell is not 0, 1 or 9; names file and line.
    """
    recordings = []
    for path, subject, task, _ in _find_files(folder, with_au=False):
        frames, codes = _read_occurrence(path, aus)
        recordings.append(Recording(subject, task, frames, codes, path))
    return coded_frames(recordings, aus, "presence", folder)


def read_bp4d_intensities(
    folder: Path | str, aus: Sequence[int] = BP4D_INTENSITY_AUS
) -> CodedFrames:
    """Read the intensities of AUs in every task; a frame that an AU lacks is ``MISSING``.

    Args:
        folder: BP4D's ``AU_INT``.
        aus: The AUs to read; a task whose files have none of them is skipped.

    Raises:
        LabelError: A task lacks the file of an AU, or a line is not a frame and 0–5 or 9.
    """
    tasks: dict[tuple[str, str], dict[int, Path]] = {}
    for path, subject, task, au in _find_files(folder, with_au=True):
        if au in aus:
            files = tasks.setdefault((subject, task), {})
            if au in files:
                raise LabelError(path, f"the same file lies in {files[au].parent}.")
            files[au] = path
    recordings = []
    for (subject, task), files in tasks.items():
        if missing := [au for au in aus if au not in files]:
            path = next(iter(files.values()))
            name = f"{subject}_{task}_{au_column(missing[0])}.csv"
            raise LabelError(path.parent, f"{name} is missing, and {path.name} is there.")
        columns = [
            read_codes(
                files[au],
                _LINE,
                "frame,intensity in whole numbers",
                header_lines=1,
                not_scored=(_NOT_SCORED, MISSING),
            )
            for au in aus
        ]
        frames = sorted({frame for column in columns for frame in column})
        codes = [[column.get(frame, (MISSING,))[0] for column in columns] for frame in frames]
        path = files[aus[0]]
        recordings.append(Recording(subject, task, np.array(frames), np.array(codes), path))
    return coded_frames(recordings, aus, "intensity", folder)


def _find_files(folder: Path | str, with_au: bool) -> list[tuple[Path, str, str, int]]:
    """Files of codes with their subject, task and AU (0 without); logs the other files."""
    files: list[tuple[Path, str, str, int]] = []
    skipped: list[Path] = []
    for place, names in walk(folder, skipped):
        matches = {name: _NAME.fullmatch(name) for name in names}
        here = [
            (place / name, match[1].upper(), match[2].upper(), int(match[3] or 0))
            for name, match in matches.items()
            if match and bool(match[3]) == with_au
        ]
        if here:
            skipped += [place / name for name, match in matches.items() if match is None]
        files += here
    log_skipped(skipped, "files of codes")
    return files


def _read_occurrence(path: Path, aus: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """The frames, (N,), and the codes, (N, A)."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            rows = [(reader.line_num, cells) for cells in reader if any(cells)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LabelError(path, f"the file cannot be read ({error}).") from None
    if len(rows) < 2:
        raise LabelError(path, "the file has fewer than two lines.")
    (_, header), *rows = rows
    numbers = [int(cell) if _NUMBER.fullmatch(cell) else None for cell in header[1:]]
    if missing := [au for au in aus if numbers.count(au) != 1]:
        raise LabelError(
            path,
            f"the first row has AU {missing[0]} {numbers.count(missing[0])} times; expected "
            "every AU number once.",
            1,
        )
    places = [0, *(1 + numbers.index(au) for au in aus)]
    table = []
    for line, cells in rows:
        if len(cells) != len(header):
            raise LabelError(
                path, f"{len(cells)} columns, but the first row has {len(header)}.", line
            )
        if odd := [cells[p] for p in places if not _NUMBER.fullmatch(cells[p])]:
            raise LabelError(path, f"{odd[0]!r} is not a whole number.", line)
        frame, *codes = (int(cells[p]) for p in places)
        for au, code in zip(aus, codes, strict=True):
            if code not in (0, 1, _NOT_SCORED):
                raise LabelError(
                    path, f"AU {au} is {code}; occurrence is 0, 1 or {_NOT_SCORED}.", line
                )
        table.append([frame, *(MISSING if code == _NOT_SCORED else code for code in codes)])
    frames_and_codes = np.array(table)
    return frames_and_codes[:, 0], frames_and_codes[:, 1:]
