"""Fold protocols as settings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from action_units.config import ChosenProtocols, ProtocolSettings, SetProtocol
from action_units.errors import ConfigurationError
from action_units.labels.balance import SubjectLabels
from tests.labels.test_balance import planted

LABELS = SubjectLabels.of(*planted(n_subjects=7))


def read(**values):
    return ProtocolSettings.read(values, "protocols.mine")


def chosen(**protocols):
    return ChosenProtocols(
        sets={
            name: SetProtocol(name=f"{name}_folds", settings=one)
            for name, one in protocols.items()
        }
    )


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "exactly one of folds, k_fold, leave_one_subject_out, hold_out, but this one has "
         "none of them."),
        ({"k_fold": {"folds": 3}, "folds": [["a"]]}, "but this one has folds and k_fold."),
        ({"folds": []}, "protocols.mine.folds: a protocol has at least one fold."),
        ({"folds": [["a"], []]}, "protocols.mine.folds[1]: a list of subjects has at least one."),
        ({"folds": [["a", "a"]]}, "protocols.mine.folds[0]: subject 'a' is listed twice"),
        ({"folds": [["a", "b"], ["c", "b"]]},
         "subject 'b' is tested in fold 1 and in fold 2; each subject is tested once."),
        ({"folds": [["a"], [7]]}, "protocols.mine.folds[1][0] is 7; it must be a subject's name "
         "as text (in quotes where it is a number: '7')."),
        ({"folds": ["a", "b"]}, "protocols.mine.folds[0] is 'a'; it must be a list."),
        ({"k_fold": {"folds": 1}}, "protocols.mine.k_fold.folds is 1; it must be a whole number"),
        ({"leave_one_subject_out": False},
         "protocols.mine.leave_one_subject_out is false; it must be true, or null."),
        ({"hold_out": {"share": 1.0}}, "share"),
        ({"hold_out": []}, "a list of subjects has at least one."),
        ({"kfold": 3}, "kfold is not a parameter. Did you mean protocols.mine.k_fold?"),
    ],
)  # fmt: skip
def test_a_wrong_protocol_is_named(values, sentence):
    with pytest.raises(ConfigurationError) as error:
        read(**values)
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("values", "sizes", "n_training"),
    [
        ({"folds": [["b", "a"], ["c"]]}, [2, 1], 0),
        ({"k_fold": {"folds": 3, "seed": 1}}, [3, 2, 2], 0),
        ({"leave_one_subject_out": True}, [1] * 7, 0),
        ({"hold_out": ["S01", "S05"]}, [2], 5),
        ({"hold_out": {"share": 0.3}}, [2], 5),
        ({"hold_out": {"share": 0.001}}, [1], 6),
    ],
)
def test_each_kind_is_resolved_from_the_subjects(values, sizes, n_training):
    settings = read(**values)
    protocol = settings.resolve("mine", LABELS)
    assert [len(group) for group in protocol.groups] == sizes
    assert len(protocol.training) == n_training
    assert (settings.n_folds or 7) == len(sizes)
    if "folds" not in values:
        assert protocol.subjects == LABELS.subjects


def test_fewer_subjects_than_folds_are_refused():
    with pytest.raises(ConfigurationError) as error:
        read(k_fold={"folds": 9}).resolve("mine", LABELS)
    assert str(error.value) == (
        "protocol 'mine' divides the subjects into 9 folds, but the data has 7; set "
        "protocols.mine.k_fold.folds to at most 7."
    )


@given(st.permutations(range(70)), st.integers(2, 7))
def test_folds_do_not_depend_on_the_order_of_frames(order, n_folds):
    subjects, labels = planted(n_subjects=7, frames=10)
    protocols = chosen(ours=read(k_fold={"folds": n_folds}))
    there = protocols.resolve(subjects, labels)
    again = protocols.resolve(subjects[order], labels[order])
    assert there == again
    assert there.subjects == tuple(f"S{k:02d}" for k in range(7))


def test_sets_are_resolved_each_by_itself_and_joined():
    subjects, labels = planted(n_subjects=5, frames=10)
    sets = np.repeat(["ours", "theirs"], len(subjects))
    named = np.char.add(np.char.add(sets, "/"), np.tile(subjects, 2))
    protocols = chosen(ours=read(k_fold={"folds": 2}), theirs=read(leave_one_subject_out=True))
    joint = protocols.resolve(named, np.tile(labels, (2, 1)), sets)
    alone = chosen(ours=read(k_fold={"folds": 2})).resolve(subjects, labels)
    assert protocols.name == joint.name == "ours_folds+theirs_folds"
    assert len(joint.folds) == protocols.n_folds({"theirs": 5}.__getitem__) == 5
    for k, group in enumerate(alone.groups):
        assert joint.groups[k] == (*(f"ours/{name}" for name in group), f"theirs/S{k:02d}")
    assert joint.groups[4] == ("theirs/S04",)
