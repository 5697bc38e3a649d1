"""Fold protocols, protocols of several sets, and the draw of validation subjects."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from action_units.errors import ConfigurationError
from action_units.labels.folds import (
    DISFA_SUBJECTS,
    FG2020,
    STANDARD,
    FoldProtocol,
    check_folds,
    join_protocols,
    split_subjects,
)

PROTOCOLS = {protocol.name: protocol for protocol in (FG2020, STANDARD)}


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
def test_each_subject_is_tested_once(protocol):
    tested = [s for fold in protocol.folds for s in protocol.test_subjects(fold)]
    assert sorted(tested) == sorted(set(tested)) == list(DISFA_SUBJECTS)
    assert [len(protocol.test_subjects(fold)) for fold in (1, 2, 3)] == [9, 9, 9]
    assert not {"SN014", "SN015", "SN019", "SN020", "SN022"} & set(DISFA_SUBJECTS)


@given(
    name=st.sampled_from(sorted(PROTOCOLS)),
    fold=st.integers(1, 3),
    seed=st.integers(0, 2**32),
    n_validation=st.integers(1, 17),
    order=st.permutations(DISFA_SUBJECTS),
)
def test_a_split_is_disjoint_whole_and_independent_of_the_order(
    name, fold, seed, n_validation, order
):
    protocol = PROTOCOLS[name]
    split = split_subjects(protocol, fold, order, n_validation, seed)
    assert sorted(split.train + split.validation + split.test) == list(DISFA_SUBJECTS)
    assert split.test == tuple(sorted(protocol.test_subjects(fold)))
    assert len(split.validation) == n_validation
    assert split == split_subjects(protocol, fold, DISFA_SUBJECTS * 2, n_validation, seed)


def test_the_draw_depends_on_seed_fold_and_protocol():
    draws = {
        (name, fold, seed): split_subjects(protocol, fold, DISFA_SUBJECTS, 4, seed).validation
        for name, protocol in PROTOCOLS.items()
        for fold in (1, 2, 3)
        for seed in range(3)
    }
    assert len(set(draws.values())) == len(draws)


def test_the_draws_of_finished_runs_are_the_same_for_ever():
    def drawn(protocol, fold):
        return " ".join(split_subjects(protocol, fold, DISFA_SUBJECTS, 5, 20).validation)

    assert drawn(FG2020, 1) == "SN011 SN017 SN024 SN029 SN030"
    assert drawn(FG2020, 3) == "SN003 SN004 SN005 SN012 SN016"
    assert drawn(STANDARD, 2) == "SN005 SN007 SN010 SN023 SN027"


def test_the_draw_is_the_same_in_another_process():
    code = (
        "from action_units.labels.folds import *;"
        "print(split_subjects(FG2020, 2, DISFA_SUBJECTS, 4, 7).validation)"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            check=True,
            env=os.environ | {"PYTHONHASHSEED": h},
        ).stdout
        for h in ("1", "2")
    }
    assert len(runs) == 1
    here = split_subjects(FG2020, 2, DISFA_SUBJECTS, 4, 7).validation
    assert runs == {f"{here}\n".encode()}


def test_absent_subjects_are_left_out():
    split = split_subjects(FG2020, 1, ["SN002", "SN001", "SN003", "SN008"], 1, 0)
    assert split.test == ("SN002",)
    assert sorted(split.train + split.validation) == ["SN001", "SN003", "SN008"]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        ((FG2020, 4, DISFA_SUBJECTS, 3, 0), "fold 4 does not exist: protocol 'fg2020' has "
         "folds 1 to 3."),
        ((FG2020, 0, DISFA_SUBJECTS, 3, 0), "fold 0 does not exist"),
        ((FoldProtocol("one", (("a",),), ("b", "c")), 2, "abc", 1, 0),
         "fold 2 does not exist: protocol 'one' has fold 1."),
        ((FG2020, 1, ["SN001", "SN003"], 1, 0), "the data has none of them; it has"),
        ((FG2020, 1, ["SN002", "SN001"], 1, 0), "leaves 1 subjects"),
        ((FG2020, 1, DISFA_SUBJECTS, 0, 0), "at least 1 is needed"),
        ((FG2020, 1, [*DISFA_SUBJECTS, "SN014"], 3, 0),
         "'SN014' belongs to no fold of protocol 'fg2020', which names 27 subjects, SN001 to"),
        ((FG2020, 1, ["anna", "ben"], 1, 0),
         "'fg2020' names nobody of the data: it names SN001, SN002, SN003, SN004, SN005, SN006, "
         "SN007, SN008, SN009 and 18 more, and the data has anna and ben"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_a_sentence(call, sentence):
    with pytest.raises(ConfigurationError) as error:
        split_subjects(*call)
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("protocol", "subjects", "folds", "n", "words"),
    [
        (FG2020, ["SN001", "SN002", "SN003"], (1, 2, 3), 5,
         ["fold 1 of protocol 'fg2020' leaves 2 subjects",
          "add `fold=1,finetune.validation_subjects=1` to --params"]),
        (FG2020, ["SN001", "SN002", "SN003", "SN005"], (3,), 1,
         ["fold 3 of protocol 'fg2020' tests on", "add `fold=1` or `fold=2` to --params"]),
        (FG2020, ["SN001", "SN002", "SN003", "SN008"], (1, 2, 3), 5,
         ["fold 1 of protocol", "add `finetune.validation_subjects=1` to --params"]),
        (STANDARD, ["SN001", "SN002"], (1,), 1, ["No fold of it can be trained"]),
        (FG2020, list(np.array(["SN001", "SN014", "SN003", "SN002"])), (1,), 1,
         ["subject 'SN014' belongs to no fold"]),
    ],
)  # fmt: skip
def test_folds_without_subjects_are_refused_and_the_way_on_is_one(
    protocol, subjects, folds, n, words
):
    with pytest.raises(ConfigurationError) as error:
        check_folds(protocol, folds, subjects, n)
    for word in words:
        assert word in str(error.value)
    for way in re.findall("`(fold=.*?|finetune.*?)`", str(error.value)):
        said = dict(part.rsplit("=", 1) for part in way.split(","))
        allowed = [int(said["fold"])] if "fold" in said else folds
        held_out = int(said.get("finetune.validation_subjects", n))
        check_folds(protocol, allowed, subjects, held_out)


def test_folds_that_the_subjects_fill_are_not_refused():
    check_folds(STANDARD, (1, 2, 3), ["SN001", "SN002", "SN006", "SN003"], 1)
    check_folds(FG2020, (1, 2), ["SN001", "SN002", "SN006", "SN003"], 1)


TWO = FoldProtocol("two", (("a", "b"), ("c",)))
THREE = FoldProtocol("three", (("a",), ("b",), ("c", "d")), ("e",))


def test_fold_k_of_several_sets_tests_fold_k_of_each_and_a_set_without_it_trains():
    joint = join_protocols({"first": TWO, "second": THREE})
    assert (joint.name, joint.folds) == ("two+three", (1, 2, 3))
    assert joint.test_subjects(1) == ("first/a", "first/b", "second/a")
    assert joint.test_subjects(3) == ("second/c", "second/d")
    split = split_subjects(joint, 3, joint.subjects, 2, 0)
    assert {"first/a", "first/b", "first/c", "second/e"} <= {*split.train, *split.validation}
    assert join_protocols({"one": TWO, "two": TWO}).name == "two"


def test_a_person_of_two_sets_follows_the_set_that_names_them():
    named = {"plus": {name: f"first/{name}" for name in "abc"}}
    for order in (("plus", "first"), ("first", "plus")):
        protocols = {name: {"first": TWO, "plus": THREE}[name] for name in order}
        joint = join_protocols(protocols, named)
        assert joint.groups == (("first/a", "first/b"), ("first/c",), ("plus/d",))
        assert joint.training == ("plus/e",)


def test_a_fold_whose_people_all_follow_another_set_is_refused():
    named = {"plus": {name: f"first/{name}" for name in "abcde"}}
    all_known = FoldProtocol("first", (("a", "b"), ("c", "d", "e")))
    joint = join_protocols({"first": all_known, "plus": THREE}, named)
    with pytest.raises(ConfigurationError, match="fold 3 .* tests nobody: those whom it names"):
        split_subjects(joint, 3, joint.subjects, 1, 0)


groups = st.lists(st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=4), max_size=4)


def protocol_of(groups):
    left, kept = set("abcdefgh"), []
    for group in groups:
        kept.append(tuple(name for name in group if name in left))
        left -= set(group)
    return FoldProtocol("any", tuple(kept), tuple(sorted(left)))


@given(one=groups, other=groups, same=st.sets(st.sampled_from("abcdefgh")))
def test_nobody_of_several_sets_is_in_two_folds(one, other, same):
    parts = {"one": protocol_of(one), "other": protocol_of(other)}
    joint = join_protocols(parts, {"other": {name: f"one/{name}" for name in same}})
    assert len(set(joint.subjects)) == len(joint.subjects) == 16 - len(same)
    for k, group in enumerate(protocol_of(one).groups):
        assert {f"one/{name}" for name in group} <= set(joint.groups[k])


def test_validation_subjects_come_from_each_set_by_its_size():
    big = FoldProtocol("big", (("x",),), tuple(f"s{k:02d}" for k in range(20)))
    small = FoldProtocol("small", (("x",),), tuple("abcde"))
    joint = join_protocols({"big": big, "small": small})
    drawn = {split_subjects(joint, 1, joint.subjects, 5, seed).validation for seed in range(9)}
    assert len(drawn) > 1
    for validation in drawn:
        assert [name.partition("/")[0] for name in validation] == ["big"] * 4 + ["small"]
