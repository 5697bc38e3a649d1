"""A table with a header, CSV or Parquet, as columns of text with the line of every row."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from action_units.errors import LabelError
from action_units.labels.label_files import check_is_csv, read_header

SUFFIXES = (".csv", ".tsv", ".txt", ".parquet")
"""Suffixes, in any case, of files that may be such a table."""

SUBJECT_COLUMNS = ("subject", "subject_id", "participant", "participant_id", "person")
"""What the column of the subject may be called, as `column_of` compares names."""

_PARQUET = b"PAR1"


@dataclass(frozen=True)
class TextTable:
    """Cells as they are written, without spaces around them.

    Attributes:
        path: The file.
        names: Of the columns, without spaces around them.
        columns: The cells of each; rows without any text are left out.
        lines: The line on which each row begins, ``(N,)``; of a Parquet file the row's
            number, from 1.
        header: The line of the header; None in a Parquet file.
    """

    path: Path
    names: list[str]
    columns: list[list[str]]
    lines: np.ndarray
    header: int | None = 1

    def rows(self, chosen: np.ndarray) -> "TextTable":
        """The rows of a mask, ``(N,)``."""
        columns = [[c[i] for i in np.flatnonzero(chosen)] for c in self.columns]
        return TextTable(self.path, self.names, columns, self.lines[chosen], self.header)

    def fault(self, problem: str, row: int | None = None) -> LabelError:
        """An error of a row, counted from 0, or of the header."""
        return LabelError(
            self.path, problem, self.header if row is None else int(self.lines[row])
        )


def read_text_table(path: Path | str) -> TextTable:
    """Read a CSV file, whatever separates its columns, or a Parquet file.

    Raises:
        LabelError: It is missing, of another kind or has no row, or a row has another
            number of columns than the header; names the line.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
        is_parquet = content.startswith(_PARQUET)
        table = _read_parquet(path, content) if is_parquet else _read_csv(path, content)
    except FileNotFoundError:
        raise LabelError(path, "there is no such file.") from None
    except IsADirectoryError:
        raise LabelError(path, "this is a folder; expected a CSV or Parquet file.") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        problem = "the line is not text in UTF-8; save the table as CSV (UTF-8)."
        raise LabelError(path, problem, line) from None
    except (OSError, pa.ArrowException) as error:
        raise LabelError(path, f"the file cannot be read ({error}).") from None
    if not len(table.lines):
        raise table.fault("the file has no row below its header.")
    return table


def _read_csv(path: Path, content: bytes) -> TextTable:
    check_is_csv(path, content[:16])
    file = io.StringIO(content.decode("utf-8-sig"), newline="")
    names, separator, above, _ = read_header(file)
    reader = csv.reader(file, delimiter=separator, skipinitialspace=True, strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    line = above + 1
    try:
        for cells in reader:
            if any(map(str.strip, cells)):  # unlike the rows of separators that Excel appends
                rows.append(_fitted(path, cells, len(names), line))
                lines.append(line)
            line = above + reader.line_num + 1
    except csv.Error as error:
        raise LabelError(path, f"the row is not CSV ({error}).", line) from None
    columns = [list(map(str.strip, column)) for column in zip(*rows, strict=True)]
    return TextTable(path, names, columns, np.array(lines, np.int64), above)


def _fitted(path: Path, cells: list[str], width: int, line: int) -> list[str]:
    """A row as wide as the header; empty cells behind that are left out."""
    if len(cells) > width and not any(cell.strip() for cell in cells[width:]):
        return cells[:width]
    if len(cells) != width:
        raise LabelError(path, f"{len(cells)} columns, but the header has {width}.", line)
    return cells


def _read_parquet(path: Path, content: bytes) -> TextTable:
    table = pq.read_table(pa.BufferReader(content))
    columns = [_written(column.combine_chunks()) for column in table.itercolumns()]
    lines = np.arange(1, table.num_rows + 1)
    names = [name.strip() for name in table.column_names]
    return TextTable(path, names, columns, lines, header=None)


def _written(column: pa.Array) -> list[str]:
    """The values of a Parquet column as text; those of nested types and bytes are not read."""
    if pa.types.is_nested(column.type) or pa.types.is_binary(column.type):
        return [""] * len(column)
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    texts = [str(value).strip() for value in column.dictionary.to_pylist()]
    return ["" if place is None else texts[place] for place in column.indices.to_pylist()]


def column_of(table: TextTable, names: Sequence[str], what: str) -> int | None:
    """The place of the column that has one of some names, whatever their case.

    Args:
        table: The table.
        names: In lower case, with underscores; spaces, points and hyphens count as these.
        what: What the column says, for the message.

    Raises:
        LabelError: Several columns have such names.
    """
    plain = [name.lower().translate(_AS_UNDERSCORE).strip("_") for name in table.names]
    found = [place for place, name in enumerate(plain) if name in names]
    if len(found) > 1:
        one, other = (table.names[place] for place in found[:2])
        raise table.fault(f"columns {one!r} and {other!r} both name the {what}; keep one.")
    return found[0] if found else None


_AS_UNDERSCORE = str.maketrans(" .-", "___")
