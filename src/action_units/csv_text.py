"""Tables as CSV that a spreadsheet opens without running anything in them.

A spreadsheet reads a cell that begins with ``=``, ``+``, ``-`` or ``@`` as a formula, also
after a tab or a line break, and a file's name may begin so. Such a text gets an apostrophe in
front, which marks text in a spreadsheet; a text that has apostrophes there already gets one
more, so that `as_written` restores it. All our tables are written and read here. Label tables
of the interchange format do not need it: names of crops have no brackets, quotation marks or
commas, so nothing in them can be run.
"""

import re
from typing import Any

import pandas as pd

_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")


def to_csv(table: pd.DataFrame, *, header: bool = True, undefined: str = "") -> str:
    """A table as CSV; ``undefined`` stands for missing values.

    Lines end with LF, or with CR LF where a text has a CR: texts with a character of the line's
    end are quoted.
    """
    has_return = False

    def safe(text: str) -> str:
        nonlocal has_return
        has_return |= "\r" in text
        return f"'{text}" if _FORMULA.match(text) else text

    table = _mapped(table, safe)
    end = "\r\n" if has_return else "\n"
    lines: str = table.to_csv(index=False, header=header, na_rep=undefined, lineterminator=end)
    return lines


def as_written(table: pd.DataFrame) -> pd.DataFrame:
    """A table that was read from CSV, with the texts as before `to_csv`."""
    return _mapped(table, plain_text)


def plain_text(cell: str) -> str:
    """The text of a cell before `to_csv`."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def _mapped(table: pd.DataFrame, change: Any) -> pd.DataFrame:
    """A table with all its texts changed."""
    texts = {
        name: column.map(lambda value: change(value) if isinstance(value, str) else value)
        for name, column in table.items()
        if pd.api.types.is_string_dtype(column.dtype) or column.dtype == object
    }
    return table.assign(**texts) if texts else table  # type: ignore[arg-type]
