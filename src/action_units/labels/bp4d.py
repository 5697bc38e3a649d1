"""BP4D's codes: ``AU_OCC/F001_T1.csv`` and ``AU_INT/AU06/F001_T1_AU06.csv``.

Spontaneous expressions of 41 subjects in 8 tasks (Zhang et al., Image and Vision Computing
2014); BP4D+ has the same layout. Occurrence: one file a subject and task, the first row
AU numbers above a first column of frame numbers, cells 0, 1, or 9 where the AU could not be
scored. Intensity: one file a subject, task and AU (06, 10, 12, 14, 17), lines
``frame,intensity`` with 0 to 5, or 9; only a part of the frames of a task is coded.

The layout follows what public code reads (the FERA 2015 baseline and several training
repositories); it was not compared with the distributed files. What is uncertain is taken
widely: intensity files lie below ``AU06/`` or side by side, with or without one line of
header. Frames are numbered as the pictures of the task are.
"""

import csv
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from action_units.errors import LabelError
from action_units.labels.action_units import AUSet, au_column
from action_units.labels.coded_frames import MISSING, CodedFrames, Recording, coded_frames
from action_units.labels.label_files import log_passed_over, walk

BP4D_AUS: AUSet = (1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24)
"""The twelve AUs whose occurrence the literature on BP4D reports."""

BP4D_INTENSITY_AUS: AUSet = (6, 10, 12, 14, 17)
"""The five AUs that are coded with intensities."""

_NAME = re.compile(r"([FM]\d{3})_(T\d{1,2})(?:_AU(\d\d))?\.csv", re.ASCII | re.IGNORECASE)
_CODE = re.compile(r"\s*(\d{1,9})\s*", re.ASCII)
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
    for path, subject, task, _ in _files(folder, with_au=False):
        frames, codes = _read_occurrence(path, aus)
        recordings.append(Recording(subject, task, frames, codes, path))
    return coded_frames(recordings, aus, "presence", folder)


def read_bp4d_intensities(
    folder: Path | str, aus: Sequence[int] = BP4D_INTENSITY_AUS
) -> CodedFrames:
    """Read the intensities of AUs in every task; a frame that an AU lacks is ``MISSING``.

    Args:
        folder: BP4D's ``AU_INT``.
        aus: The AUs to read; a task whose files have none of them is passed over.

    Raises:
        LabelError: A task lacks the file of an AU, or a line is not a frame and 0–5 or 9.
    """
    tasks: dict[tuple[str, str], dict[int, Path]] = {}
    for path, subject, task, au in _files(folder, with_au=True):
        if au in aus:
            files = tasks.setdefault((subject, task), {})
            if au in files:
                raise LabelError(path, f"the same file lies in {files[au].parent}.")
            files[au] = path
    recordings = []
    for (subject, task), files in tasks.items():
        if missing := [au for au in aus if au not in files]:
            beside = next(iter(files.values()))
            raise LabelError(
                beside.parent,
                f"{subject}_{task}_{au_column(missing[0])}.csv is missing, and {beside.name} "
                "is there.",
            )
        columns = [_read_intensity(files[au]) for au in aus]
        frames = sorted({frame for column in columns for frame in column})
        codes = [[column.get(frame, MISSING) for column in columns] for frame in frames]
        path = files[aus[0]]
        recordings.append(Recording(subject, task, np.array(frames), np.array(codes), path))
    return coded_frames(recordings, aus, "intensity", folder)


def _files(folder: Path | str, with_au: bool) -> list[tuple[Path, str, str, int]]:
    """Files of codes with their subject, task and AU (0 without); tells what else is there."""
    found: list[tuple[Path, str, str, int]] = []
    passed_over: list[Path] = []
    for place, names in walk(folder, passed_over):
        matches = {name: _NAME.fullmatch(name) for name in names}
        here = [
            (place / name, match[1].upper(), match[2].upper(), int(match[3] or 0))
            for name, match in matches.items()
            if match and bool(match[3]) == with_au
        ]
        if here:
            passed_over += [place / name for name, match in matches.items() if match is None]
        found += here
    log_passed_over(passed_over, "files of codes")
    return found


def _read_occurrence(path: Path, aus: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    (_, header), *rows = _rows(path)
    numbers = [int(cell) if _CODE.fullmatch(cell) else None for cell in header[1:]]
    if missing := [au for au in aus if numbers.count(au) != 1]:
        raise LabelError(
            path,
            f"the first row has AU {missing[0]} {numbers.count(missing[0])} times; expected "
            "every AU number once.",
            1,
        )
    places = [0, *(1 + numbers.index(au) for au in aus)]
    for line, cells in rows:
        if len(cells) != len(header):
            raise LabelError(
                path, f"{len(cells)} columns, but the first row has {len(header)}.", line
            )
    table = np.array([[_whole(path, n, cells[p]) for p in places] for n, cells in rows])
    odd = ~np.isin(table[:, 1:], (0, 1, _NOT_SCORED))
    if odd.any():
        row, column = np.argwhere(odd)[0]
        what = f"AU {aus[column]} is {table[row, 1 + column]}; occurrence is 0, 1 or 9."
        raise LabelError(path, what, rows[row][0])
    codes = table[:, 1:]
    return table[:, 0], np.where(codes == _NOT_SCORED, MISSING, codes)


def _read_intensity(path: Path) -> dict[int, int]:
    found: dict[int, int] = {}
    for place, (line, cells) in enumerate(_rows(path)):
        if place == 0 and not _CODE.fullmatch(cells[0]):
            continue
        if len(cells) != 2:
            raise LabelError(path, f"{','.join(cells)!r} is not frame,intensity.", line)
        frame, code = (_whole(path, line, cell) for cell in cells)
        if frame in found:
            raise LabelError(path, f"frame {frame} is there twice.", line)
        if code > 5 and code != _NOT_SCORED:
            raise LabelError(path, f"intensity is {code}; expected 0 to 5, or 9.", line)
        found[frame] = MISSING if code == _NOT_SCORED else code
    if not found:
        raise LabelError(path, "no line has a frame and its intensity.")
    return found


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """The lines that are not blank, with their numbers."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            rows = [(reader.line_num, cells) for cells in reader if any(cells)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LabelError(path, f"the file cannot be read ({error}).") from None
    if len(rows) < 2:
        raise LabelError(path, "the file has fewer than two lines.")
    return rows


def _whole(path: Path, line: int, cell: str) -> int:
    match = _CODE.fullmatch(cell)
    if match is None:
        raise LabelError(path, f"{cell!r} is not a whole number.", line)
    return int(match[1])
