"""OpenFace's CSV: its columns, several faces, failures, faults."""

import numpy as np
import pytest

from action_units.errors import LabelError
from action_units.facs.openface import read_openface

AUS = (1, 12, 28)
HEADER = "image, face, confidence, success, pose_Rx, AU01_r, AU12_r, AU01_c, AU12_c, AU28_c"


def row(image="a.jpg", face=0, confidence=0.9, success=1, r=(0.5, 4.2), c=(1, 0, 1)):
    cells = [image, face, confidence, success, -0.1, *r, *c]
    return ", ".join(map(str, cells))


def write(folder, *rows, header=HEADER):
    path = folder / "openface.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_presence_and_intensity_come_from_their_columns(tmp_path):
    path = write(tmp_path, row(), row("b.jpg", c=("1.00", " 1.0", 0)))
    found = read_openface(path, AUS)
    assert list(found.table) == ["image", "face", "confidence", "faces", "AU01", "AU12", "AU28",
                                 "AU01_r", "AU12_r"]  # fmt: skip
    assert found.table[["AU01", "AU12", "AU28"]].to_numpy().tolist() == [[1, 0, 1], [1, 1, 0]]
    assert found.table["AU01"].dtype == np.int8
    assert found.table["AU12_r"].tolist() == pytest.approx([4.2, 4.2])
    assert found.dropped.empty


def test_the_most_confident_face_is_kept_and_the_others_counted(tmp_path):
    path = write(
        tmp_path,
        row("a.jpg", 0, 0.85, c=(0, 0, 0)),
        row("b.jpg", 0, 0.9),
        row("a.jpg", 1, 0.95, c=(1, 1, 1)),
        row("a.jpg", 2, 0.95, c=(0, 0, 0)),
        row("a.jpg", 3, 0.99, success=0),
    )
    found = read_openface(path, AUS)
    assert found.table["image"].tolist() == ["b.jpg", "a.jpg"]
    assert found.table["face"].tolist() == [0, 1]
    assert found.table["faces"].tolist() == [1, 3]
    assert found.dropped["line"].tolist() == [2, 5, 6]
    assert "more confident" in found.dropped["reason"][0]


def test_failures_are_dropped_with_a_reason_whatever_their_values(tmp_path):
    path = write(
        tmp_path,
        row("a.jpg", success=0, c=("nan", 7, "")),
        row("b.jpg", confidence=0.79),
        row("c.jpg", confidence=0.8),
    )
    found = read_openface(path, AUS, min_confidence=0.8)
    assert found.table["image"].tolist() == ["c.jpg"]
    assert found.dropped["reason"].tolist() == [
        "OpenFace found no face (success 0)",
        "confidence below 0.8",
    ]


@pytest.mark.parametrize(
    ("rows", "line", "words"),
    [
        ([row(c=(1, 2, 0))], 2, "AU12_c is 2; presence is 0 or 1"),
        ([row(), "", row("b.jpg", r=(0.1, 5.5))], 4, "AU12_r is 5.5; intensity is 0 to 5"),
        ([row(), row("b.jpg", c=(1, "x", 0))], 3, "AU12_c is 'x'; expected a number"),
        ([row(confidence="inf")], 2, "confidence is 'inf'"),
        ([row(), row("b.jpg") + ", 1"], 3, "11 columns, but the header has 10"),
        ([row(), row("b.jpg").rsplit(",", 1)[0]], 3, "9 columns, but the header has 10"),
        ([row(), row()], 3, "face 0 of a.jpg is there twice"),
        ([row(image="")], 2, "the row has no image name"),
    ],
)
def test_a_fault_is_named_with_its_line(tmp_path, rows, line, words):
    path = write(tmp_path, *rows)
    with pytest.raises(LabelError) as error:
        read_openface(path, AUS)
    assert words in str(error.value)
    assert error.value.line == line


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (HEADER.replace("AU12_c", "AU12_x"), "column AU12_c is missing"),
        (HEADER.replace("AU12_c", "AU1_c"), "column AU12_c is missing"),
        (HEADER.replace("image", "frame"), "merge OpenFace's files"),
        (HEADER.replace("AU01_c", "AU12_c"), "column AU12_c is there twice"),
        ("image, confidence, success, 0, 1, 2", "OpenFace 3"),
    ],
)
def test_missing_columns_are_named(tmp_path, header, words):
    cells = len(header.split(","))
    path = write(tmp_path, ", ".join(["1"] * cells), header=header)
    with pytest.raises(LabelError) as error:
        read_openface(path, AUS)
    assert words in str(error.value)


def test_files_that_are_no_table(tmp_path):
    with pytest.raises(LabelError, match="no such file"):
        read_openface(tmp_path / "none.csv")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(LabelError, match="the file is empty"):
        read_openface(tmp_path / "empty.csv")
    with pytest.raises(LabelError, match="nothing below it"):
        read_openface(write(tmp_path), AUS)
    (tmp_path / "bytes.csv").write_bytes(b"image\n\xff\n")
    with pytest.raises(LabelError, match="cannot be read"):
        read_openface(tmp_path / "bytes.csv")


def test_names_of_columns_may_be_padded(tmp_path):
    path = write(tmp_path, row(), header=HEADER.replace(",", " ,"))
    assert read_openface(path, AUS).table["AU28"].tolist() == [1]


def test_a_file_without_face_numbers_has_one_face_a_picture(tmp_path):
    header = HEADER.replace(" face,", "")
    path = write(tmp_path, row().replace(" 0,", "", 1), header=header)
    assert read_openface(path, AUS).table["face"].tolist() == [0]
