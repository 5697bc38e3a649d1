"""Crops beside their labels, by name."""

import logging

import pandas as pd
import pytest

from action_units.errors import LabelError
from action_units.faces.join_labels import (
    check_names,
    join_annotations,
    join_crops,
    lost_frames,
)
from action_units.faces.preprocess import CropResult
from action_units.faces.quarantine import Quarantine
from action_units.labels.annotations.read import Annotations, read_annotations

CROPS = pd.DataFrame(
    {
        "image": ["c1.jpg", "c2.jpg", "c3.jpg"],
        "photograph": ["p/1.jpg", "p/2.jpg", "p/3.jpg"],
        "score": [0.9, 0.8, 0.7],
    }
)


def annotations(names, dropped=()):
    table = pd.DataFrame({"image": names, "AU01": range(len(names)), "AU01_r": 0.5})
    gone = pd.DataFrame(list(dropped), columns=["image", "file", "line", "reason"])
    return Annotations(table, gone)


@pytest.mark.parametrize("names", [["p/3.jpg", "p/1.jpg"], ["c3.jpg", "c1.jpg"]])
def test_annotations_of_photographs_or_of_crops_find_their_crops(names, tmp_path):
    table, aside = join_annotations(CROPS, annotations(names), tmp_path)
    assert table[["image", "AU01", "score"]].to_numpy().tolist() == [
        ["c1.jpg", 1, 0.9],
        ["c3.jpg", 0, 0.7],
    ]
    assert aside.table()["path"].tolist() == ["p/2.jpg"]
    assert aside.table()["detail"].tolist() == ["OpenFace has no row of it"]


def test_why_openface_dropped_a_picture_is_kept(tmp_path):
    dropped = [("p/2.jpg", "f.csv", 7, "confidence below 0.8")]
    _, aside = join_annotations(CROPS, annotations(["p/1.jpg", "p/3.jpg"], dropped), tmp_path)
    assert aside.table()["detail"].tolist() == ["confidence below 0.8"]


def test_annotations_of_other_pictures_are_refused(tmp_path):
    with pytest.raises(LabelError, match=r"none of its 1 pictures \(x\.jpg is the first\)"):
        join_annotations(CROPS, annotations(["x.jpg"]), tmp_path / "openface.csv")


HEADER = "image, face, confidence, AU01_r, AU01_c"


def read(folder, *rows, header=HEADER):
    path = folder / "openface.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return read_annotations(path, aus=[1], suffix="")


def landmarks(left, top, width, height):
    """Four landmarks: the corners of a rectangle."""
    xs, ys = (left, left + width, left, left + width), (top, top, top + height, top + height)
    return ", ".join(f"{value:g}" for value in (*xs, *ys))


LOCATED = HEADER + "".join(f", {axis}_{k}" for axis in "xy" for k in range(4))
TWO = pd.DataFrame(
    {
        "image": ["c1.jpg", "c2.jpg"],
        "photograph": ["p/1.jpg", "p/2.jpg"],
        "rectsize": "(0,0,128,128)",
        "source": ["(100,50,200,200)", "(-20,10,90,90)"],
        "angle": 0.0,
    }
)


@pytest.mark.parametrize("margin", [0.0, 0.5])
def test_of_several_faces_the_one_in_the_crop_gives_the_labels(tmp_path, margin):
    """The crop is of the largest; OpenFace is surer of another, which looks like a twin."""
    found = read(
        tmp_path,
        f"p/1.jpg, 0, 0.98, 4.5, 1, {landmarks(310, 60, 70, 80)}",
        f"p/1.jpg, 1, 0.85, 0.5, 0, {landmarks(160, 105, 80, 80)}",
        f"p/1.jpg, 2, 0.97, 3.5, 1, {landmarks(120, 70, 12, 12)}",
        f"p/2.jpg, 0, 0.95, 2.5, 1, {landmarks(5, 35, 35, 38)}",
        header=LOCATED,
    )
    table, aside = join_annotations(TWO, found, tmp_path, margin)
    assert len(aside) == 0
    told = table[["image", "face", "faces", "AU01", "AU01_r"]].to_numpy().tolist()
    assert told == [["c1.jpg", 1, 3, 0, 0.5], ["c2.jpg", 0, 1, 1, 2.5]]
    assert list(table) == [*TWO, "face", "confidence", "faces", "AU01", "AU01_r"]


def test_a_crop_that_is_turned(tmp_path):
    """The square is turned clockwise; what is near its corner lies beside the picture's."""
    crops = TWO.assign(angle=45.0)
    inside, outside = landmarks(160, 200, 80, 80), landmarks(150, 190, 12, 12)
    found = read(
        tmp_path, f"p/1.jpg, 0, 0.9, 0, 0, {inside}", f"p/2.jpg, 0, 0.9, 0, 1, {outside}",
        header=LOCATED,
    )  # fmt: skip
    assert join_annotations(crops, found, tmp_path)[0]["AU01"].tolist() == [0]


@pytest.mark.parametrize(
    ("rows", "reason", "detail"),
    [
        (["p/1.jpg, 0, 0.98, 1, 1", "p/1.jpg, 1, 0.9, 0, 0"], "several faces",
         "2 faces, and the file lacks their positions"),
        (["p/1.jpg, 0, 0.98, 1, 1", "p/1.jpg, 1, 0.3, 0, 0", "p/1.jpg, 2, 0.5, 0, 0"],
         "several faces", "3 faces, and the file lacks their positions"),
        ([f"p/1.jpg, 0, 0.98, 1, 1, {landmarks(310, 60, 70, 80)}"], "another face",
         "the crop does not show the face that OpenFace found"),
        ([f"p/1.jpg, 0, 0.98, 1, 1, {landmarks(310, 60, 70, 80)}",
          f"p/1.jpg, 1, 0.98, 1, 1, {landmarks(20, 10, 500, 500)}"], "another face",
         "the crop does not show any of the 2 faces that OpenFace found"),
        ([f"p/1.jpg, 0, 0.98, 1, 1, {landmarks(310, 60, 70, 80)}",
          f"p/1.jpg, 1, 0.3, 0, 0, {landmarks(160, 105, 80, 80)}"], "openface",
         "confidence below 0.8"),
    ],
)  # fmt: skip
def test_a_face_that_is_not_known_to_be_the_crop_s_is_set_aside(tmp_path, rows, reason, detail):
    sound = f"p/2.jpg, 0, 0.95, 0, 1, {landmarks(5, 35, 35, 38)}"
    width = len(rows[0].split(","))
    header = ",".join(LOCATED.split(",")[:width])
    rows = [*rows, ",".join(sound.split(",")[:width])]
    table, aside = join_annotations(TWO, read(tmp_path, *rows, header=header), tmp_path)
    assert table[["image", "AU01"]].to_numpy().tolist() == [["c2.jpg", 1]]
    told = aside.table()[["path", "reason", "detail"]].to_numpy().tolist()
    assert told == [["p/1.jpg", reason, detail]]


def test_annotations_of_the_crops_are_in_the_crops_pixels(tmp_path):
    """Crops and photographs of one name: where the faces are shows which of them it was."""
    crops = TWO.assign(photograph=TWO["image"])
    found = read(
        tmp_path,
        *(f"c{k}.jpg, 0, 0.9, 0, {k - 1}, {landmarks(30, 40, 70, 75)}" for k in (1, 2)),
        header=LOCATED,
    )
    table, aside = join_annotations(crops, found, tmp_path)
    assert table["AU01"].tolist() == [0, 1]
    assert len(aside) == 0


def test_landmarks_of_pictures_of_another_size_are_refused(tmp_path):
    rows = [f"p/{k}.jpg, 0, 0.9, 0, 1, {landmarks(900, 700, 400, 400)}" for k in (1, 2)]
    found = read(tmp_path, *rows, header=LOCATED)
    with pytest.raises(LabelError, match=r"not one of the 2 crops gets a label.*at this size"):
        join_annotations(TWO, found, tmp_path / "openface.csv")


def test_two_frames_of_one_picture_are_refused_by_file_and_line(tmp_path):
    header = HEADER.replace("face", "frame")
    rows = ["p/1.jpg, 1, 0.9, 0, 0", "p/1.jpg, 2, 0.9, 0, 0", "p/2.jpg, 3, 0.9, 0, 1"]
    with pytest.raises(LabelError, match=r"p/1\.jpg occurs as frame 2 and as") as e:
        join_annotations(TWO, read(tmp_path, *rows, header=header), tmp_path)
    assert (e.value.path, e.value.line) == (tmp_path / "openface.csv", 3)
    table, _ = join_annotations(TWO, read(tmp_path, rows[0], rows[2], header=header), tmp_path)
    assert table[["image", "AU01"]].to_numpy().tolist() == [["c1.jpg", 0], ["c2.jpg", 1]]


def test_unmatched_rows_are_logged_with_an_example_of_each_side(tmp_path, caplog):
    crops = pd.DataFrame({"photograph": [f"p/{k}.jpg" for k in range(40)]})
    crops["image"] = [f"c{k}.jpg" for k in range(40)]
    rows = [f"{'p' if k < 10 else 'q'}/{k}.jpg, 0, 0.9, 0, 1" for k in range(40)]
    with caplog.at_level(logging.WARNING):
        table, aside = join_annotations(crops, read(tmp_path, *rows), tmp_path / "openface.csv")
    assert (len(table), len(aside)) == (10, 30)
    assert "30 of 40 photographs have no row in it (p/10.jpg is the first)" in caplog.text
    assert (
        "30 pictures in it are not among the photographs (q/10.jpg is the first)" in caplog.text
    )
    caplog.clear()
    join_annotations(crops, read(tmp_path, *rows[:10]), tmp_path)
    assert "30 of 40 photographs have no row in it" in caplog.text
    caplog.clear()
    few = [row.replace("q", "p") for row in rows[:37]]
    join_annotations(crops, read(tmp_path, *few), tmp_path)
    assert caplog.text == ""  # OpenFace writes no file where it finds no face


def test_a_name_that_fits_two_photographs_labels_none(tmp_path, caplog):
    found = read(tmp_path, "1, 0, 0.9, 0, 1", "2, 0, 0.9, 0, 1")
    table, aside = join_annotations(TWO, found, tmp_path, others=["q/1.jpg"])
    assert table["image"].tolist() == ["c2.jpg"]
    assert aside.table()["detail"].tolist() == ["1 fits p/1.jpg and q/1.jpg"]
    assert "1 fits p/1.jpg and q/1.jpg" in caplog.text
    with pytest.raises(LabelError, match=r"1 fits p/1\.jpg and q/1\.jpg\."):
        check_names(
            {"p/1.jpg": "c1", "q/1.jpg": "c2"}, read(tmp_path, "1, 0, 0.9, 0, 1"), tmp_path
        )


def test_annotations_of_other_photographs_are_refused_before_cropping(tmp_path):
    found = read(tmp_path, "x/1.jpg, 0, 0.9, 0, 1", "./p/2.csv, 0, 0.3, 0, 1")
    mine = {"p/1.jpg": "c1.jpg", "p/2.jpg": "c2.jpg"}
    with pytest.raises(LabelError, match=r"none of its 1 pictures \(x/1\.jpg is the first\)"):
        check_names(mine, found, tmp_path)
    assert check_names({"x/1.png": "c7.jpg", **mine}, found, tmp_path) == ["c7.jpg"]
    assert check_names(mine, read(tmp_path, "c2.csv, 0, 0.9, 0, 1"), tmp_path) == ["c2.jpg"]
    header = HEADER.replace("face", "frame")
    frames = [f"p/1.jpg, {k}, 0.9, 0, 1" for k in (1, 2)]
    with pytest.raises(LabelError, match="line 3: p/1.jpg occurs as frame 2"):
        check_names(mine, read(tmp_path, *frames, header=header), tmp_path)
    sequence = [f"p, {k}, 0.9, 0, 1" for k in (1, 2)]
    with pytest.raises(LabelError, match="do not name their pictures; run FaceLandmark"):
        check_names(mine, read(tmp_path, *sequence, header=header), tmp_path)


def frames():
    labels = pd.DataFrame(
        {
            "image": ["a1", "a2", "a3", "b1"],
            "subject": ["A", "A", "A", "B"],
            "frame": [1, 2, 3, 1],
            "AU01": [0, 1, 0, 1],
        }
    )
    crops = pd.DataFrame(
        {
            "image": ["b1", "a1", "a3"],
            "rectsize": "r",
            "subject": ["B", "A", "A"],
            "frame": [1, 1, 3],
        }
    )
    quarantine = Quarantine()
    quarantine.add("a2", "no face", "none")
    return labels, CropResult(crops, quarantine, 4)


def test_frames_without_a_crop_keep_their_row_and_their_reason():
    labels, result = frames()
    excluded = pd.DataFrame({"image": ["a3"], "reason": ["blurred"]})
    table = join_crops(labels, result, excluded)
    assert table["image"].tolist() == labels["image"].tolist()
    assert table["AU01"].tolist() == labels["AU01"].tolist()
    assert table["reason"].tolist() == ["", "no face", "excluded: blurred", ""]
    lost = lost_frames(table)
    assert lost.to_dict("records") == [
        {"subject": "A", "frames": 3, "lost": 2, "excluded": 1, "no face": 1},
        {"subject": "B", "frames": 1, "lost": 0, "excluded": 0, "no face": 0},
    ]


def test_a_frame_without_crop_or_reason_raises():
    labels, result = frames()
    empty = CropResult(result.table, Quarantine(), 4)
    with pytest.raises(ValueError, match="a2 has labels, but no crop and no reason"):
        join_crops(labels, empty, pd.DataFrame(columns=["image", "reason"]))
