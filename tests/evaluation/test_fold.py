"""A fold on disk and back, and the folds that are refused."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from action_units.errors import ArtifactError, ConfigurationError
from action_units.evaluation.au_report import au_report
from action_units.evaluation.fold import (
    FoldEvaluation,
    ModelEvaluation,
    evaluate_predictions,
)
from action_units.evaluation.metrics import Confusion, PredictionError
from action_units.evaluation.predictions import Predictions
from tests.evaluation.made_up import (
    GROUPS,
    made_up_curve,
    made_up_fold,
    made_up_model,
    made_up_predictions,
    thresholds_at,
)


def turned(content: dict) -> dict:
    """Through real JSON text, which must not hold NaN."""
    return json.loads(json.dumps(content, allow_nan=False))


def assert_same_model(one: ModelEvaluation, other: ModelEvaluation) -> None:
    for table in ("au_table", "averages", "curve"):
        pd.testing.assert_frame_equal(
            getattr(one, table), getattr(other, table), check_exact=True
        )
    assert one.people.subjects == other.people.subjects
    for part in ("tp", "fp", "fn", "tn"):
        ours, theirs = (getattr(model.people.counts, part) for model in (one, other))
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype
    assert one.provenance == other.provenance


def test_the_evaluation_holds_the_tables_of_its_predictions():
    predictions = made_up_predictions()
    found = evaluate_predictions(predictions, thresholds_at(0.4), seed=(2,))
    expected, averages, _ = au_report(
        Predictions.read(predictions, [0.4] * 12), [0.4] * 12, seed=(2,)
    )
    pd.testing.assert_frame_equal(found.averages, averages)
    pd.testing.assert_frame_equal(found.au_table, expected)
    assert found.people.subjects == GROUPS[0]
    counts = found.people.counts
    np.testing.assert_array_equal(counts.support.sum(axis=0), expected["support"])
    np.testing.assert_array_equal(
        counts.tp.sum(axis=0) / (counts.tp + counts.fp).sum(axis=0), expected["precision"]
    )
    assert found.averages["average"].tolist() == ["8 AUs", "12 AUs"]
    assert found.curve.empty
    assert found.provenance == {}


def test_a_model_makes_the_round_trip():
    model = made_up_model(1, absent=[5])
    assert_same_model(ModelEvaluation.from_json(turned(model.to_json())), model)


def test_a_model_without_a_curve_makes_the_round_trip():
    model = evaluate_predictions(made_up_predictions(), thresholds_at(0.5))
    assert_same_model(ModelEvaluation.from_json(turned(model.to_json())), model)


def test_a_curve_with_epochs_not_validated_makes_the_round_trip():
    curve = made_up_curve()
    curve.loc[[0, 2], ["validation_loss", "validation_macro_f1"]] = np.nan
    model = replace(made_up_model(1), curve=curve)
    assert_same_model(ModelEvaluation.from_json(turned(model.to_json())), model)


@pytest.mark.parametrize("scratch", [False, True])
def test_a_fold_makes_the_round_trip(scratch):
    fold = made_up_fold(2, scratch=scratch, absent=[5])
    back = FoldEvaluation.from_json(turned(fold.to_json()))
    for name in ("fold", "protocol", "rendered", "train", "validation", "test", "provenance"):
        assert getattr(back, name) == getattr(fold, name), name
    assert list(back.models) == ["finetuned", "scratch"][: 1 + scratch]
    for name, model in fold.models.items():
        assert_same_model(back.models[name], model)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content.pop("models"),
        lambda content: content["models"].pop("finetuned"),
        lambda content: content["models"]["finetuned"].pop("subject_counts"),
        lambda content: content["models"]["finetuned"]["subject_counts"]["tp"][0].pop(),
        lambda content: content["subjects"].update(nobody=[]),
        lambda content: content.update(provenance=None),
        lambda content: content.update(fold="first"),
    ],
)
def test_a_file_of_another_version_is_refused_in_one_sentence(damage):
    content = turned(made_up_fold(1).to_json())
    damage(content)
    with pytest.raises(ArtifactError, match="evaluation of a fold cannot be read"):
        FoldEvaluation.from_json(content)


@pytest.mark.parametrize("part", ["train", "validation"])
def test_a_subject_on_both_sides_is_refused(part):
    fold = made_up_fold(1)
    sides = {part: (*getattr(fold, part), "SN002")}
    with pytest.raises(ConfigurationError, match=r"fold 1 .* tests on SN002, who is also"):
        replace(fold, **sides)


def test_a_leak_in_the_file_is_refused_too():
    content = turned(made_up_fold(1).to_json())
    content["subjects"]["train"].append("SN003")
    with pytest.raises(ConfigurationError, match="tests on SN003"):
        FoldEvaluation.from_json(content)


def test_an_evaluation_on_others_than_the_test_subjects_is_refused():
    fold = made_up_fold(1)
    with pytest.raises(ConfigurationError, match="evaluated on SN004, who is not among"):
        replace(fold, finetuned=made_up_model(2))


def test_networks_with_different_aus_are_refused():
    with pytest.raises(ConfigurationError, match="different AUs"):
        replace(made_up_fold(1), scratch=made_up_model(1, aus=(1, 12)))


def one_more(part: np.ndarray, by: int = 1) -> np.ndarray:
    """The counts with one frame more of the first subject and AU."""
    changed = part.copy()
    changed[0, 0] += by
    return changed


@pytest.mark.parametrize(
    "change",
    [
        lambda people, c: replace(people, counts=replace(c, tn=one_more(c.tn))),
        lambda people, c: replace(
            people, counts=replace(c, tn=one_more(c.tn, -1), fn=one_more(c.fn))
        ),
        lambda people, c: replace(people, subjects=people.subjects[::-1]),
        lambda people, c: replace(
            people,
            subjects=people.subjects[:2],
            counts=Confusion(c.tp[:2], c.fp[:2], c.fn[:2], c.tn[:2]),
        ),
    ],
    ids=["other frames", "other labels", "other subjects", "fewer subjects"],
)
def test_networks_with_different_tests_are_refused(change):
    fold = made_up_fold(1, scratch=True)
    people = change(fold.scratch.people, fold.scratch.people.counts)
    with pytest.raises(ConfigurationError, match="different subjects, frames or labels"):
        replace(fold, scratch=replace(fold.scratch, people=people))


def test_predictions_without_subjects_are_refused():
    with pytest.raises(PredictionError, match="no column 'subject'"):
        evaluate_predictions(made_up_predictions().drop(columns="subject"), thresholds_at(0.5))


def test_thresholds_of_another_number_of_aus_are_refused():
    with pytest.raises(PredictionError, match="3 thresholds for 12 AUs"):
        evaluate_predictions(made_up_predictions(), thresholds_at(0.5, 3))


def test_thresholds_of_a_tested_subject_are_refused():
    leaked = replace(thresholds_at(0.5), fitted_on=("SN007", "SN002"))
    with pytest.raises(
        ConfigurationError, match="the thresholds: chosen on SN002, who is tested"
    ):
        evaluate_predictions(made_up_predictions(), leaked)


@pytest.mark.parametrize(
    ("part", "sentence"),
    [("train", "tests on SN003, who is also"), ("validation", "epoch: chosen on SN003")],
)
def test_a_network_that_knows_a_tested_subject_is_refused(part, sentence):
    provenance = {"subjects": {"train": ["SN008"], "validation": ["SN009"]}}
    provenance["subjects"][part].append("SN003")
    with pytest.raises(ConfigurationError, match=sentence):
        evaluate_predictions(made_up_predictions(), thresholds_at(0.5), provenance=provenance)
