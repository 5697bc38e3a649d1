"""Crops beside their labels, by name."""

import pandas as pd
import pytest

from action_units.errors import LabelError
from action_units.faces.crops import CropResult
from action_units.faces.labelled import frames_with_crops, lost_frames, with_annotations
from action_units.faces.quarantine import Quarantine
from action_units.facs.openface import OpenFaceTable

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
    return OpenFaceTable(table, gone)


@pytest.mark.parametrize("names", [["p/3.jpg", "p/1.jpg"], ["c3.jpg", "c1.jpg"]])
def test_annotations_of_photographs_or_of_crops_find_their_crops(names, tmp_path):
    table, aside = with_annotations(CROPS, annotations(names), tmp_path)
    assert table[["image", "AU01", "score"]].to_numpy().tolist() == [
        ["c1.jpg", 1, 0.9],
        ["c3.jpg", 0, 0.7],
    ]
    assert aside.table()["path"].tolist() == ["p/2.jpg"]
    assert aside.table()["detail"].tolist() == ["OpenFace has no row of it"]


def test_why_openface_dropped_a_picture_is_kept(tmp_path):
    dropped = [("p/2.jpg", "f.csv", 7, "confidence below 0.8")]
    _, aside = with_annotations(CROPS, annotations(["p/1.jpg", "p/3.jpg"], dropped), tmp_path)
    assert aside.table()["detail"].tolist() == ["confidence below 0.8"]


def test_annotations_of_other_pictures_are_refused(tmp_path):
    with pytest.raises(LabelError, match=r"none of its 1 pictures \(x\.jpg is the first\)"):
        with_annotations(CROPS, annotations(["x.jpg"]), tmp_path / "openface.csv")


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
    table = frames_with_crops(labels, result, excluded)
    assert table["image"].tolist() == labels["image"].tolist()
    assert table["AU01"].tolist() == labels["AU01"].tolist()
    assert table["reason"].tolist() == ["", "no face", "excluded: blurred", ""]
    lost = lost_frames(table)
    assert lost.to_dict("records") == [
        {"subject": "A", "frames": 3, "lost": 2, "excluded": 1, "no face": 1},
        {"subject": "B", "frames": 1, "lost": 0, "excluded": 0, "no face": 0},
    ]


def test_a_frame_that_nobody_knows_of_is_a_mistake_of_ours():
    labels, result = frames()
    empty = CropResult(result.table, Quarantine(), 4)
    with pytest.raises(ValueError, match="a2 has labels, but neither a crop nor a reason"):
        frames_with_crops(labels, empty, pd.DataFrame(columns=["image", "reason"]))
