"""Tables as CSV that a spreadsheet opens without running anything in them.

A spreadsheet takes a cell for a formula that begins with ``=``, ``+``, ``-`` or ``@``, also
behind a tab or a line's end, and a file's name may begin so. Such a text gets an apostrophe
before it, by which spreadsheets know text; one that has apostrophes there gets one more, so
that `as_written` finds the text again. All tables of ours are written and read here. The
label tables of the interchange format have no need of it: names of crops have neither
brackets nor quotation marks nor commas, and nothing in them can be run.
"""

import re
from typing import Any

import pandas as pd

_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")


def to_csv(table: pd.DataFrame, *, header: bool = True, undefined: str = "") -> str:
    """A table as CSV, its lines ended by a line feed.

    Args:
        table: Its texts may be any.
        header: Whether the first line has the columns' names.
        undefined: What stands for missing values.
    """
    returns = []

    def safe(text: str) -> str:
        if "\r" in text:
            returns.append(text)
        return f"'{text}" if _FORMULA.match(text) else text

    table = _mapped(table, safe)
    # What has a character of a line's end in it is quoted, and a text may have either.
    end = "\r\n" if returns else "\n"
    lines: str = table.to_csv(index=False, header=header, na_rep=undefined, lineterminator=end)
    return lines


def as_written(table: pd.DataFrame) -> pd.DataFrame:
    """A table that was read from CSV, with the texts that were given to `to_csv`."""
    return _mapped(table, plain_text)


def plain_text(cell: str) -> str:
    """The text that a cell of `to_csv` stands for."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def _mapped(table: pd.DataFrame, change: Any) -> pd.DataFrame:
    """A table with a change to all that is text."""
    texts = {
        name: column.map(lambda value: change(value) if isinstance(value, str) else value)
        for name, column in table.items()
        if pd.api.types.is_string_dtype(column.dtype) or column.dtype == object
    }
    return table.assign(**texts) if texts else table  # type: ignore[arg-type]
