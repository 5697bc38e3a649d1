"""The same face in several web sets."""

import numpy as np
import pandas as pd
import pytest

from action_units.datasets.faces import ChosenWebFacesDataset
from action_units.errors import ConfigurationError
from action_units.faces.repeats import drop_repeats, join_coded_stores, join_web_stores
from action_units.faces.store import FaceStore


def store(*rows):
    table = pd.DataFrame(rows, columns=["set", "subject", "split", "sha256"])
    table["image"] = [f"{k}.jpg" for k in range(len(rows))]
    faces = np.arange(len(rows), dtype=np.uint8)[:, None, None] * np.ones((2, 2), np.uint8)
    return FaceStore(faces, table.assign(AU01=1), (1,), {"faces": {"size": 2}})


def test_a_face_of_two_sets_is_kept_once_and_where_it_is_held_out(caplog):
    faces = store(
        ("a", "a/x", "train", "one"),
        ("a", "a/x", "train", "two"),
        ("a", "a/y", "train", "own"),
        ("a", "a/y", "train", "own"),  # twice in one set: as that set has it
        ("b", "b/z", "train", "one"),
        ("b", "b/z", "test", "two"),
        ("b", "b/z", "test", "other"),
    )
    kept = drop_repeats(faces)
    assert kept.table["image"].tolist() == ["0.jpg", "2.jpg", "3.jpg", "5.jpg", "6.jpg"]
    assert kept.faces[:, 0, 0].tolist() == [0, 2, 3, 5, 6]
    assert kept.notes == faces.notes
    assert "2 faces are in several of the sets a, b" in caplog.text
    learned = set(kept.table[kept.table["split"] == "train"]["sha256"])
    assert not learned & set(kept.table[kept.table["split"] == "test"]["sha256"])


def test_sets_without_a_common_face_stay_as_they_are(caplog):
    faces = store(("a", "a/x", "train", "one"), ("b", "b/x", "test", "two"))
    assert drop_repeats(faces) is faces
    assert not caplog.records


def test_two_web_sets_hold_out_whoever_one_of_them_does(tmp_path):
    """``p`` is in both; which of the two sets holds the person out does not matter."""
    own = {
        "a": store(("", "p", "train", "one"), ("", "q", "test", "two")),
        "b": store(
            ("", "p", "test", "three"), ("", "r", "train", "two"), ("", "s", "train", "4")
        ),
    }
    stores = {
        name: FaceStore(one.faces, one.table.drop(columns="set"), one.aus)
        for name, one in own.items()
    }
    joined = join_web_stores(stores)
    rows = joined.table[["set", "subject", "split", "sha256"]].to_numpy().tolist()
    assert rows == [
        ["a", "a/p", "test", "one"],
        ["a", "a/q", "test", "two"],
        ["b", "a/p", "test", "three"],
        ["b", "b/s", "train", "4"],
    ]
    for name, one in stores.items():
        one.save(tmp_path / name)
    loaded = ChosenWebFacesDataset(stores=str(tmp_path), sets="a+b").load()
    pd.testing.assert_frame_equal(loaded.table, joined.table, check_dtype=False)
    assert list(ChosenWebFacesDataset(stores=str(tmp_path), sets="a").load().subjects) == [
        "p",
        "q",
    ]


def coded(*rows, tone=None):
    """A coded set of faces that differ within, or are of one `tone`."""
    own = store(*(("", subject, "", sha256) for subject, sha256 in rows))
    faces = own.faces.copy()
    faces[:, 0, 0] = 200 if tone is None else tone
    faces[:, 1, 1] = 100 if tone is None else tone
    faces[:, 0, 1] = faces[:, 1, 0] = 7 if tone is None else tone
    return FaceStore(faces, own.table.drop(columns=["set", "split"]), own.aus)


def test_two_coded_sets_with_one_face_under_two_names_are_not_taken_as_one():
    sets = {"a": coded(("p", "1"), ("q", "2")), "b": coded(("r", "3"), ("s", "2"), ("s", "4"))}
    with pytest.raises(ConfigurationError) as error:
        join_coded_stores(sets, {})
    assert "b/1.jpg of b/s is the same picture as a/1.jpg of a/q" in str(error.value)
    assert "such pictures: 1" in str(error.value)


def test_the_same_people_in_two_coded_sets_may_have_the_same_faces():
    sets = {"a": coded(("p", "1"), ("q", "2")), "b": coded(("q", "2"))}
    assert len(join_coded_stores(sets, {"b": "a"})) == 3


def test_an_even_tone_is_nobodys_face():
    sets = {"a": coded(("p", "1"), tone=0), "b": coded(("q", "1"), tone=0)}
    assert len(join_coded_stores(sets, {})) == 2


def test_equal_names_that_are_other_people_must_not_have_the_same_faces():
    sets = {"a": coded(("p", "1")), "b": coded(("p", "1"))}
    with pytest.raises(ConfigurationError, match="b/p is the same picture as a/0.jpg of a/p"):
        join_coded_stores(sets, {"b": "own"})


def test_one_set_with_a_face_under_two_names_is_refused():
    with pytest.raises(
        ConfigurationError, match="1.jpg of q is the same picture as 0.jpg of p"
    ):
        join_coded_stores({"a": coded(("p", "1"), ("q", "1"))}, {})


def test_a_face_of_two_people_of_one_set_and_of_a_second_set_is_refused():
    sets = {"a": coded(("p", "1"), ("r", "1")), "b": coded(("p", "1"))}
    with pytest.raises(ConfigurationError, match="a/r is the same picture as a/0.jpg of a/p"):
        join_coded_stores(sets, {"b": "a"})
