"""What a file that should be CSV is, and what separates its columns."""

import csv
import io
import shlex
import zipfile
from pathlib import Path

from action_units.errors import LabelError

_COMPRESSED = {
    b"\x1f\x8b": ("gzip", ".gz", "gunzip"),
    b"BZh": ("bzip2", ".bz2", "bunzip2"),
    b"\xfd7zXZ": ("xz", ".xz", "unxz"),
}

SEPARATORS = ",;\t|"
"""A file's columns are separated by one of these; the header decides which."""

_SPREADSHEET = "open it in a spreadsheet program and save it as CSV (UTF-8)"
_STARTS = {
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


def check_is_csv(path: Path, start: bytes) -> None:
    """Refuse a file whose first bytes are those of another kind of file.

    Args:
        path: The file.
        start: Its first 8 bytes or more.

    Raises:
        LabelError: It is a spreadsheet, an archive, a page and the like; says which.
    """
    if start.startswith(b"PK\x03\x04"):
        raise LabelError(path, f"the file is not CSV but {_kind_of_zip(path)}.", 1)
    for signature, (kind, suffix, command) in _COMPRESSED.items():
        if start.startswith(signature):
            file = shlex.quote(str(path))
            packed = shlex.quote(f"{path}{suffix}")
            how = f"mv {file} {packed} && {command} {packed}"
            if path.name.endswith(suffix):
                how = f"{command} --keep {file}"
                kind += f" (name {path.name.removesuffix(suffix)} in its place)"
            raise LabelError(
                path, f"the file is not CSV but compressed with {kind}; unpack it: `{how}`.", 1
            )
    for signature, kind in _STARTS.items():
        if start.startswith(signature):
            raise LabelError(path, f"the file is not CSV but {kind}.", 1)


def read_header(file: io.TextIOBase) -> tuple[list[str], str, int, bool]:
    """Read the header line; a line ``sep=;`` above it, as Excel writes it, is passed over.

    Args:
        file: Open at its beginning.

    Returns:
        The names of the columns without spaces around them; the separator; how many lines
        were read; whether the header has an end of line, which it lacks where it is cut.
    """
    line, lines = file.readline(), 1
    if line.lower().startswith("sep=") and line[4:5] in SEPARATORS:
        line, lines = file.readline(), 2
    separator = max(SEPARATORS, key=line.count)
    cells = next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])
    names = [cell.strip().lstrip("\ufeff") for cell in cells]
    return names, separator, lines, line.endswith(("\n", "\r"))


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
