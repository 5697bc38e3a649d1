"""A run put together from its folds: its table, its warnings, what it refuses."""

import dataclasses
import json
import math

import numpy as np
import pandas as pd
import pytest

from action_units.errors import ArtifactError, ConfigurationError
from action_units.evaluation.subject_statistics import METRICS
from action_units.evaluation.summary import (
    RunSummary,
    check_folds_agree,
    summarise,
    warnings_of,
)
from action_units.labels.action_units import DISFA_AUS
from tests.evaluation.made_up import GROUPS, from_scratch, made_up_fold, made_up_predictions


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
    assert set(content["measures"]) == {"finetuned", "scratch"}
    gain = content["gains"]["f1"]
    assert gain["aus"]["5"]["mean_of_folds"]["value"] is None
    assert gain["averages"]["8 AUs"]["mean_of_folds"]["low"] > 0


def predictions_of(folds, scratch=0.1):
    """What the networks of `folds` were judged by."""
    return {
        name: {
            fold.fold: made_up_predictions(
                GROUPS[fold.fold - 1], seed=fold.fold, skill=skill, absent=[5]
            )
            for fold in folds
        }
        for name, skill in (("finetuned", 0.4), ("scratch", scratch))
    }


@pytest.fixture(scope="module")
def whole(folds):
    return summarise(folds, predictions=predictions_of(folds))


def test_with_predictions_every_figure_is_scored_over_the_folds(folds, whole):
    assert list(whole.metrics["finetuned"]) == list(METRICS)
    assert list(whole.gains) == list(METRICS)
    table = whole.metrics_table()
    assert len(table) == 2 * len(METRICS) * 14
    for name in ("auc", "average_precision", "ece", "f1_event"):
        for model in ("finetuned", "scratch"):
            rows = table[(table["measure"] == name) & (table["model"] == model)]
            for fold in folds:
                own = fold.models[model].au_table[name]
                np.testing.assert_allclose(rows[f"fold{fold.fold}"][:12], own, atol=1e-12)
    assert set(table.loc[table["name"] == "AU05", "why"]) >= {"no positive frame", ""}


def test_without_predictions_the_counted_figures_are_the_same(folds, whole):
    counted = summarise(folds)
    assert "auc" not in counted.metrics["finetuned"]
    assert list(counted.metrics["finetuned"]) == [
        "f1", "floor_f1", "f1_norm", "precision", "recall", "balanced_accuracy", "mcc",
        "prevalence",
    ]  # fmt: skip
    for name, scores in counted.metrics["finetuned"].items():
        assert str(scores) == str(whole.metrics["finetuned"][name])
    assert str(counted.gains["f1"]) == str(whole.gains["f1"])


def test_predictions_that_were_not_evaluated_are_refused(folds):
    with pytest.raises(
        ConfigurationError, match=r"fold 1 \(scratch\) differ from the evaluated ones"
    ):
        summarise(folds, predictions=predictions_of(folds, scratch=0.3))


def test_a_summary_makes_the_round_trip_without_being_computed_again(folds, whole):
    content = json.loads(json.dumps(whole.to_json(), allow_nan=False))
    back = RunSummary.from_json(content, folds[::-1])
    assert back.to_json() == whole.to_json()
    pd.testing.assert_frame_equal(back.table(), whole.table())
    assert back.folds == whole.folds


def test_a_summary_of_other_folds_or_versions_is_refused(folds, whole):
    content = whole.to_json()
    with pytest.raises(
        ArtifactError, match=r"summary is of folds \[1, 2, 3\], but folds \[1, 2\]"
    ):
        RunSummary.from_json(content, folds[:2])
    with pytest.raises(ArtifactError, match="cannot be read"):
        RunSummary.from_json({**content, "measures": {"finetuned": {"f1": {}}}}, folds)


def test_missing_folds_are_told(folds):
    summary = summarise([folds[2], folds[0]])
    assert summary.warnings == (
        "2 of 3 folds are evaluated (fold 1, 3): the averages run over these alone.",
    )
    assert list(summary.scores["finetuned"].aus[1].by_fold) == [1, 3]
    assert "fold2" not in summary.table()


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
        assert one.gains == {}
        assert one.table()["difference"].isna().all()
        assert not math.isnan(one.table()["mean_of_folds"].iloc[-1])


def test_folds_of_one_run_pass_without_a_word(folds):
    check_folds_agree(folds)
    assert list(warnings_of(folds)) == []


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
    (warning,) = warnings_of([*folds[:2], odd])
    assert warning.startswith(f"The folds were run with different {what}")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"protocol": "fg2020"}, "their protocol differs, standard and fg2020"),
        ({"rendered": False, "provenance": {"data_sha256": "other"}}, "their rendered differs"),
        ({"fold": 1}, "fold 1 is given twice"),
    ],
)
def test_folds_that_must_not_be_averaged_are_refused(folds, change, sentence):
    odd = dataclasses.replace(folds[1], **change)
    with pytest.raises(ConfigurationError, match=sentence):
        check_folds_agree([folds[0], odd])


def test_of_several_sets_one_may_be_rendered(folds):
    """A fold may test the people of the other set alone."""
    odd = dataclasses.replace(folds[1], rendered=False)
    check_folds_agree([folds[0], odd])
    assert summarise([odd, *folds[2:]]).rendered


def test_folds_with_other_aus_are_refused(folds):
    with pytest.raises(ConfigurationError, match="their aus differs"):
        check_folds_agree([folds[0], made_up_fold(2, aus=(1, 12), scratch=True)])


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
