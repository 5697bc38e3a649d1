"""Folds that must not be averaged, and what the reader of others is told."""

import dataclasses

import pytest

from action_units.errors import ConfigurationError
from action_units.evaluation.fold_checks import check_folds_agree, warnings_of
from tests.evaluation.made_up import from_scratch, made_up_fold


@pytest.fixture(scope="module")
def folds():
    return [made_up_fold(n) for n in (1, 2, 3)]


def test_folds_of_one_run_pass_without_a_word(folds):
    check_folds_agree(folds)
    assert list(warnings_of(folds, 3)) == []


@pytest.mark.parametrize(
    ("key", "value", "what"),
    [
        ("config_hash", "other", "configurations"),
        ("data_sha256", "other", "data"),
        ("recipe", {"batch_size": 64}, "recipes"),
        ("packages", {"torch": "3"}, "package versions"),
    ],
)
def test_folds_run_differently_are_told(folds, key, value, what):
    odd = dataclasses.replace(folds[2], provenance={**folds[2].provenance, key: value})
    (warning,) = warnings_of([*folds[:2], odd], 3)
    assert warning.startswith(f"The folds were run with different {what}")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"protocol": "fg2020"}, "their protocol differs, standard and fg2020"),
        ({"rendered": False}, "their rendered differs"),
        ({"fold": 1}, "fold 1 is given twice"),
    ],
)
def test_folds_that_must_not_be_averaged_are_refused(folds, change, sentence):
    odd = dataclasses.replace(folds[1], **change)
    with pytest.raises(ConfigurationError, match=sentence):
        check_folds_agree([folds[0], odd])


def test_folds_with_other_aus_are_refused(folds):
    with pytest.raises(ConfigurationError, match="their aus differs"):
        check_folds_agree([folds[0], made_up_fold(2, aus=(1, 12))])


def test_a_subject_tested_twice_is_refused(folds):
    again = dataclasses.replace(folds[0], fold=2)
    with pytest.raises(ConfigurationError, match="SN001 is tested in fold 1 and in fold 2"):
        check_folds_agree([folds[0], again])


def test_no_folds_say_how_to_get_some():
    with pytest.raises(ConfigurationError, match="kedro run --pipeline evaluate"):
        check_folds_agree([])


def test_a_fold_that_was_not_pre_trained_is_not_averaged_with_others(folds):
    with pytest.raises(ConfigurationError, match="their pretrained differs, True and False"):
        check_folds_agree([folds[0], from_scratch(folds[1])])
