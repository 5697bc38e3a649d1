"""Which groups the subjects of a coded set belong to: a CSV with a row for each subject.

``subject,gender,skin tone,…``: the column of the subject may be called as in tables of codes,
every other column is a way to divide the subjects, and its cells are the names of groups. An
empty cell means that it is not known.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from action_units.labels.text_table import (
    SUBJECT_COLUMNS,
    TextTable,
    column_of,
    read_text_table,
)

GROUPS_FILE = "groups.csv"
"""In a coded set's folder."""

_NOT_KNOWN = ("", "n/a", "nan")


def read_groups(path: Path | str) -> pd.DataFrame:
    """Read the groups of subjects.

    Returns:
        A row for each subject, whose names are the index; a column of text for each way to
        divide them, empty where it is not known.

    Raises:
        LabelError: As `read_text_table`; there is no column of the subject or none beside it,
            a column has no name or another's, a subject is empty or occurs twice, or two
            groups differ in upper and lower case alone. Names file and line.
    """
    table = read_text_table(path)
    place = column_of(table, SUBJECT_COLUMNS, "subject")
    others = [name for k, name in enumerate(table.names) if k != place]
    if place is None or not others:
        raise table.fault(
            f"the columns are {', '.join(table.names)}; expected subject and a column for each "
            "way to divide the subjects, such as subject,gender,age."
        )
    for name, times in Counter(others).items():
        if not name:
            raise table.fault("a column has no name; write one, or delete the column.")
        if times > 1:
            raise table.fault(f"{times} columns are called {name!r}; keep one.")
    subjects = [unicodedata.normalize("NFC", cell) for cell in table.columns[place]]
    for subject, rows in _rows_of(subjects).items():
        if not subject:
            raise table.fault("the row has no subject.", rows[0])
        if len(rows) > 1:
            raise table.fault(f"{subject} occurs twice; write one row a subject.", rows[1])
    columns = {
        name: _groups(table, name, cells)
        for k, (name, cells) in enumerate(zip(table.names, table.columns, strict=True))
        if k != place
    }
    return pd.DataFrame(columns, index=pd.Index(subjects, name="subject"), dtype=str)


def groups_of(table: pd.DataFrame, column: str, subjects: Iterable[str]) -> list[str]:
    """The group of each subject; empty where it is not known or the table has no such row."""
    known = dict(zip(table.index, table[column], strict=True))
    return [str(known.get(subject, "")) for subject in subjects]


def _groups(table: TextTable, column: str, cells: list[str]) -> list[str]:
    groups = ["" if cell.lower() in _NOT_KNOWN else cell for cell in cells]
    spellings: dict[str, str] = {}
    for row, group in enumerate(groups):
        first = spellings.setdefault(group.casefold(), group)
        if first != group:
            raise table.fault(
                f"{column} is {group!r}, and {first!r} above; write a group in one way.", row
            )
    if not any(groups):
        raise table.fault(f"{column} is empty for every subject; delete the column.")
    return groups


def _rows_of(cells: list[str]) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = {}
    for row, cell in enumerate(cells):
        rows.setdefault(cell, []).append(row)
    return rows
