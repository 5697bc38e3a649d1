"""The file of groups: what is read, and each fault with its line."""

import pandas as pd
import pytest

from action_units.errors import LabelError
from action_units.labels.groups import groups_of, read_groups


def written(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "groups.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_columns_of_any_name_are_read_as_text(tmp_path):
    text = 'Participant ID;gender;"skin; tone"\r\n001; woman ;"dark, brown"\r\nMüller;;light\r\n;;\r\n'
    table = read_groups(written(tmp_path, text, "utf-8-sig"))
    assert table.index.tolist() == ["001", "Müller"]
    assert table.to_dict("list") == {
        "gender": ["woman", ""],
        "skin; tone": ["dark, brown", "light"],
    }


def test_cells_that_say_nothing_are_not_a_group(tmp_path):
    table = read_groups(written(tmp_path, "subject,a\nx,n/a\ny,NaN\nz,\nw,none\n"))
    assert table["a"].tolist() == ["", "", "", "none"]
    assert groups_of(table, "a", ["w", "v", "x"]) == ["none", "", ""]


def test_parquet_is_read_as_well(tmp_path):
    path = tmp_path / "groups.parquet"
    pd.DataFrame({"subject": ["a", "b"], "age": [30, None]}).astype(
        {"age": "Int64"}
    ).to_parquet(path)
    assert read_groups(path)["age"].tolist() == ["30", ""]


def test_a_name_is_the_same_however_its_letters_are_composed(tmp_path):
    table = read_groups(written(tmp_path, "subject,a\nRene\u0301,x\n"))
    assert table.index.tolist() == ["Ren\u00e9"]


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("gender,age\nwoman,old\n", 1, "expected subject and a column"),
        ("subject\nanna\n", 1, "expected subject and a column"),
        ("subject,person,a\nx,y,z\n", 1, "both name the subject"),
        ("subject,a,a\nx,y,z\n", 1, "2 columns are called 'a'"),
        ("subject,a,\nx,y,z\n", 1, "a column has no name"),
        ("subject,a\nx,y\n,z\n", 3, "the row has no subject"),
        ("subject,a\nx,y\nz,y\n\nx,y\n", 5, "x occurs twice"),
        ("subject,a\nx,Woman\nz,woman\n", 3, "a is 'woman', and 'Woman' above"),
        ("subject,a,b\nx,y,\nz,y,n/a\n", 1, "b is empty for every subject"),
        ("subject,a\nx,y,z\n", 2, "3 columns, but the header has 2"),
        ("subject,a\n", 1, "no row below its header"),
    ],
)
def test_a_fault_is_named_with_its_line(tmp_path, text, line, problem):
    path = written(tmp_path, text)
    with pytest.raises(LabelError) as error:
        read_groups(path)
    assert str(error.value).startswith(f"{path}, line {line}: ")
    assert problem in str(error.value)


def test_another_encoding_is_named(tmp_path):
    path = written(tmp_path, "subject,a\nMüller,x\n", "latin-1")
    with pytest.raises(LabelError, match="line 2: the line is not text in UTF-8"):
        read_groups(path)
