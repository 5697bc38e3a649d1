"""AU columns of tables: every spelling, separator, scale and cell that is not scored."""

import csv
import io
import logging

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from action_units.errors import LabelError
from action_units.labels.code_cells import find_au_columns, read_au_columns
from action_units.labels.text_table import column_of, read_text_table

NOT_SCORED = ["", "nan", "-1", "9", "999"]
SPELLINGS = (
    "AU{:02d}", "AU{}", "au_{}", "AU {}", "Au-{:02d}", "AU{:02d}_r", "au{}_c", " AU{:02d} ",
    "au_{}_intensity", "{}",
)  # fmt: skip
LETTERS = "0ABCDE"


def write(path, rows, separator=",", encoding="utf-8", end="\n", quoting=csv.QUOTE_MINIMAL):
    """A CSV file of rows of texts, the first of which is the header."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator, lineterminator=end, quoting=quoting).writerows(rows)
    path.write_bytes(text.getvalue().encode(encoding))
    return read_text_table(path)


def codes_of(table, present_from=2, aus=None, not_scored=NOT_SCORED):
    values, found = read_au_columns(table, aus, present_from, not_scored)
    return {au: column.tolist() for au, column in zip(found, values.T, strict=True)}


@st.composite
def spelled(draw):
    """A column of codes, and the same as a person may write it."""
    scale = draw(st.sampled_from(["presence", "numbers", "letters"]))
    highest = 1 if scale == "presence" else 5
    codes = draw(st.lists(st.integers(-1, highest), min_size=1, max_size=12))
    codes += [0, highest]  # a scale shows what it is
    missing = st.sampled_from(["", " ", "nan", "NaN", "-1", "-1.0", "9", "9,0", "999", " 999 "])
    forms = [str, "{}.0".format, "{},0".format, "{}.".format, " {}".format, "0{}".format]
    if scale == "letters":
        forms = [LETTERS.__getitem__, lambda code: LETTERS[code].lower()]
    cells = [
        draw(missing) if code == -1 else draw(st.sampled_from(forms))(code) for code in codes
    ]
    name = draw(st.sampled_from(SPELLINGS)).format(draw(st.sampled_from([1, 2, 12, 25])))
    if name.endswith("_c") and highest > 1:
        name = name.removesuffix("_c")
    return scale, name, codes, cells


@settings(max_examples=150, deadline=None)
@given(
    spelled(),
    st.sampled_from(",;\t|"),
    st.sampled_from(["utf-8", "utf-8-sig"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_every_way_of_writing_gives_the_same_codes(
    tmp_path_factory, column, separator, encoding, end, quoting
):
    scale, name, codes, cells = column
    rows = [["subject", name], *([f"p{row % 2}", cell] for row, cell in enumerate(cells))]
    path = tmp_path_factory.getbasetemp() / "codes.csv"
    table = write(path, rows, separator, encoding, end, quoting)
    (read,) = codes_of(table, None if scale == "presence" else 2).values()
    assert read == codes
    assert table.lines.tolist() == list(range(2, len(cells) + 2))
    assert table.names[0] == "subject"


@settings(max_examples=60, deadline=None)
@given(spelled(), st.data())
def test_a_planted_fault_is_named_with_its_line(tmp_path_factory, column, data):
    scale, name, _, cells = column
    row = data.draw(st.integers(0, len(cells) - 1))
    fault = data.draw(
        st.sampled_from(["2.5", "6", "-2", "x", "F", "1B", "1,5", "0 1", "٣", "1_0"])
    )
    cells = [fault if place == row else cell for place, cell in enumerate(cells)]
    path = tmp_path_factory.getbasetemp() / "faults.csv"
    table = write(path, [["subject", name], *(["p", cell] for cell in cells)])
    with pytest.raises(LabelError, match="expected") as error:
        codes_of(table, None if scale == "presence" else 2)
    assert (error.value.path, error.value.line) == (path, row + 2)
    assert f"{name.strip()} is {fault!r}" in str(error.value)


def test_the_first_fault_of_all_columns_is_named(tmp_path):
    rows = [["AU01", "AU02"], ["0", "0"], ["0", "7"], ["x", "0"]]
    with pytest.raises(LabelError, match="line 3: AU02 is '7'"):
        codes_of(write(tmp_path / "codes.csv", rows))


def test_lines_are_those_of_the_file(tmp_path):
    path = tmp_path / "codes.csv"
    path.write_text('sep=;\nsubject;"AU 1";note\n\np;0;"two\nlines"\n; ;\np;7;\n')
    table = read_text_table(path)
    assert (table.names, table.header) == (["subject", "AU 1", "note"], 2)
    assert table.lines.tolist() == [4, 7]
    with pytest.raises(LabelError, match="line 7: AU 1 is '7'"):
        codes_of(table)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a,AU1\n1,0\n1,0,1\n", 3, "3 columns, but the header has 2"),
        ("a,AU1\n1,0\n1\n", 3, "1 columns, but the header has 2"),
        ('a,AU1\n1,0\n"1,0\n', 3, "the row is not CSV"),
        ("a,AU1\n", 1, "no row below its header"),
        ("", 1, "no row below its header"),
        ("PK\x03\x04", 1, "not CSV but a zip archive"),
        (b"a,AU1\n1,0\n\xfc,1\n", 3, "not text in UTF-8"),
        (b"PAR1 and no more", None, "cannot be read"),
    ],
)
def test_a_file_that_is_no_table(tmp_path, text, line, words):
    path = tmp_path / "codes.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(LabelError, match=words) as error:
        read_text_table(path)
    assert (error.value.path, error.value.line) == (path, line)


def test_empty_cells_behind_the_header_do_not_count(tmp_path):
    path = tmp_path / "codes.csv"
    path.write_text("subject,AU1\np,1,,\np,0,\n")
    assert codes_of(read_text_table(path), None) == {1: [1, 0]}


def test_parquet_has_the_same_codes(tmp_path):
    """Numbers, texts, truth values and categories, with missing values of each."""
    path = tmp_path / "codes.parquet"
    pd.DataFrame(
        {
            "subject": [1, 2, 3],
            "AU01": [0, 5, None],
            "AU02": ["A", "0", None],
            "AU04": np.array([0, 3, 9], np.int8),
            "AU06": pd.Categorical(["0", "2", "nan"]),
            "raw": [b"1", b"2", b"3"],
            "box": [[1], [2], [3]],
        }
    ).to_parquet(path)
    table = read_text_table(path)
    assert table.columns[0] == ["1", "2", "3"]
    assert codes_of(table, aus=(1, 4, 6)) == {1: [0, 5, -1], 4: [0, 3, -1], 6: [0, 2, -1]}
    assert codes_of(table, aus=(2,), present_from=1) == {2: [1, 0, -1]}
    pd.DataFrame({"AU01": [True, False, None], "AU02": [False, True, True]}).to_parquet(path)
    assert codes_of(read_text_table(path), None) == {1: [1, 0, -1], 2: [0, 1, 1]}
    pd.DataFrame({"AU01": [0.0, 2.5]}).to_parquet(path)
    with pytest.raises(LabelError, match=r"line 2: AU01 is '2.5'"):
        codes_of(read_text_table(path))


@pytest.mark.parametrize(
    "names", [["AU1", "AU01"], ["AU01_r", "AU1"], ["AU01_c", "au_1_presence"], ["01", "1"],
              ["AU01_c", "AU01_r", "AU1_intensity"]]
)  # fmt: skip
def test_two_readings_of_one_au_are_refused(tmp_path, names):
    table = write(tmp_path / "codes.csv", [names, ["0"] * len(names)])
    with pytest.raises(LabelError, match="two readings of AU 0?1; remove one") as error:
        codes_of(table)
    assert error.value.line == 1


def test_presence_beside_intensities_must_fit(tmp_path):
    rows = [["AU01_r", "AU01_c"], ["0", "0"], ["1", "0"], ["2", "1"], ["", "0"], ["3", ""]]
    table = write(tmp_path / "codes.csv", rows)
    assert codes_of(table) == {1: [0, 1, 2, 0, 3]}
    with pytest.raises(LabelError, match="line 3: AU01_c is '0', but AU01_r is '1'"):
        codes_of(table, present_from=1)
    table = write(tmp_path / "codes.csv", [*rows, ["", "1"]])
    with pytest.raises(LabelError, match="line 7: AU01_c is '1', but AU01_r is ''"):
        codes_of(table)
    for cell in ("2", "A"):
        table = write(tmp_path / "codes.csv", [*rows, ["2", cell]])
        with pytest.raises(LabelError, match=f"line 7: AU01_c is '{cell}'; expected 0 or 1.$"):
            codes_of(table, not_scored=[])
    table = write(tmp_path / "codes.csv", [rows[0], ["0", "0"], ["1", "1"]])
    with pytest.raises(LabelError, match="two readings of AU 1; with present_from: null"):
        codes_of(table, present_from=None)


def test_numbers_are_aus_where_no_column_is_named_so(tmp_path):
    table = write(tmp_path / "codes.csv", [["subject", "1", "12", "50", "x"], ["p", *"0110"]])
    assert codes_of(table, None) == {1: [0], 12: [1]}
    table = write(tmp_path / "codes.csv", [["1", "AU12", "AU50", "AU12_p"], [*"9111"]])
    assert list(find_au_columns(table)) == [12]


@pytest.mark.parametrize(
    ("rows", "present_from", "line", "words"),
    [
        (["0 A", "0 0", "1 0"], 2, 4, "AU01 has the number 1, but AU02 has a letter on line 2"),
        (["0 1", "1 0", "0 3"], 2, 1, "AU01 has only 0 and 1, but AU02 is 3 on line 4.*aus: .2."),
        (["0 1", "1 3"], None, 3, "AU02 is '3'; expected 0 or 1, because present_from is null"),
        (["0 1", "B 0"], None, 3, "AU01 is 'B'; expected 0 or 1, because present_from is null"),
        (["A B", " C", "E "], 2, 1, "no code is 0, and 2 empty cells are read as not scored"),
        (["0 1", "A 0"], None, 3, "AU01 is 'A'; expected 0 or 1, because present_from is null"),
        (["9 9", "9 9"], 2, 1, "AU01 is not scored in any row: its cells are 2 '9'"),
    ],
)  # fmt: skip
def test_a_scale_that_does_not_fit_is_refused(tmp_path, rows, present_from, line, words):
    table = write(tmp_path / "codes.csv", [["AU01", "AU02"], *(row.split(" ") for row in rows)])
    with pytest.raises(LabelError, match=words) as error:
        codes_of(table, present_from)
    assert error.value.line == line


def test_empty_means_absent_where_it_is_not_among_the_cells_not_scored(tmp_path):
    table = write(tmp_path / "codes.csv", [["AU01", "AU02"], ["", "B"], ["E", "?"]])
    assert codes_of(table, not_scored=["?"]) == {1: [0, 5], 2: [2, -1]}


def test_chosen_aus(tmp_path, caplog):
    rows = [["AU12", "AU01", "AU04"], ["1", "x", ""], ["0", "x", ""]]
    table = write(tmp_path / "codes.csv", rows)
    assert codes_of(table, None, aus=(12,)) == {12: [1, 0]}
    with pytest.raises(LabelError, match="no column has AU02; the file has AU01, AU04, AU12"):
        codes_of(table, None, aus=(2, 12))
    with pytest.raises(LabelError, match="AU04 is not scored in any row"):
        codes_of(table, None, aus=(4, 12))
    table = write(tmp_path / "codes.csv", [row[::2] for row in rows])
    assert codes_of(table, None) == {12: [1, 0]}
    assert "not scored in any row, left out: AU04" in caplog.text


def test_cells_that_are_not_scored_are_told(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    rows = [["AU01"], *([cell] for cell in ["0", "nan", "NaN", "9", "9.0", "999", "1"])]
    assert codes_of(write(tmp_path / "codes.csv", rows), None) == {1: [0, *[-1] * 5, 1]}
    assert "cells read as not scored: 2 '9', 1 '999', 2 'nan'" in caplog.text
    with pytest.raises(LabelError, match="line 5: AU01 is '9'.*not scored '-1', 'nan'"):
        codes_of(write(tmp_path / "codes.csv", rows), None, not_scored=["NAN", "-1"])


def test_a_column_by_several_names(tmp_path):
    table = write(tmp_path / "codes.csv", [["Subject ID", "frame", "Frame-Number"], [*"123"]])
    assert column_of(table, ("subject", "subject_id"), "subject") == 0
    assert column_of(table, ("video",), "video") is None
    with pytest.raises(LabelError, match="'frame' and 'Frame-Number' both name the frame"):
        column_of(table, ("frame", "frame_number"), "frame")
