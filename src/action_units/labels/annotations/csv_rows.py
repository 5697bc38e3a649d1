"""The CSV files of a program, one or a folder of them, as plain columns of numbers.

A file that somebody merged has the picture's name in a column (``Program.images``); a file of
one picture is named after the picture, and so is a video's.
"""

import csv
import io
import math
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from action_units.errors import LabelError
from action_units.labels.annotations.layout import BOX, Layout, find_layout
from action_units.labels.annotations.program import Program
from action_units.labels.label_files import check_is_csv, read_header
from action_units.media.file_types import PICTURES
from action_units.media.paths import is_folder, walk

_CUT = "the last line of the file is cut"


@dataclass
class Rows:
    """Rows of one layout, from one file or many.

    Attributes:
        names: The columns of numbers, as in ``Layout``, and ``BOX``; of the first file that
            has a row.
        own: What the file calls them.
        images: The picture of each row, ``(N,)``.
        files: The files that were read.
        file: Which of `files` a row is from, ``(N,)``.
        line: The row's line in it, from 1, ``(N,)``.
        numbers: ``(N, len(names))``, row by row; NaN where it is not a number.
        odd: The text where it is not a number, by row and column.
        skipped: Of each picture without a row: it, its file, the line that shows it, and why.
    """

    names: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    images: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    file: "array[int]" = field(default_factory=lambda: array("l"))
    line: "array[int]" = field(default_factory=lambda: array("l"))
    numbers: "array[float]" = field(default_factory=lambda: array("d"))
    odd: dict[tuple[int, int], str] = field(default_factory=dict)
    skipped: list[tuple[str, Path, int, str]] = field(default_factory=list)

    def place(self, row: int) -> tuple[Path, int]:
        """The file and line of a row."""
        return self.files[self.file[row]], self.line[row]


def read_rows(
    path: Path,
    program: Program,
    aus: Sequence[int] | None,
    suffix: str,
    scale: int | None = None,
) -> Rows:
    """Read a file, or all CSV files below a folder in the order of their names.

    Args:
        path: A CSV file or a folder of them, at any depth; links are followed as in
            ``paths.walk``.
        program: Which wrote them.
        aus: The AUs to read; None: all that are there and that FACS has.
        suffix: Of the pictures, for files that are named without it.
        scale: The highest value that AUs can have, where that is stated.

    Raises:
        LabelError: A file is missing, not CSV, or lacks a column; a row of another width;
            files of different layouts; not one row.
    """
    rows = Rows()
    layouts: dict[tuple[str, ...], Layout] = {}  # of 100,000 files, few headers differ
    files = csv_files_below(path) if path.is_dir() else iter([(path, path.name)])

    def layout_of(file: Path, header: list[str]) -> Layout:
        key = tuple(header)
        if key not in layouts:
            layouts[key] = find_layout(file, header, program, aus, scale)
        return layouts[key]

    for file, name in files:
        _add(rows, file, name, program.title, suffix, layout_of)
    if not rows.images:
        what = "not one CSV file with a row is in this folder."
        if not path.is_dir():
            what = "the file has a header, but no rows."
        raise LabelError(path, what)
    return rows


def csv_files_below(folder: Path) -> Iterator[tuple[Path, str]]:
    """CSV files at any depth, by name, with their names relative to the folder.

    Raises:
        LabelError: A folder cannot be listed.
    """
    for branch in walk(folder):
        if branch.error is not None:
            raise LabelError(
                folder / branch.name, f"the folder cannot be listed ({branch.error.strerror})."
            )
        for entry in branch.entries:
            is_csv = entry.name.lower().endswith(".csv") and not entry.name.startswith(".")
            if is_csv and not is_folder(entry):
                yield Path(entry.path), branch.name + entry.name


def _add(
    rows: Rows,
    path: Path,
    name: str,
    title: str,
    suffix: str,
    layout_of: Callable[[Path, list[str]], Layout],
) -> None:
    """Read one file and put its rows below those of the files before it."""
    try:
        with path.open("rb") as raw:
            check_is_csv(path, raw.peek(8))
            # Bytes that are not UTF-8 come as surrogates: at a cut, they are not an error.
            file = io.TextIOWrapper(raw, "utf-8-sig", errors="surrogateescape", newline="")
            header, separator, above, is_whole = read_header(file)
            if not any(header):
                raise LabelError(
                    path,
                    f"the file is empty; expected {title}'s header. If {title} was stopped "
                    "while it wrote, delete the file and run it again.",
                )
            if not all(_is_text(name) and "\0" not in name for name in header):
                raise LabelError(path, f"the file is not text; expected {title}'s CSV.", 1)
            lines = _read_lines(path, file, header, separator, above)
            number, cells, is_cut = next(lines, (1, [], False))
            if not cells or is_cut:
                reason = f"{title} found no face (a header and no row)"
                if not is_whole:
                    reason = "the file is cut within its header"
                elif is_cut:
                    reason = _CUT
                rows.skipped.append((_picture(name, suffix), path, number, reason))
                return
            layout = layout_of(path, header)
            if not rows.images:
                rows.names = (*layout.names, *BOX)
                rows.own = (*layout.own, *BOX)
            elif rows.names != (*layout.names, *BOX):
                raise LabelError(path, _other_layout(rows, layout), 1)
            is_video = layout.image is None and "frame" in layout.names
            rows.files.append(path)
            picture = _picture(name, "" if is_video else suffix)
            rest = chain([(number, cells, is_cut)], lines)
            _add_cells(rows, layout, picture, rest, header, decimal_commas=separator != ",")
    except FileNotFoundError:
        raise LabelError(path, "there is no such file.") from None
    except (OSError, csv.Error) as error:
        raise LabelError(path, f"the file cannot be read ({error}).") from None


def _read_lines(
    path: Path, file: io.TextIOBase, header: list[str], separator: str, above: int
) -> Iterator[tuple[int, list[str], bool]]:
    """A file's lines below its header: number, cells, and whether the line is cut.

    Empty lines are skipped. Only the last line can be cut, as a full disk or a kill leaves
    it: it has no end, and fewer columns than the header, or a last number or name that is
    shorter behind its point than the one above.
    """
    cut: list[tuple[int, list[str], bool]] = []

    def split(line: str) -> list[str]:
        return next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])

    def whole_lines() -> Iterator[str]:
        before = ""
        for number, line in enumerate(file, above + 1):
            is_text = line.isascii() or _is_text(line)
            if not line.endswith(("\n", "\r")) and line.strip():
                cells, upper = split(line), split(before)
                is_short = len(cells) < len(header)
                if len(cells) == len(header) and upper:
                    is_short = _behind_point(cells[-1]) < _behind_point(upper[-1])
                if not is_text or "\0" in line or is_short:
                    cut.append((number, cells, True))
                    return
            if not is_text:
                problem = "the line is not UTF-8 and cannot be read; save the file as UTF-8."
                raise LabelError(path, problem, number)
            before = line
            yield line

    reader = csv.reader(whole_lines(), delimiter=separator, skipinitialspace=True)
    for cells in reader:
        if any(cells):
            yield reader.line_num + above, cells, False
    yield from cut


def _add_cells(
    rows: Rows,
    layout: Layout,
    picture: str,
    lines: Iterable[tuple[int, list[str], bool]],
    header: list[str],
    decimal_commas: bool,
) -> None:
    path, file = rows.files[-1], len(rows.files) - 1
    if layout.image is None and not _is_text(picture):
        reason = "the name is not UTF-8, and no label table can hold it; rename the picture"
        rows.skipped.append((picture, path, 1, reason))
        return
    for line, cells, is_cut in lines:
        if is_cut:
            if layout.image is not None:
                is_known = layout.image < len(cells) - 1
                picture = cells[layout.image].strip() if is_known else ""
            rows.skipped.append((picture, path, line, _CUT))
            return
        numbers = [cell.replace(",", ".") for cell in cells] if decimal_commas else cells
        values = _values(numbers, layout)
        if values is None:
            if _is_header(cells, layout):
                _check_repeated(path, line, cells, header, layout)
                continue
            if len(cells) != layout.width:
                problem = f"{len(cells)} columns, but the header has {layout.width}."
                raise LabelError(path, problem, line)
            values = []
            for column, place in enumerate(layout.places):
                values.append(_number(numbers[place]))
                if values[-1] != values[-1]:
                    rows.odd[len(rows.images), column] = cells[place].strip()
        image = picture if layout.image is None else cells[layout.image].strip()
        if not image:
            raise LabelError(path, "the row has no image name.", line)
        rows.images.append(image)
        rows.file.append(file)
        rows.line.append(line)
        rows.numbers.extend(values)
        rows.numbers.extend(layout.box(numbers))


def _values(cells: Sequence[str], layout: Layout) -> list[float] | None:
    """The numbers of a row; None if one is not a number or a column is missing."""
    if len(cells) != layout.width:
        return None
    try:
        return [float(cells[place]) for place in layout.places]
    except ValueError:
        return None


def _is_header(cells: Sequence[str], layout: Layout) -> bool:
    """Whether a row has names of AUs where numbers should be."""
    aus = {own for name, own in zip(layout.names, layout.own, strict=True) if name[:2] == "AU"}
    return any(cell.strip() in aus for cell in cells)


def _check_repeated(
    path: Path, line: int, cells: Sequence[str], header: list[str], layout: Layout
) -> None:
    """Check that a header among the rows is the same one, and that rows name their images."""
    same = [cell.strip().lstrip("\ufeff") for cell in cells] == header
    if same and layout.image is not None:
        return
    if layout.image is None:
        problem = (
            "the header occurs again: several files were put one behind the other, and "
            "without the pictures' names it is unknown which row is of which. Keep a file a "
            "picture in a folder, or add a column 'image'."
        )
    else:
        problem = (
            "another header follows, with other columns: files of different kinds were put "
            "one behind the other. Keep them as files of their own."
        )
    raise LabelError(path, problem, line)


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
        return {"true": 1.0, "false": 0.0}.get(cell.strip().lower(), math.nan)


def _behind_point(cell: str) -> int:
    return len(cell.strip().partition(".")[2])


def _other_layout(rows: Rows, layout: Layout) -> str:
    other = sorted(set(rows.names) ^ {*layout.names, *BOX})
    return (
        f"its columns are not those of {rows.files[0].name}: {', '.join(other) or 'the order'} "
        "differs. Keep the output of FaceLandmarkImg and of FeatureExtraction, and of runs "
        "with different options, in folders of their own."
    )
