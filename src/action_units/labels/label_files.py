"""Label files as they lie on people's disks: folders, copies, kinds of file, lines of codes."""

import csv
import filecmp
import io
import logging
import os
import re
import shlex
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from action_units.errors import LabelError
from action_units.media.paths import is_folder

logger = logging.getLogger(__name__)

SEPARATORS = ",;\t|"
"""A CSV file's columns are separated by one of these; the header decides which."""

Scale: TypeAlias = Literal["presence", "intensity"]

HIGHEST: Mapping[str, int] = {"presence": 1, "intensity": 5}
"""The highest code of each scale; both are whole numbers and begin with 0, which is absent."""

_SUBJECT = re.compile(r"SN[ _-]?0*([1-9]\d{0,2})", re.ASCII | re.IGNORECASE)
_COPY = re.compile(
    r"(?:copy of )?(.+?)"
    r"(?: ?\(\d+\)| \d{1,2}|[ _-]+copy(?: ?\(?\d+\)?)?|[ ._-](?:bak|backup|old|orig)|~)?",
    re.IGNORECASE,
)
_SYSTEM_FILES = ("thumbs.db", "desktop.ini", "__macosx")
_MAX_NAMES = 5
_COMPRESSED = {
    b"\x1f\x8b": ("gzip", ".gz", "gunzip"),
    b"BZh": ("bzip2", ".bz2", "bunzip2"),
    b"\xfd7zXZ": ("xz", ".xz", "unxz"),
}
_SPREADSHEET = "open it in a spreadsheet program and save it as CSV (UTF-8)"
_SIGNATURES = {
    b"\xd0\xcf\x11\xe0": f"an Excel workbook of the old kind; {_SPREADSHEET}",
    b"\xff\xfe": "text in UTF-16; save it as CSV in UTF-8",
    b"\xfe\xff": "text in UTF-16; save it as CSV in UTF-8",
    b"PAR1": "a Parquet file; write the table as CSV",
    b"%PDF": "a PDF document; save the table in it as CSV",
    b"{\\rtf": "a rich text document; save it as plain text",
    b"<": "an HTML or XML page; was a login page saved in its place?",
    b"{": "JSON; write the table as CSV",
    b"[": "JSON; write the table as CSV",
}


def subject_of(name: str) -> str | None:
    """DISFA's subject of that name in any spelling: ``SN001`` of ``sn1``; else None."""
    match = _SUBJECT.fullmatch(name)
    return None if match is None else f"SN{int(match[1]):03d}"


def walk(root: Path | str, skipped: list[Path]) -> Iterator[tuple[Path, list[str]]]:
    """Every folder below a root with the names of its files, the upper folders first.

    Links are followed; a folder that two links lead to is visited once.

    Args:
        root: Where to begin.
        skipped: Receives what is not looked at: hidden files and folders, files of the
            operating system, and folders named like copies.

    Raises:
        LabelError: The root is not a folder that can be read.
    """
    folders, visited = [Path(root)], set()
    for folder in folders:  # grows while it is walked
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in visited:
                continue
            visited.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                within = {entry.name: is_folder(entry) for entry in entries}
        except OSError as error:
            if folder == folders[0]:
                problem = f"the folder cannot be read ({error.strerror})."
                raise LabelError(folder, problem) from None
            skipped.append(folder)
            continue
        files = []
        for name in sorted(within):
            if _is_system_file(name) or (within[name] and _is_copy(name, within)):
                skipped.append(folder / name)
            elif within[name]:
                folders.append(folder / name)
            else:
                files.append(name)
        yield folder, files


def log_skipped(paths: Sequence[Path], plural: str) -> None:
    """Log what was not read; a warning if it may have been meant as input.

    Args:
        paths: The files and folders.
        plural: What the folders hold otherwise, in the plural.
    """
    if paths:
        is_only_system = all(_is_system_file(path.name) for path in paths)
        logger.log(
            logging.INFO if is_only_system else logging.WARNING,
            "Skipped %d files or folders next to the %s: %s",
            len(paths),
            plural,
            first_names(str(path) for path in paths),
        )


def describe_folder(folder: Path | str) -> str:
    """What a folder contains, for a message about a missing file."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(f"{e.name}/" if is_folder(e) else e.name for e in entries)
    except OSError as error:
        return f"{folder} cannot be read ({error.strerror})"
    return f"there is {first_names(names)}" if names else "the folder is empty"


def check_same_content(one: Path, other: Path) -> None:
    """Accept a file that lies in two places, by a link or as a copy.

    Raises:
        LabelError: Their bytes differ.
    """
    if not one.samefile(other) and not filecmp.cmp(one, other, shallow=False):
        raise LabelError(other, f"{one} is of the same subject and differs; keep one of them.")


def first_names(names: Iterable[str]) -> str:
    """The first names of a list, and how many more there are."""
    listed = list(names)
    more = len(listed) - _MAX_NAMES
    return ", ".join(listed[:_MAX_NAMES]) + (f" and {more:,} more" if more > 0 else "")


def original_of(name: str) -> str:
    """``SN001`` of a copy's name such as ``SN001 - Copy``; of any other name the same."""
    match = _COPY.fullmatch(name)
    return match[1] if match else name


def _is_system_file(name: str) -> bool:
    return name.startswith(".") or name.lower() in _SYSTEM_FILES


def _is_copy(name: str, names: Iterable[str]) -> bool:
    original = original_of(name)
    return original != name and (original in names or subject_of(original) is not None)


def read_codes(
    path: Path,
    line_pattern: re.Pattern[str],
    expected: str,
    *,
    scale: Scale = "intensity",
    header_lines: int = 0,
    not_scored: tuple[int, int] | None = None,
) -> dict[int, tuple[int, int]]:
    """Read a file of one AU's codes, a line a frame.

    Args:
        path: The file.
        line_pattern: Of a whole line; its two groups are the frame and the code.
        expected: What a line should be, for the error message.
        scale: Of the codes.
        header_lines: How many lines at the beginning may be a header; they do not begin
            with a digit.
        not_scored: The code of a frame that could not be scored, and what it is read as.

    Returns:
        Of each frame its code and its line, in the file's order.

    Raises:
        LabelError: The file is missing, is not text or has no code, a line is not as
            `expected`, a frame occurs twice, or a code is not on the scale.
    """
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise LabelError(path, "the label file of this AU is missing.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise LabelError(path, f"the file cannot be read as text ({error}).") from None
    codes: dict[int, tuple[int, int]] = {}
    match_line = line_pattern.fullmatch
    for number, line in enumerate(text.split("\n"), 1):
        match = match_line(line)
        if match is None:
            is_header = header_lines and not codes and not line.lstrip()[:1].isdigit()
            if not line.strip():
                continue
            if is_header:
                header_lines -= 1
                continue
            raise LabelError(path, f"{line.strip()!r} is not {expected}.", number)
        frame, code = int(match[1]), int(match[2])
        if frame in codes:
            raise LabelError(
                path, f"frame {frame} occurs twice, first on line {codes[frame][1]}.", number
            )
        if not 0 <= code <= HIGHEST[scale]:
            if not_scored is None or code != not_scored[0]:
                other = f", or {not_scored[0]}" if not_scored else ""
                known = f"intensities go from 0 to 5{other}."
                if scale == "presence":
                    known = (
                        f"with present_from: null codes are 0 or 1{other}; for intensities set "
                        "present_from to that from which an AU is present."
                    )
                what = "intensity" if scale == "intensity" else "code"
                raise LabelError(path, f"frame {frame} has {what} {code}; {known}", number)
            code = not_scored[1]
        codes[frame] = code, number
    if not codes:
        raise LabelError(path, f"the file is empty: no line is {expected}.")
    return codes


def check_is_csv(path: Path, start: bytes) -> None:
    """Check that a file does not begin as another kind of file does.

    Args:
        path: The file.
        start: Its first 8 bytes or more.

    Raises:
        LabelError: It is a spreadsheet, an archive, a web page or similar, which it names.
    """
    kind = next((kind for begin, kind in _SIGNATURES.items() if start.startswith(begin)), "")
    if start.startswith(b"PK\x03\x04"):
        kind = _kind_of_zip(path)
    for begin, (program, suffix, command) in _COMPRESSED.items():
        if start.startswith(begin):
            if path.name.endswith(suffix):
                how = f"{command} --keep {shlex.quote(str(path))}"
                program += f" (name {path.name.removesuffix(suffix)} in its place)"
            else:
                packed = shlex.quote(f"{path}{suffix}")
                how = f"mv {shlex.quote(str(path))} {packed} && {command} {packed}"
            kind = f"compressed with {program}; unpack it: `{how}`"
    if kind:
        raise LabelError(path, f"the file is not CSV but {kind}.", 1)


def _kind_of_zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile):
        names = []
    if any(name.startswith("xl/") for name in names):
        return f"an Excel workbook; {_SPREADSHEET}"
    if "content.xml" in names:
        return f"an OpenDocument spreadsheet; {_SPREADSHEET}"
    return f"a zip archive; unpack it: `unzip {shlex.quote(str(path))}`"


def read_header(file: io.TextIOBase) -> tuple[list[str], str, int, bool]:
    """Read the header line, and skip a line ``sep=;`` above it, as Excel writes it.

    Args:
        file: Open at its beginning.

    Returns:
        The names of the columns without spaces around them; the separator; how many lines
        were read; whether the header has an end of line, which a truncated one lacks.
    """
    line, lines = file.readline(), 1
    if line.lower().startswith("sep=") and line[4:5] in SEPARATORS:
        line, lines = file.readline(), 2
    separator = max(SEPARATORS, key=line.count)
    cells = next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])
    names = [cell.strip().lstrip("\ufeff") for cell in cells]
    return names, separator, lines, line.endswith(("\n", "\r"))
