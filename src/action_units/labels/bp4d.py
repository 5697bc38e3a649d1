"""BP4D's codes: ``AU_OCC/F001_T1.csv`` and ``AU_INT/AU06/F001_T1_AU06.csv``.

Spontaneous expressions of 41 subjects in 8 tasks (Zhang et al., Image and Vision Computing
2014); BP4D+ (140 subjects, 10 tasks, of which 4 are coded) has the same layout. Occurrence: one
file a subject and task, the first row AU numbers above a first column of frame numbers, cells
0, 1, or 9 where the AU could not be scored. The literature reports AU 1, 2, 4, 6, 7, 10, 12,
14, 15, 17, 23 and 24. Intensity: one file a subject, task and AU (6, 10, 12, 14, 17), lines
``frame,intensity`` with 0 to 5, or 9. Only some frames of a task are coded.

The layout follows public code (the FERA 2015 baseline, Py-Feat and several training
repositories); it was not compared with the distributed files. What is uncertain is read in
every form: intensity files lie below ``AU06/`` or side by side, with or without one line of
header; the first row of occurrences counts 0 to 99, or names some AUs, and what stands above
the frame numbers does not matter. Frames are numbered as the pictures of the task are.
"""

import csv
import logging
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from action_units.errors import LabelError
from action_units.labels.action_units import AU_NAMES, au_column, au_columns
from action_units.labels.coded_frames import MISSING, CodedFrames, Recording, coded_frames
from action_units.labels.label_files import check_same_content, read_codes, walk

logger = logging.getLogger(__name__)

_NAME = re.compile(r"([FM]\d{3})_(T\d{1,2})(?:_AU(\d\d))?\.csv", re.ASCII | re.IGNORECASE)
_NUMBER = re.compile(r"\s*(\d{1,9})\s*", re.ASCII)
_LINE = re.compile(rf"{_NUMBER.pattern},{_NUMBER.pattern}", re.ASCII)
_NOT_SCORED = 9
_CODES = {"0": 0, "1": 1, str(_NOT_SCORED): MISSING}


@dataclass(frozen=True)
class BP4DFiles:
    """Where BP4D's files of codes lie.

    Attributes:
        folder: In which they were looked for.
        occurrences: The file of each subject and task.
        intensities: The file of each subject, task and AU.
        skipped: Other files in their folders.
    """

    folder: Path
    occurrences: dict[tuple[str, str], Path]
    intensities: dict[tuple[str, str, int], Path]
    skipped: list[Path]

    def subjects(self) -> set[str]:
        """Whose files there are."""
        return {key[0] for key in self.occurrences} | {key[0] for key in self.intensities}

    def without(self, subjects: Collection[str]) -> "BP4DFiles":
        """The files of the other subjects."""
        return BP4DFiles(
            self.folder,
            {key: path for key, path in self.occurrences.items() if key[0] not in subjects},
            {key: path for key, path in self.intensities.items() if key[0] not in subjects},
            self.skipped,
        )

    def place_of(self, subject: str, task: str, frame: int) -> tuple[Path, int | None]:
        """The file of a task's codes, and the line of a frame."""
        paths = [path for key, path in self.intensities.items() if key[:2] == (subject, task)]
        path = self.occurrences.get((subject, task)) or paths[0]
        for line, text in enumerate(path.read_text("utf-8-sig").split("\n"), 1):
            if line > 1 and text.partition(",")[0].strip() == str(frame):
                return path, line
        return path, None


def find_bp4d(folder: Path | str) -> BP4DFiles:
    """Find the files of codes, at any depth and in upper or lower case.

    Args:
        folder: BP4D's ``AUCoding``, ``AU_OCC`` or ``AU_INT``, or a folder that contains it.

    Raises:
        LabelError: There is none, or one lies in two places and differs.
    """
    found = BP4DFiles(Path(folder), {}, {}, [])
    for place, names in walk(folder, found.skipped):
        matches = {name: _NAME.fullmatch(name) for name in names}
        if not any(matches.values()):
            continue
        for name, match in matches.items():
            path = place / name
            if match is None:
                found.skipped.append(path)
                continue
            key = match[1].upper(), match[2].upper()
            if match[3]:
                first = found.intensities.setdefault((*key, int(match[3])), path)
            else:
                first = found.occurrences.setdefault(key, path)
            if first != path:
                check_same_content(first, path)
                found.skipped.append(path)
    if not found.occurrences and not found.intensities:
        raise LabelError(
            folder,
            "no recording with codes is in this folder; expected AU_OCC/F001_T1.csv or "
            "AU_INT/AU06/F001_T1_AU06.csv and so on, at any depth.",
        )
    return found


def read_bp4d(files: BP4DFiles, aus: Sequence[int] | None = None) -> CodedFrames:
    """Read the occurrence of AUs in every task; cells of 9 become ``MISSING``.

    Args:
        files: From ``find_bp4d``.
        aus: The AUs to read. None: all that are scored in any frame, ``MISSING`` where a file
            has no column of one; numbers that FACS does not give to a movement of the face
            are skipped.

    Raises:
        LabelError: A file lacks an AU of `aus` or has one twice, or a cell is not 0, 1 or 9;
            names file and line.
    """
    read = [
        (subject, task, path, *_read_occurrence(path, aus))
        for (subject, task), path in files.occurrences.items()
    ]
    if aus is None:
        scored = {
            au
            for *_, columns in read
            for au, codes in columns.items()
            if (codes != MISSING).any()
        }
        if unknown := sorted(scored - {*AU_NAMES}):
            logger.warning("%s: skipped codes of %s", files.folder, au_columns(unknown))
        aus = sorted(scored & {*AU_NAMES})
    recordings = []
    for subject, task, path, frames, columns in read:
        none = np.full(len(frames), MISSING)
        codes = np.stack([columns.get(au, none) for au in aus], axis=1)  # (N, A)
        recordings.append(Recording(subject, task, frames, codes, path))
    return coded_frames(recordings, aus, "presence", files.folder)


def read_bp4d_intensities(
    files: BP4DFiles, aus: Sequence[int] | None = None, partly: bool = False
) -> CodedFrames:
    """Read the intensities of AUs in every task; a frame that an AU lacks is ``MISSING``.

    Args:
        files: From ``find_bp4d``.
        aus: The AUs to read; None: all of which there is a file. A task whose files have none
            of them is skipped.
        partly: Take an AU as not scored in a task that lacks its file.

    Raises:
        LabelError: A task lacks the file of an AU, or a line is not a frame and 0–5 or 9.
    """
    if aus is None:
        aus = sorted({au for *_, au in files.intensities})
    tasks: dict[tuple[str, str], dict[int, Path]] = {}
    for (subject, task, au), path in files.intensities.items():
        if au in aus:
            tasks.setdefault((subject, task), {})[au] = path
    recordings = []
    for (subject, task), own in tasks.items():
        path = next(iter(own.values()))
        missing = [au for au in aus if au not in own]
        if missing and not partly:
            name = f"{subject}_{task}_{au_column(missing[0])}.csv"
            raise LabelError(path.parent, f"{name} is missing, and {path.name} is there.")
        columns = [_read_intensities(own[au]) if au in own else {} for au in aus]
        frames = sorted({frame for column in columns for frame in column})
        codes = [[column.get(frame, (MISSING,))[0] for column in columns] for frame in frames]
        recordings.append(Recording(subject, task, np.array(frames), np.array(codes), path))
    return coded_frames(recordings, aus, "intensity", files.folder)


def _read_intensities(path: Path) -> Mapping[int, tuple[int, int]]:
    return read_codes(
        path,
        _LINE,
        "frame,intensity in whole numbers",
        header_lines=1,
        not_scored=(_NOT_SCORED, MISSING),
    )


def _read_occurrence(
    path: Path, aus: Sequence[int] | None
) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """The frames, (N,), and the codes of each AU, (N,)."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            rows = [(reader.line_num, cells) for cells in reader if any(cells)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LabelError(path, f"the file cannot be read ({error}).") from None
    if len(rows) < 2:
        raise LabelError(path, "the file has fewer than two lines.")
    (_, header), *rows = rows
    places: dict[int, list[int]] = {}
    for place, cell in enumerate(header[1:], 1):
        if match := _NUMBER.fullmatch(cell):
            places.setdefault(int(match[1]), []).append(place)
    aus = [au for au in places if au] if aus is None else aus
    for au in aus:
        if (n := len(places.get(au, ()))) != 1:
            raise LabelError(
                path,
                f"the first row has AU {au} {n} times; expected every AU number once.",
                1,
            )
    own = [places[au][0] for au in aus]
    frames = np.empty(len(rows), np.int64)
    codes = np.empty((len(aus), len(rows)), np.int8)
    for row, (line, cells) in enumerate(rows):
        if len(cells) != len(header):
            raise LabelError(
                path, f"{len(cells)} columns, but the first row has {len(header)}.", line
            )
        frames[row] = _number(cells[0], path, line)
        for column, place in enumerate(own):
            code = _CODES.get(cells[place])
            if code is None:
                code = _code(cells[place], aus[column], path, line)
            codes[column, row] = code
    return frames, dict(zip(aus, codes, strict=True))


def _code(cell: str, au: int, path: Path, line: int) -> int:
    number = str(_number(cell, path, line))
    if number not in _CODES:
        raise LabelError(
            path, f"AU {au} is {number}; occurrence is 0, 1 or {_NOT_SCORED}.", line
        )
    return _CODES[number]


def _number(cell: str, path: Path, line: int) -> int:
    match = _NUMBER.fullmatch(cell)
    if match is None:
        raise LabelError(path, f"{cell!r} is not a whole number.", line)
    return int(match[1])
