"""The interchange CSVs: round trips, speed, and every fault named with its line."""

import csv
import gzip
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from action_units.errors import LabelError
from action_units.labels.action_units import DISFA_AUS, PRETRAIN_AUS, au_columns
from action_units.labels.tables import (
    line_of,
    parse_rectsize,
    read_finetune_labels,
    read_pretrain_labels,
    write_finetune_labels,
    write_pretrain_labels,
)

ZEROS = ",0" * 12
WEB_ZEROS = ",0" * 19


def disfa_line(frame=0, labels=ZEROS, subject="SN001"):
    return f'RightVideo{subject}_{frame:08d}.jpg,"(0,0,120,120)"{labels}'


def web_line(number=0, labels=WEB_ZEROS):
    return f'm.0d27_dy_{number}-FaceId-0.jpg,"(0, 0, 300, 300)"{labels}'


def refusal(path, text, read=read_finetune_labels):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(LabelError) as error:
        read(path)
    assert str(error.value).startswith(str(path))
    return error.value


@pytest.mark.parametrize("name", ["fold1_test.csv.gz", "fold2_test.csv.gz"])
def test_a_real_fold_is_read_whole_and_right(real_labels, name):
    path = real_labels / name
    table = read_finetune_labels(path)
    with gzip.open(path, "rt", newline="") as file:
        rows = list(csv.reader(file))
    assert len(table) == len(rows)
    assert table["image"].tolist() == [row[0] for row in rows]
    assert table["rectsize"].tolist() == [row[1] for row in rows]
    assert table["subject"].tolist() == [row[0][10:15] for row in rows]
    assert table["frame"].tolist() == [int(row[0][16:24]) + 1 for row in rows]
    for k, column in enumerate(au_columns(DISFA_AUS)):
        assert Counter(table[column].tolist()) == Counter(int(row[k + 2]) for row in rows)
        assert table[column].dtype == np.int8


def test_the_real_web_labels_are_read_and_written_to_the_same_bytes(real_labels, tmp_path):
    path = real_labels / "pretrain_label_sample.csv.gz"
    table = read_pretrain_labels(path)
    assert len(table) == 3000
    assert {"m.0d27_dy", "m.030xk_", "m.02r42__"} <= set(table["subject"])
    write_pretrain_labels(table, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == gzip.decompress(path.read_bytes())


@st.composite
def tables(draw, gender):
    numbers = draw(st.lists(st.integers(0, 10**8 - 1), min_size=1, max_size=20, unique=True))
    aus = PRETRAIN_AUS if gender else DISFA_AUS
    columns = (["gender"] if gender else []) + au_columns(aus)
    bits = draw(
        st.lists(
            st.lists(st.integers(0, 1), min_size=len(columns), max_size=len(columns)),
            min_size=len(numbers), max_size=len(numbers),
        )
    )  # fmt: skip
    side = draw(st.integers(1, 9999))
    rect = draw(st.sampled_from([f"(0,0,{side},{side})", f"(0, 0, {side}, {side})"]))
    form = "m.0_{}_{}-FaceId-1.jpg" if gender else "LeftVideoSN0{:02d}_{:08d}.png"
    names = [form.format(n % 28, n) for n in numbers]
    table = pd.DataFrame(bits, columns=columns, dtype=np.int8)
    table.insert(0, "image", names)
    table.insert(1, "rectsize", rect)
    return table


@pytest.mark.parametrize("gender", [True, False])
def test_tables_go_there_and_back(gender, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    read = read_pretrain_labels if gender else read_finetune_labels
    write = write_pretrain_labels if gender else write_finetune_labels

    @settings(max_examples=20, deadline=None)
    @given(tables(gender))
    def there_and_back(table):
        write(table, folder / "a.csv")
        again = read(folder / "a.csv")
        pd.testing.assert_frame_equal(again[list(table)], table, check_dtype=False)
        write(again, folder / "b.csv")
        assert (folder / "a.csv").read_bytes() == (folder / "b.csv").read_bytes()

    there_and_back()


@pytest.mark.parametrize(
    "change",
    [
        lambda text: b"\xef\xbb\xbf" + text,
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: text.replace(b"\n", b"\r"),
        lambda text: text + b"\n\n",
        lambda text: text.rstrip(b"\n"),
        lambda text: text.replace(b'",', b'", ').replace(b" 0,", b' "0", '),
        lambda text: text.replace(b"(0,0,120,120)", b"( 0, 0, 120, 120 )"),
    ],
)
def test_other_ways_to_write_the_same_table_are_read(change, tmp_path):
    lines = [disfa_line(0), disfa_line(1, ",1" * 12), disfa_line(2)]
    plain, other = tmp_path / "plain.csv", tmp_path / "other.csv"
    plain.write_bytes(("\n".join(lines) + "\n").encode())
    other.write_bytes(change(plain.read_bytes()))
    labels = au_columns(DISFA_AUS)
    expected, found = read_finetune_labels(plain), read_finetune_labels(other)
    assert found["image"].tolist() == expected["image"].tolist()
    assert found[labels].equals(expected[labels])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (disfa_line(1, ",0" * 11), "13 columns, but a DISFA table has 14"),
        (disfa_line(1, ",0" * 13), "15 columns"),
        (web_line(), "were the two swapped?"),
        (disfa_line(1).replace('"', ""), "must stand in quotes"),
        (disfa_line(1, ",0" * 11 + ",2"), "AU26 is '2'; a label must be 0 or 1"),
        (disfa_line(1, ",-1" + ",0" * 11), "AU01 is '-1'"),
        (disfa_line(1, ",0.0" + ",0" * 11), "AU01 is '0.0'"),
        (disfa_line(1, "," + ",0" * 11), "AU01 is ''"),
        (disfa_line(1, ",nan" + ",0" * 11), "AU01 is 'nan'"),
        (disfa_line(1, ",१" + ",0" * 11), "AU01 is"),
        (disfa_line(0), "occurs twice, first on line 1"),
        (disfa_line(1).replace("120,120", "120"), "is not of the form (x,y,width,height)"),
        (disfa_line(1).replace("120,120", "0,120"), "is not of the form"),
        (disfa_line(1).replace("(0,0", "(-1,0"), "is not of the form"),
        (disfa_line(1).replace("Video", "Film"), "is not the name of a DISFA frame"),
        (disfa_line(1).replace("Right", "../Right"), "is not the name of a DISFA frame"),
        (disfa_line(1).replace('120)"', "120)"), "the line is not CSV"),
        ("image,rectsize,AU01", "this is a header row"),
        ("x", "1 columns"),
    ],
)
def test_a_fault_is_named_with_its_line(line, words, tmp_path):
    text = "\n".join([disfa_line(0), "", line, disfa_line(5)])
    error = refusal(tmp_path / "fold1_test.csv", text)
    assert words in str(error)
    assert error.line == 3


def test_a_fault_on_the_last_of_many_lines_is_found(tmp_path):
    lines = [disfa_line(k) for k in range(5000)]
    lines[-1] = lines[-1][:-1] + "7"
    error = refusal(tmp_path / "t.csv", "\n".join(lines))
    assert error.line == 5000


def test_faults_of_web_tables(tmp_path):
    path = tmp_path / "train_label.csv"
    error = refusal(path, disfa_line(), read_pretrain_labels)
    assert "a pre-training table has 21" in str(error)
    assert "as wide as a DISFA table: were the two swapped?" in str(error)
    error = refusal(path, web_line(labels=",2" + ",0" * 18), read_pretrain_labels)
    assert "gender is '2'" in str(error)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"\n \n", "the file is empty"),
        (b"\xff\xfeR\x00i\x00", "is not UTF-8 text"),
        (b"a\x00b", "1 columns"),
    ],
)
def test_files_that_are_no_table(content, words, tmp_path):
    assert words in str(refusal(tmp_path / "t.csv", content))


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(LabelError, match=r"none\.csv: there is no such file"):
        read_finetune_labels(tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(LabelError, match="this is a folder"):
        read_finetune_labels(tmp_path / "folder.csv")
    packed = gzip.compress(disfa_line().encode() * 99)
    (tmp_path / "cut.csv.gz").write_bytes(packed[:-9])
    with pytest.raises(LabelError, match="cannot be read"):
        read_finetune_labels(tmp_path / "cut.csv.gz")


def test_labels_that_are_not_0_or_1_are_not_written(tmp_path):
    table = pd.DataFrame(
        {"image": ["a"], "rectsize": ["b"], **dict.fromkeys(au_columns(DISFA_AUS), 2)}
    )
    with pytest.raises(ValueError, match="must be 0 or 1"):
        write_finetune_labels(table, tmp_path / "t.csv")
    assert not (tmp_path / "t.csv").exists()


def test_rectangles():
    assert (
        parse_rectsize("(0, 1, 300, 200)")
        == parse_rectsize("(0,1,300,200)")
        == (0, 1, 300, 200)
    )
    with pytest.raises(ValueError, match="is not of the form"):
        parse_rectsize("0,0,1,1")


def test_a_line_is_found_by_its_image(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("\n".join([disfa_line(0), disfa_line(1)]))
    assert line_of(path, "RightVideoSN001_00000001.jpg") == 2
    assert line_of(path, "RightVideoSN001_0000000") is None


def test_a_packed_bomb_is_refused(tmp_path):
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(bytes(40 << 20)))
    with pytest.raises(LabelError, match=r"it unpacks to more than 2\d,\d+,\d+ bytes"):
        read_finetune_labels(tmp_path / "b.csv.gz")
