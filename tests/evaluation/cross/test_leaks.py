"""People and faces of both sets, planted under any name, are found."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest

from action_units.errors import ConfigurationError
from action_units.evaluation.cross.leaks import (
    check_no_shared_faces,
    check_target,
    face_hashes,
    unseen_subjects,
)
from action_units.faces.store import FaceStore

FOLDS = {1: ("SN002", "SN003"), 2: ("SN001", "SN003"), 3: ("SN001", "SN002")}
DISFA = ("SN001", "SN002", "SN003")
NEW = ("P1", "P2")


def unseen(target, subjects, people, known=FOLDS, everybody=DISFA, coded="disfa"):
    return unseen_subjects(target, subjects, known, everybody, coded, people)


# ------------------------------------------------------------------- the target


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            None,
            r"add `--params on=NAME`, a set that disfa does not contain; there are bp4d, st",
        ),
        ("disfa", r"were trained on disfa, .* `again` tests them on the subjects of disfa"),
    ],
)
def test_a_target_that_is_no_other_set_is_refused(target, message):
    with pytest.raises(ConfigurationError, match=message):
        check_target(target, "disfa", ["bp4d", "disfa", "studio"], "`again`")


def test_another_set_is_taken_and_neither_part_of_a_joint_run():
    sets = ["bp4d", "disfa", "studio"]
    assert check_target("bp4d", "disfa+studio", sets, "") == "bp4d"
    with pytest.raises(ConfigurationError, match="were trained on studio"):
        check_target("studio", "disfa+studio", sets, "")


# ----------------------------------------------------------------------- people


def test_people_whom_no_network_has_seen_are_tested_by_every_one():
    assert unseen("studio", [*NEW, *NEW], {}) == dict.fromkeys((1, 2, 3), NEW)


def test_the_same_people_are_tested_only_by_the_fold_that_tested_them():
    people = {"disfa": None, "disfa_plus": "disfa"}
    tested = unseen("disfa_plus", [*DISFA, "P1"], people)
    assert tested == {1: ("P1", "SN001"), 2: ("P1", "SN002"), 3: ("P1", "SN003")}


@pytest.mark.parametrize(
    "people",
    [
        {"disfa": "disfa_plus"},
        {"disfa": "disfa_plus", "disfa_plus": "disfa"},
        {"disfa": "films", "disfa_plus": "films"},
        {"disfa": "a", "a": "b", "disfa_plus": "b"},
    ],
)
def test_whichever_set_says_so_and_by_whatever_way(people):
    assert unseen("disfa_plus", DISFA, people) == {1: DISFA[:1], 2: DISFA[1:2], 3: DISFA[2:]}


def test_a_fold_that_has_seen_everybody_is_left_out():
    people = {"disfa_plus": "disfa"}
    assert set(unseen("disfa_plus", ["SN002"], people)) == {2}


def test_nobody_who_is_new_is_refused():
    people = {"disfa_plus": "disfa"}
    known = {1: FOLDS[1]}
    with pytest.raises(ConfigurationError, match="nobody of disfa_plus is new .*disfa: all 2"):
        unseen("disfa_plus", ["SN002", "SN003"], people, known=known)


@pytest.mark.parametrize("people", [{}, {"disfa": None, "studio": "films"}])
def test_equal_names_that_nobody_explains_are_refused(people):
    with pytest.raises(
        ConfigurationError, match=r"studio and disfa both have a subject SN003.*studio\.people"
    ):
        unseen("studio", [*NEW, "SN003"], people)


def test_a_name_that_only_a_fold_tests_counts_too():
    with pytest.raises(ConfigurationError, match="SN001"):
        unseen("studio", ["SN001"], {}, known={1: FOLDS[1]})


@pytest.mark.parametrize("people", [{"studio": "own"}, {"disfa": "own"}])
def test_equal_names_of_others_are_other_people(people):
    assert unseen("studio", DISFA, people) == dict.fromkeys((1, 2, 3), DISFA)


def test_people_of_a_joint_run_are_known_by_set_and_name():
    known = {1: ("disfa/SN001", "studio/P1"), 2: ("disfa/SN002", "studio/P2")}
    everybody = [who for fold in known.values() for who in fold]
    people = {"disfa_plus": "disfa", "studio": "own"}
    tested = unseen(
        "disfa_plus", ["SN001", "SN002", "P1"], people, known, everybody, "disfa+studio"
    )
    assert tested == {1: ("P1", "SN002"), 2: ("P1", "SN001")}


# ------------------------------------------------------------------------ faces


def store(name, n=6, size=8):
    faces = np.random.default_rng([len(name), n]).integers(0, 255, (n, size, size), np.uint8)
    table = pd.DataFrame(
        {
            "image": [f"{name}_{row}.jpg" for row in range(n)],
            "subject": [f"{name}{row // 3}" for row in range(n)],
            "sha256": [f"{name}{row:060x}" for row in range(n)],
            "AU12": 0,
        }
    )
    return FaceStore(faces, table, (12,))


def check(known, tested):
    check_no_shared_faces(
        face_hashes(known), face_hashes(tested), "known", "new", "is trained on"
    )


def test_faces_that_differ_are_taken():
    check(store("a"), store("bb"))


@pytest.mark.parametrize("kind", ["file", "pixels"])
def test_the_same_face_is_found_whatever_it_is_called(kind):
    known, tested = store("a"), store("bb")
    if kind == "file":
        tested.table.loc[4, "sha256"] = known.table.loc[1, "sha256"]
    else:
        tested.faces[4] = known.faces[1]
    with pytest.raises(
        ConfigurationError,
        match=rf"bb_4.jpg of bb1 in new, .* as a_1.jpg of a0 in known.*the {kind}.*pictures: 1",
    ):
        check(known, tested)


def test_a_crop_of_one_tone_and_a_missing_hash_are_no_face():
    known, tested = store("a"), store("bb")
    known.faces[1] = tested.faces[4] = 0
    known.table.loc[1, "sha256"] = tested.table.loc[4, "sha256"] = "same"
    known.table.loc[2, "sha256"] = tested.table.loc[5, "sha256"] = ""
    check(known, tested)


def test_hashes_of_pixels_do_not_depend_on_the_array_s_layout():
    one = store("a")
    turned = np.asfortranarray(one.faces)
    other = FaceStore(turned, one.table.drop(columns="sha256"), one.aus)
    assert face_hashes(one)["pixels"].tolist() == face_hashes(other)["pixels"].tolist()
    assert set(face_hashes(other)["file"]) == {""}
    assert all(a != b for a, b in permutations(face_hashes(one)["pixels"], 2))
