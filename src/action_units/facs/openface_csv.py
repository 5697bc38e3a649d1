"""The CSV files of OpenFace 2, one or a folder of them, as plain columns of numbers.

OpenFace pads its column names with spaces and has two layouts (``RecorderCSV.cpp`` of its
source, and the page Output-Format of its wiki):

* FaceLandmarkImg, a file a picture: ``face, confidence, …``, a row a face; it has no
  ``success``, and where it finds no face it writes no file, or a header alone.
* FeatureExtraction, a file a video or image sequence: ``frame, face_id, timestamp,
  confidence, success, …``, a row a frame; those of older versions lack ``face_id``.

Neither holds the picture's name. A file that somebody merged has it in a column of one of
the names in ``IMAGE_COLUMNS``; a file of one picture is named after the picture.
"""

import csv
import math
import os
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from action_units.errors import LabelError
from action_units.facs.action_units import au_column

IMAGE_COLUMNS = ("image", "image_name", "filename", "file", "input", "name")
"""Where a merged file may have the picture's name; the first of them that is there is read."""

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")

_FACE_COLUMNS = ("face", "face_id")
_OPTIONAL = ("success", "frame")
_PRESENCE = re.compile(r"AU\d\d_c", re.ASCII)


@dataclass(frozen=True)
class Layout:
    """Where a file has the columns that are read.

    Attributes:
        width: How many columns the header has.
        image: Place of the picture's name; None where the file is named after it.
        names: The columns of numbers: ``confidence``, perhaps ``face``, ``success`` and
            ``frame``, presence ``AU01_c`` …, intensity ``AU01_r`` … so far as it is there.
        places: Where those are.
    """

    width: int
    image: int | None
    names: tuple[str, ...]
    places: tuple[int, ...]


@dataclass
class Rows:
    """Rows of one layout, from one file or many.

    Attributes:
        names: The columns of numbers, as in ``Layout``; of the first file that has a row.
        images: The picture of each row, ``(N,)``.
        files: The files that were read.
        file: Which of `files` a row is from, ``(N,)``.
        line: The row's line in it, from 1, ``(N,)``.
        numbers: ``(N, len(names))``, row by row; NaN where there is no number.
        odd: What stands where there is no number, by row and column.
        skipped: Pictures without a row: the picture, its file, the reason.
    """

    names: tuple[str, ...] = ()
    images: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    file: "array[int]" = field(default_factory=lambda: array("l"))
    line: "array[int]" = field(default_factory=lambda: array("l"))
    numbers: "array[float]" = field(default_factory=lambda: array("d"))
    odd: dict[tuple[int, int], str] = field(default_factory=dict)
    skipped: list[tuple[str, Path, str]] = field(default_factory=list)

    def place(self, row: int) -> tuple[Path, int]:
        """The file and line of a row."""
        return self.files[self.file[row]], self.line[row]


def read_rows(path: Path, aus: Sequence[int], suffix: str) -> Rows:
    """Read a file, or all CSV files below a folder in the order of their names.

    Args:
        path: A CSV file or a folder of them, at any depth.
        aus: The AUs that are wanted.
        suffix: Of the pictures, for files that are named without it.

    Raises:
        LabelError: A file is missing, not CSV, or lacks a column; a row of another width;
            files of different layouts; not one row.
    """
    rows = Rows()
    layouts: dict[str, Layout] = {}  # by header: of 100,000 files, few headers differ
    files = _files_below(path) if path.is_dir() else iter([(path, path.name)])
    for file, name in files:
        _add(rows, file, name, aus, suffix, layouts)
    if not rows.images:
        what = "not one CSV file with a row is in this folder."
        if not path.is_dir():
            what = "there is a header and nothing below it."
        raise LabelError(path, what)
    return rows


def find_layout(path: Path, header: Sequence[str], aus: Sequence[int]) -> Layout:
    """Find the columns that are read; their names must match exactly.

    Raises:
        LabelError: One is missing or there twice.
    """
    presence = [f"{au_column(au)}_c" for au in aus]
    intensity = [f"{au_column(au)}_r" for au in aus]
    image = next((name for name in IMAGE_COLUMNS if name in header), None)
    face = [name for name in _FACE_COLUMNS if name in header][:1]
    optional = [name for name in (*_OPTIONAL, *intensity) if name in header]
    read = ["confidence", *face, *optional, *presence]
    for name in [*read, *([image] if image else [])]:
        if header.count(name) > 1:
            raise LabelError(path, f"column {name} is there twice.", 1)
    if missing := [name for name in read if name not in header]:
        raise LabelError(path, _missing_columns(missing, header), 1)
    return Layout(
        width=len(header),
        image=None if image is None else header.index(image),
        names=tuple("face" if name in _FACE_COLUMNS else name for name in read),
        places=tuple(header.index(name) for name in read),
    )


def _files_below(folder: Path) -> Iterator[tuple[Path, str]]:
    """CSV files at any depth, by name, with their names relative to the folder."""
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.lower().endswith(".csv") and not name.startswith("."):
                path = Path(parent, name)
                yield path, path.relative_to(folder).as_posix()


def _add(
    rows: Rows,
    path: Path,
    name: str,
    aus: Sequence[int],
    suffix: str,
    layouts: dict[str, Layout],
) -> None:
    """Read one file and put its rows below those of the files before it."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = file.readline()
            if not header.strip():
                raise LabelError(
                    path,
                    "the file is empty; expected OpenFace's header. If OpenFace was stopped "
                    "while it wrote, delete the file and run it again.",
                )
            reader = csv.reader(file, skipinitialspace=True)
            # The header was read apart, so the reader's count is one short.
            lines = ((reader.line_num + 1, cells) for cells in reader if any(cells))
            first = next(lines, None)
            if first is None:
                reason = "OpenFace found no face (a header and no row)"
                rows.skipped.append((_picture(name, suffix), path, reason))
                return
            if header not in layouts:
                columns = [cell.strip() for cell in next(csv.reader([header]))]
                layouts[header] = find_layout(path, columns, aus)
            layout = layouts[header]
            if not rows.images:
                rows.names = layout.names
            elif rows.names != layout.names:
                raise LabelError(path, _other_layout(rows, layout), 1)
            is_video = layout.image is None and "frame" in layout.names
            rows.files.append(path)
            _add_cells(
                rows, layout, _picture(name, "" if is_video else suffix), chain([first], lines)
            )
    except FileNotFoundError:
        raise LabelError(path, "there is no such file.") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LabelError(path, f"the file cannot be read ({error}).") from None


def _add_cells(
    rows: Rows, layout: Layout, picture: str, lines: Iterable[tuple[int, list[str]]]
) -> None:
    path, file = rows.files[-1], len(rows.files) - 1
    if layout.image is None and not _is_text(picture):
        reason = "the name is not UTF-8, and no label table can hold it; rename the picture"
        rows.skipped.append((picture, path, reason))
        return
    for line, cells in lines:
        if len(cells) != layout.width:
            problem = f"{len(cells)} columns, but the header has {layout.width}."
            raise LabelError(path, problem, line)
        image = picture if layout.image is None else cells[layout.image].strip()
        if not image:
            raise LabelError(path, "the row has no image name.", line)
        try:
            values = [float(cells[place]) for place in layout.places]
        except ValueError:
            values = []
            for column, place in enumerate(layout.places):
                values.append(_number(cells[place]))
                if values[-1] != values[-1]:
                    rows.odd[len(rows.images), column] = cells[place].strip()
        rows.images.append(image)
        rows.file.append(file)
        rows.line.append(line)
        rows.numbers.extend(values)


def _picture(name: str, suffix: str) -> str:
    """The picture that a CSV file is named after: ``a/x.csv`` and ``a/x.jpg.csv``."""
    stem = name[: -len(".csv")]
    return stem if stem.lower().endswith(PICTURES) else stem + suffix


def _is_text(name: str) -> bool:
    """Whether a name is UTF-8 on the disk; bytes that are not come as lone surrogates."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan


def _other_layout(rows: Rows, layout: Layout) -> str:
    other = sorted(set(rows.names) ^ set(layout.names))
    return (
        f"its columns are not those of {rows.files[0].name}: {', '.join(other) or 'the order'} "
        "differs. Keep the output of FaceLandmarkImg and of FeatureExtraction, and of runs "
        "with different options, in folders of their own."
    )


def _missing_columns(missing: list[str], found: Sequence[str]) -> str:
    if not any(_PRESENCE.fullmatch(name) for name in found):
        return (
            "there is no presence column (AU01_c, AU02_c, …). OpenFace 2 writes them when it "
            "is run with -aus; OpenFace 3 does not number its AUs as FACS does, and its files "
            "cannot be read."
        )
    listed = ", ".join(missing[:6]) + (", …" if len(missing) > 6 else "")
    return f"column {listed} is missing; presence is read from AU01_c, AU02_c, …"
