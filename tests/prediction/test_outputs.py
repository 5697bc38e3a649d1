"""Tables on disk: CSV and Parquet that agree, and appear whole or not at all."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from action_units.csv_text import to_csv
from action_units.prediction.outputs import (
    NO_FACE,
    Rows,
    arrow_table,
    data_frame,
    read_table,
    table_files,
    with_suffix,
)

AUS = (1, 12)
NAN = float("nan")


def rows_of(n, seed=0, image="", start=1):
    rng = np.random.default_rng(seed)
    p = rng.random((n, 2)).astype(np.float32)
    keys = []
    for row in range(n):
        if rng.random() < 0.3:
            p[row] = np.nan
            keys.append((image, start + row, 0.05 * row, NO_FACE, 0.0, 0, NAN, NAN, NAN, NAN))
        else:
            box = [round(float(v), 2) for v in rng.uniform(0, 500, 4)]
            keys.append((image, start + row, 0.05 * row, 0, 0.9133, 1, *box))
    return Rows(keys, p, p > 0.5, n)


def written(folder, parts, photographs=False):
    stem = folder / "a.b"
    with table_files(stem, AUS, photographs) as add:
        for part in parts:
            add(part)
    return with_suffix(stem, ".csv"), with_suffix(stem, ".parquet")


@pytest.mark.parametrize("photographs", [False, True])
def test_intensities_stand_between_probabilities_and_calls(tmp_path, photographs):
    part = rows_of(9, image="a.jpg")
    part = replace(part, intensities=(5 * part.probabilities).astype(np.float32))
    stem = tmp_path / "t"
    with table_files(stem, AUS, photographs, (12,)) as add:
        add(part)
    csv, parquet = (read_table(with_suffix(stem, end)) for end in (".csv", ".parquet"))
    pd.testing.assert_frame_equal(csv, parquet, check_exact=True)
    assert list(csv)[-5:] == ["AU01_p", "AU12_p", "AU12_r", "AU01_c", "AU12_c"]
    np.testing.assert_array_equal(csv["AU12_r"], part.intensities[:, 1])
    assert csv["AU12_r"].dtype == np.float32


@settings(max_examples=20, deadline=None)
@given(sizes=st.lists(st.integers(0, 40), max_size=5), photographs=st.booleans())
def test_csv_parquet_and_memory_agree(tmp_path_factory, sizes, photographs):
    folder = tmp_path_factory.mktemp("t")
    parts = [rows_of(n, n, 'ü, "x".jpg', 1 + sum(sizes[:i])) for i, n in enumerate(sizes)]
    csv, parquet = written(folder, parts, photographs)
    wanted = data_frame(arrow_table(parts, AUS, photographs))
    pd.testing.assert_frame_equal(pd.read_parquet(parquet), wanted)
    pd.testing.assert_frame_equal(read_table(parquet), wanted)
    pd.testing.assert_frame_equal(read_table(csv), wanted, check_exact=True)
    plain = pd.read_csv(csv)
    assert list(plain) == list(wanted)
    columns = ["AU01_p", "AU12_p"]
    assert plain[columns].astype(np.float32).equals(wanted[columns])


@given(arrays(np.float64, 40), arrays(np.float32, 40))
@settings(max_examples=50, deadline=None)
def test_numbers_of_a_csv_are_read_bit_for_bit(tmp_path_factory, times, probabilities):
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    table = pd.DataFrame({"timestamp": times, "AU01_p": probabilities})
    path.write_text(to_csv(table))
    again = read_table(path)
    for name, column in table.items():
        assert np.array_equal(bits(again[name]), bits(column))


def bits(column):
    """The bytes of each number; NaN is one number."""
    numbers = column.to_numpy(copy=True)
    numbers[np.isnan(numbers)] = np.nan
    return numbers.view(f"i{numbers.itemsize}")


def test_the_columns_are_those_of_the_documentation(tmp_path):
    csv, parquet = written(tmp_path, [rows_of(3)])
    head = csv.read_text().splitlines()[0]
    assert head == (
        "frame,timestamp,face_id,confidence,success,x,y,width,height,"
        "AU01_p,AU12_p,AU01_c,AU12_c"
    )
    csv, _ = written(tmp_path, [rows_of(1)], photographs=True)
    assert csv.read_text().startswith("image,frame,")
    types = pd.read_parquet(parquet).dtypes
    assert types["AU01_p"] == np.float32
    assert str(types["AU01_c"]) == "Int8"


def test_a_frame_without_a_face_is_empty_in_csv(tmp_path):
    nothing = Rows(
        [("", 1, 0.0, NO_FACE, 0.0, 0, NAN, NAN, NAN, NAN)],
        np.full((1, 2), np.nan, np.float32),
        np.zeros((1, 2), bool),
        1,
    )
    csv, _ = written(tmp_path, [nothing])
    assert csv.read_text().splitlines()[1] == "1,0.0,-1,0.0,0,,,,,,,,"


def test_rows_are_written_in_groups_as_they_come(tmp_path):
    _, parquet = written(tmp_path, [rows_of(100, n) for n in range(100)])
    file = pq.ParquetFile(parquet)
    assert file.metadata.num_rows == 10_000
    assert file.num_row_groups == 3


def test_an_error_leaves_what_was_there_and_nothing_else(tmp_path):
    written(tmp_path, [rows_of(3)])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(KeyboardInterrupt), table_files(tmp_path / "a.b", AUS, False) as add:
        for n in range(60):
            add(rows_of(100, n))
        raise KeyboardInterrupt
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_photograph_called_as_a_formula_is_text_and_read_by_its_name(tmp_path):
    names = ["=1+1.jpg", "+x.jpg", "'=2.jpg"]
    keys = [(name, 1, 0.0, 0, 0.9, 1, 1.0, 2.0, 3.0, 4.0) for name in names]
    rows = Rows(keys, np.full((3, 1), 0.5, np.float32), np.ones((3, 1), np.bool_), 3)
    with table_files(tmp_path / "t", (4,), photographs=True) as add:
        add(rows)
    lines = (tmp_path / "t.csv").read_text().splitlines()[1:]
    assert [line[:2] for line in lines] == ["'=", "'+", "''"]
    for suffix in (".csv", ".parquet"):
        assert read_table(tmp_path / f"t{suffix}")["image"].tolist() == names
