"""Texts that a spreadsheet would run are text to it, and the same again to us."""

import csv
import io

import numpy as np
import pandas as pd
import pytest

from action_units.csv_text import as_written, plain_text, to_csv

NAMES = [
    "=1+1.jpg", "+a.jpg", "-2+3.jpg", "@sum(a1).jpg", "\t=a.jpg", "\r=a.jpg", "\n=a.jpg",
    "'=a.jpg", "''@b.jpg", "'plain.jpg", "a,b.jpg", 'a"b.jpg', "a\rb.jpg", "a\nb.jpg", "é.jpg",
    "plain.jpg", "a=b.jpg", "NA", "'", "",
]  # fmt: skip


@pytest.mark.parametrize("kind", ["str", object])
def test_every_name_is_read_as_it_was(kind):
    table = pd.DataFrame({"image": pd.Series(NAMES, dtype=kind), "x": -1.5})
    text = to_csv(table)
    again = pd.read_csv(io.StringIO(text, newline=""), keep_default_na=False)
    assert as_written(again)["image"].tolist() == NAMES
    assert again["x"].tolist() == table["x"].tolist()
    assert table["image"].tolist() == NAMES


def test_no_cell_of_text_begins_as_a_formula_does():
    rows = list(csv.reader(io.StringIO(to_csv(pd.DataFrame({"image": NAMES})), newline="")))
    cells = [row[0] for row in rows[1:] if row]
    assert len(cells) >= len(NAMES) - 1
    assert not any(cell.startswith(tuple("=+-@\t\r\n")) for cell in cells)


def test_numbers_and_what_is_undefined_stay():
    table = pd.DataFrame({"a": [-1.0, np.nan], "b": pd.array([-2, None], "Int8"), "c": "x"})
    assert to_csv(table, undefined="n/a") == "a,b,c\n-1.0,-2,x\nn/a,n/a,x\n"
    assert to_csv(table[["a"]], header=False) == '-1.0\n""\n'


def test_an_apostrophe_that_is_no_mark_stays():
    assert plain_text("'s-Hertogenbosch") == "'s-Hertogenbosch"
    assert plain_text("'-1") == "-1"
