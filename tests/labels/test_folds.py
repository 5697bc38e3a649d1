"""Fold protocols and the draw of validation subjects."""

import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from action_units.errors import ConfigurationError
from action_units.labels.folds import (
    DISFA_SUBJECTS,
    PROTOCOLS,
    check_folds,
    fold_protocol,
    split_subjects,
)


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
def test_each_subject_is_tested_once(name):
    protocol = fold_protocol(name)
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
    split = split_subjects(name, fold, order, n_validation, seed)
    assert sorted(split.train + split.validation + split.test) == list(DISFA_SUBJECTS)
    assert split.test == tuple(sorted(fold_protocol(name).test_subjects(fold)))
    assert len(split.validation) == n_validation
    assert split == split_subjects(name, fold, DISFA_SUBJECTS * 2, n_validation, seed)


def test_the_draw_depends_on_seed_fold_and_protocol():
    draws = {
        (name, fold, seed): split_subjects(name, fold, DISFA_SUBJECTS, 4, seed).validation
        for name in PROTOCOLS
        for fold in (1, 2, 3)
        for seed in range(3)
    }
    assert len(set(draws.values())) == len(draws)


def test_the_draw_is_the_same_in_another_process():
    code = (
        "from action_units.labels.folds import *;"
        "print(split_subjects('fg2020', 2, DISFA_SUBJECTS, 4, 7).validation)"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            check=True,
            env={"PYTHONHASHSEED": h},
        ).stdout
        for h in ("1", "2")
    }
    assert len(runs) == 1
    here = split_subjects("fg2020", 2, DISFA_SUBJECTS, 4, 7).validation
    assert runs == {f"{here}\n".encode()}


def test_absent_subjects_are_left_out():
    split = split_subjects("fg2020", 1, ["SN002", "SN001", "SN003", "SN008"], 1, 0)
    assert split.test == ("SN002",)
    assert sorted(split.train + split.validation) == ["SN001", "SN003", "SN008"]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (("fg2020", 4, DISFA_SUBJECTS, 3, 0), "fold 4 does not exist: protocol 'fg2020' has "
         "folds 1, 2 and 3."),
        (("fg2020", 0, DISFA_SUBJECTS, 3, 0), "fold 0 does not exist"),
        (("x", 1, DISFA_SUBJECTS, 3, 0), "'x' does not exist: choose fg2020 or standard"),
        (("fg2020", 1, ["SN001", "SN003"], 1, 0), "the data has none of them; it has"),
        (("fg2020", 1, ["SN002", "SN001"], 1, 0), "leaves 1 subjects"),
        (("fg2020", 1, DISFA_SUBJECTS, 0, 0), "at least 1 is needed"),
        (("fg2020", 1, [*DISFA_SUBJECTS, "SN014"], 3, 0), "'SN014' belongs to no fold"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_a_sentence(call, sentence):
    with pytest.raises(ConfigurationError) as error:
        split_subjects(*call)
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("protocol", "subjects", "folds", "n", "words"),
    [
        ("fg2020", ["SN001", "SN002", "SN003"], (1, 2, 3), 5,
         ["fold 1 of protocol 'fg2020' leaves 2 subjects",
          "add `fold=1,finetune.validation_subjects=1` to --params"]),
        ("fg2020", ["SN001", "SN002", "SN003", "SN005"], (3,), 1,
         ["fold 3 of protocol 'fg2020' tests on", "add `fold=1` or `fold=2` to --params"]),
        ("fg2020", ["SN001", "SN002", "SN003", "SN008"], (1, 2, 3), 5,
         ["fold 1 of protocol", "add `finetune.validation_subjects=1` to --params"]),
        ("standard", ["SN001", "SN002"], (1,), 1, ["No fold of it can be trained"]),
        ("fg2020", ["SN001", "SN014", "SN003", "SN002"], (1,), 1,
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
    for way in re.findall("`(.*?)`", str(error.value)):
        said = dict(part.rsplit("=", 1) for part in way.split(","))
        allowed = [int(said["fold"])] if "fold" in said else folds
        held_out = int(said.get("finetune.validation_subjects", n))
        check_folds(protocol, allowed, subjects, held_out)


def test_folds_that_the_subjects_fill_are_not_refused():
    check_folds("standard", (1, 2, 3), ["SN001", "SN002", "SN006", "SN003"], 1)
    check_folds("fg2020", (1, 2), ["SN001", "SN002", "SN006", "SN003"], 1)
