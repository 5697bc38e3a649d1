"""A run put together from its folds: its table, its warnings, what it refuses."""

import dataclasses
import json
import math

import numpy as np
import pandas as pd
import pytest

from action_units.errors import ConfigurationError
from action_units.evaluation.summary import summarise
from action_units.facs.action_units import DISFA_AUS
from tests.evaluation.made_up import made_up_fold


@pytest.fixture(scope="module")
def folds():
    return [made_up_fold(n, scratch=True, absent=[5]) for n in (1, 2, 3)]


def test_the_table_says_what_the_folds_said(folds):
    summary = summarise(reversed(folds))
    table = summary.table().set_index("name")
    assert list(table.index) == [*(f"AU{au:02d}" for au in DISFA_AUS), "8 AUs", "12 AUs"]
    by_fold = {
        f"fold{fold.fold}": [*fold.finetuned.au_table["f1"], *fold.finetuned.averages["f1"]]
        for fold in folds
    }
    expected = pd.DataFrame(by_fold, index=table.index)
    pd.testing.assert_frame_equal(table[list(by_fold)], expected, rtol=1e-12)
    np.testing.assert_allclose(table["mean_of_folds"], expected.mean(axis=1), rtol=1e-12)
    floors = pd.concat([fold.finetuned.au_table["floor_f1"] for fold in folds], axis=1)
    np.testing.assert_allclose(table["floor"][:12], floors.mean(axis=1), rtol=1e-12)
    scratch = pd.concat([fold.scratch.au_table["f1"] for fold in folds], axis=1).mean(axis=1)
    np.testing.assert_allclose(table["scratch_mean_of_folds"][:12], scratch, rtol=1e-12)
    np.testing.assert_allclose(
        table["difference"], table["mean_of_folds"] - table["scratch_mean_of_folds"], atol=1e-12
    )
    assert table.loc["AU05", ["mean_of_folds", "pooled", "floor"]].isna().all()
    assert table.loc["12 AUs", ["defined", "possible"]].tolist() == [33, 36]
    assert summary.warnings == ()


def test_the_summary_is_the_same_in_any_order(folds):
    assert summarise(folds).to_json() == summarise(folds[::-1]).to_json()
    assert summarise(folds, seed=1).to_json() != summarise(folds).to_json()


def test_its_json_is_plain(folds):
    content = json.loads(json.dumps(summarise(folds).to_json(), allow_nan=False))
    assert content["folds"] == [1, 2, 3]
    assert set(content["models"]) == {"finetuned", "scratch"}
    assert content["au_difference"]["5"]["value"] is None
    assert content["difference"]["8 AUs"]["low"] > 0


def test_missing_folds_are_told(folds):
    summary = summarise([folds[2], folds[0]])
    assert summary.warnings == (
        "2 of 3 folds are evaluated (fold 1, 3): the averages run over these alone.",
    )
    assert list(summary.scores["finetuned"].aus[1].by_fold) == [1, 3]
    assert "fold2" not in summary.table()


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
    (warning,) = summarise([*folds[:2], odd]).warnings
    assert warning.startswith(f"The folds were run with different {what}")


def test_scratch_is_compared_only_where_every_fold_has_it(folds):
    some = [*folds[:2], dataclasses.replace(folds[2], scratch=None)]
    summary = summarise(some)
    assert summary.warnings == (
        "Not every fold has a network trained from scratch, so none is compared.",
    )
    none = summarise([dataclasses.replace(fold, scratch=None) for fold in folds])
    assert none.warnings == ()
    for one in (summary, none):
        assert list(one.scores) == ["finetuned"]
        assert one.difference == one.au_difference == {}
        assert one.table()["difference"].isna().all()
        assert not math.isnan(one.table()["mean_of_folds"].iloc[-1])


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
        summarise([folds[0], odd])


def test_folds_with_other_aus_are_refused(folds):
    with pytest.raises(ConfigurationError, match="their aus differs"):
        summarise([folds[0], made_up_fold(2, aus=(1, 12))])


def test_a_subject_tested_twice_is_refused(folds):
    again = dataclasses.replace(folds[0], fold=2)
    with pytest.raises(ConfigurationError, match="SN001 is tested in fold 1 and in fold 2"):
        summarise([folds[0], again])


def test_no_folds_say_how_to_get_some():
    with pytest.raises(ConfigurationError, match="kedro run --pipeline evaluate"):
        summarise([])
