"""Several sets of faces as one."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from action_units.errors import ConfigurationError
from action_units.evaluation.predictions import check_no_duplicate_images
from action_units.faces import join_sets, packing
from action_units.faces.join_sets import join_stores
from action_units.faces.store import FaceStore
from action_units.labels.action_units import au_columns

MADE = {"detector": "yunet", "size": 4}


def make(subjects, aus, seed=0, size=4, made=MADE, **columns):
    """A store with two faces of each subject."""
    random = np.random.default_rng(seed)
    who = np.repeat(subjects, 2)
    labels = random.integers(0, 2, (len(who), len(aus))).astype(np.int8)
    table = pd.DataFrame(labels, columns=au_columns(aus))
    table["image"] = [f"{subject}_{k % 2}.jpg" for k, subject in enumerate(who)]
    table["subject"] = who
    table["sha256"] = [f"{seed}{k}" for k in range(len(who))]
    table = table.assign(**columns)
    faces = random.integers(0, 256, (len(who), size, size), np.uint8)
    return FaceStore(faces, table, tuple(aus), {"faces": made})


def test_one_set_keeps_its_names_and_its_array():
    store = make(["SN001", "SN002"], (12, 1))
    joined = join_stores({"disfa": store}, {"disfa": None})
    assert joined.faces is store.faces
    assert joined.aus == store.aus
    assert joined.notes == store.notes
    assert set(joined.table["set"]) == {"disfa"}
    pd.testing.assert_frame_equal(joined.table.drop(columns="set"), store.table)
    assert "set" not in store.table


subsets = st.lists(st.sampled_from([1, 2, 4, 7, 12, 25]), min_size=1, unique=True)


@given(st.lists(st.tuples(subsets, st.integers(1, 4)), min_size=2, max_size=4))
def test_a_joint_store_has_every_face_with_its_own_labels(sets):
    stores = {
        f"set{k}": make([f"P{p}" for p in range(n)], aus, seed=k)
        for k, (aus, n) in enumerate(sets)
    }
    joined = join_stores(stores, dict.fromkeys(stores, "own"))
    assert joined.aus == tuple(sorted({au for aus, _ in sets for au in aus}))
    for name, store in stores.items():
        part = joined.select((joined.table["set"] == name).to_numpy())
        assert np.array_equal(part.faces, store.faces)
        assert part.subjects.tolist() == [f"{name}/{one}" for one in store.subjects]
        assert part.table["image"].tolist() == [f"{name}/{one}" for one in store.table["image"]]
        for column, au in enumerate(joined.aus):
            expected = store.labels[:, store.aus.index(au)] if au in store.aus else -1
            assert (part.labels[:, column] == expected).all()
    assert joined.labels.dtype == np.int8
    assert joined.table[au_columns(joined.aus)].dtypes.eq(np.int8).all()


def test_what_only_one_set_has_is_missing_in_the_other():
    disfa = make(["A"], (1,), AU01_r=[0, 3], frame=[1, 2], origin="disfa")
    photographs = make(["B"], (1,), origin="rendered")
    joined = join_stores({"disfa": disfa, "studio": photographs}, {})
    assert joined.table["AU01_r"].tolist()[:2] == [0, 3]
    assert joined.table[["AU01_r", "frame"]].iloc[2:].isna().all(axis=None)
    assert joined.table["origin"].tolist() == ["disfa"] * 2 + ["rendered"] * 2


def test_how_faces_were_made_is_kept_where_it_is_the_same():
    one, other = make(["A"], (1,)), make(["B"], (1,))
    assert join_stores({"a": one, "b": other}, {}).notes == {"faces": MADE}
    imported = make(["B"], (1,), made=None)
    assert join_stores({"a": one, "b": imported}, {}).notes == {"faces": None}


def test_faces_of_different_sizes_are_refused():
    with pytest.raises(ConfigurationError, match=r"a are 4 × 4 pixels and those of b 8 × 8"):
        join_stores({"a": make(["A"], (1,)), "b": make(["B"], (1,), size=8)}, {})


@pytest.mark.parametrize("own", [{"a": "own"}, {"b": "own"}, {"a": "own", "b": "own"}])
def test_equal_names_of_other_people_are_two_subjects(own):
    joined = join_stores({"a": make(["A"], (1,)), "b": make(["A"], (1,))}, own)
    assert set(joined.subjects) == {"a/A", "b/A"}


def test_equal_names_are_refused_where_nothing_says_who_they_are():
    stores = {"disfa": make(["A", "B"], (1,)), "studio": make(["A", "B", "C"], (2,))}
    message = (
        r"disfa and studio both have a subject 'A' \(2 such names\): set `people` of studio"
    )
    with pytest.raises(ConfigurationError, match=message):
        join_stores(stores, {"disfa": None, "studio": None})


def test_the_same_people_are_one_subject_by_the_name_of_the_set_that_is_named():
    stores = {"plus": make(["A", "Z"], (2,)), "disfa": make(["A", "B"], (1,))}
    joined = join_stores(stores, {"plus": "disfa", "disfa": None})
    assert joined.subjects.tolist() == [
        *["disfa/A"] * 2,
        *["plus/Z"] * 2,
        *["disfa/A"] * 2,
        *["disfa/B"] * 2,
    ]
    assert joined.table["image"].is_unique


def test_people_of_a_set_that_is_not_chosen_link_those_that_are():
    chosen = {"left": make(["A"], (1,)), "plus": make(["A"], (2,))}
    joined = join_stores(chosen, {"left": "disfa", "plus": "disfa", "disfa": None})
    assert set(joined.subjects) == {"left/A"}
    other = {**chosen, "studio": make(["A"], (1,))}
    people = {"left": "disfa", "plus": "disfa", "disfa": "own", "studio": None}
    assert set(join_stores(other, people).subjects) == {"left/A", "studio/A"}
    with pytest.raises(ConfigurationError, match="left and studio both have a subject 'A'"):
        join_stores(other, people | {"disfa": None})


@pytest.mark.parametrize("order", list(itertools.permutations("abc")))
def test_sets_that_name_each_other_have_the_same_people(order):
    stores = {name: make(["A"], (1,)) for name in order}
    joined = join_stores(stores, {"a": "b", "b": "a", "c": "b"})
    assert len(set(joined.subjects)) == 1


def test_who_is_held_out_of_one_web_set_is_held_out_of_both():
    one = make(["m.01", "m.02"], (1,), split=["train"] * 2 + ["test"] * 2, gender=0)
    other = make(["m.01", "m.02"], (1,), split=["test"] * 2 + ["train"] * 2, gender=1)
    joined = join_stores({"web": one, "more": other}, {"more": "web"})
    assert set(joined.table["split"]) == {"test"}
    apart = join_stores({"web": one, "more": other}, {"more": "own"})
    assert apart.table["split"].tolist() == [*one.table["split"], *other.table["split"]]
    assert apart.table["gender"].tolist() == [0] * 4 + [1] * 4


def test_the_faces_are_copied_into_one_array(monkeypatch):
    asked = []

    def allocate(shape):
        asked.append(shape)
        return packing.allocate(shape)

    monkeypatch.setattr(join_sets, "allocate", allocate)
    join_stores({"a": make(["A"], (1,)), "b": make(["B", "C"], (1,))}, {})
    assert asked == [(6, 4, 4)]


def test_a_face_under_the_names_of_two_sets_is_never_on_both_sides():
    store = make(["A"], (1,))
    joined = join_stores({"disfa": store, "copy": store}, {"copy": "own"})
    with pytest.raises(ConfigurationError, match="copy/A_0.jpg of copy/A, who is tested on"):
        check_no_duplicate_images(joined.table, ["disfa/A"], ["copy/A"], joined.faces)


def test_a_label_that_a_join_left_empty_is_missing():
    table = make(["A"], (1,)).table.assign(AU02=[np.nan, 1.0])
    assert FaceStore(np.zeros((2, 4, 4), np.uint8), table, (1, 2)).labels[:, 1].tolist() == [
        -1,
        1,
    ]
