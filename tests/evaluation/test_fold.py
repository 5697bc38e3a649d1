"""A fold's AU report against scikit-learn, on disk and back, and the folds that are refused."""

import io
import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from action_units.csv_text import to_csv
from action_units.errors import ArtifactError, ConfigurationError
from action_units.evaluation import bootstrap
from action_units.evaluation.fold import (
    FoldEvaluation,
    ModelEvaluation,
    au_report,
    evaluate_predictions,
    from_records,
    reasons,
    to_records,
)
from action_units.evaluation.metrics import Confusion, average_sets
from action_units.evaluation.predictions import Predictions
from action_units.evaluation.subject_statistics import METRICS
from action_units.labels.action_units import AU_NAMES, DISFA_AUS, EIGHT_AUS, au_column
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
    assert one.subject_counts.subjects == other.subject_counts.subjects
    for part in ("tp", "fp", "fn", "tn"):
        ours, theirs = (getattr(model.subject_counts.counts, part) for model in (one, other))
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
    assert found.subject_counts.subjects == GROUPS[0]
    counts = found.subject_counts.counts
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
    for name in (
        "fold",
        "protocol",
        "n_folds",
        "sets",
        "rendered",
        "train",
        "validation",
        "test",
        "provenance",
    ):
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
    people = change(fold.scratch.subject_counts, fold.scratch.subject_counts.counts)
    with pytest.raises(ConfigurationError, match="different subjects, frames or labels"):
        replace(fold, scratch=replace(fold.scratch, subject_counts=people))


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


THRESHOLDS = np.linspace(0.3, 0.6, len(DISFA_AUS))


def report_of(predictions: pd.DataFrame, **options):
    return au_report(Predictions.read(predictions, THRESHOLDS), THRESHOLDS, **options)


def test_each_row_is_what_scikit_learn_says():
    predictions = made_up_predictions()
    table, _, _ = report_of(predictions)
    assert table["au"].tolist() == list(DISFA_AUS)
    assert table["name"].tolist() == [AU_NAMES[au] for au in DISFA_AUS]
    for row, threshold in zip(table.itertuples(), THRESHOLDS, strict=True):
        y = predictions[au_column(row.au)].to_numpy()
        p = predictions[f"{au_column(row.au)}_p"].to_numpy(np.float64)
        y, p = y[y >= 0], p[y >= 0]
        hat = p >= threshold
        expected = {
            "n": y.size,
            "support": y.sum(),
            "n_subjects": 3,
            "prevalence": y.mean(),
            "threshold": threshold,
            "precision": sk.precision_score(y, hat),
            "recall": sk.recall_score(y, hat),
            "f1": sk.f1_score(y, hat),
            "f1_at_half": sk.f1_score(y, p >= 0.5),
            "balanced_accuracy": sk.balanced_accuracy_score(y, hat),
            "mcc": sk.matthews_corrcoef(y, hat),
            "auc": sk.roc_auc_score(y, p),
            "average_precision": sk.average_precision_score(y, p),
            "brier": sk.brier_score_loss(y, p),
            "floor_f1": sk.f1_score(y, np.ones_like(y)),
        }
        for name, value in expected.items():
            assert getattr(row, name) == pytest.approx(value, abs=1e-12), (row.au, name)
        for name in ("f1", "auc", "average_precision", "mcc", "f1_event", "brier", "recall"):
            low, high = getattr(row, f"{name}_low"), getattr(row, f"{name}_high")
            assert low <= getattr(row, name) <= high, (row.au, name)
            assert getattr(row, f"{name}_kept") == 1000
        assert row.n_subjects_with_positives == 3


def test_every_measure_stands_in_the_table_and_in_its_averages():
    table, averages, _ = report_of(made_up_predictions())
    for name in METRICS:
        for column in (name, f"{name}_low", f"{name}_high", f"{name}_kept"):
            assert column in table, column
            assert column in averages, column
        assert f"{name}_defined" in averages


def test_an_au_that_nobody_shows_is_undefined_and_says_why():
    table, averages, _ = report_of(made_up_predictions(absent=[5]))
    row = table.set_index("au").loc[5]
    undefined = ["recall", "f1", "f1_at_half", "f1_event", "mcc", "auc", "average_precision"]
    assert row[[*undefined, "f1_low", "auc_low", "floor_f1"]].isna().all()
    assert row["support"] == row["prevalence"] == row["auc_kept"] == 0
    assert row["precision"] == 0  # false alarms are wrong whether or not it is ever shown
    assert math.isnan(row["precision_low"])  # though nobody tells how people differ
    assert row["brier_low"] < row["brier"] < row["brier_high"]
    why = reasons(row)
    assert {why[name] for name in undefined} == {"no positive frame"}
    assert why["icc"] == "no intensities, coded or estimated"
    assert "precision" not in why
    defined = averages.set_index("average").loc["12 AUs"]
    assert (defined["auc_defined"], defined["precision_defined"], defined["icc_defined"]) == (
        11,
        12,
        0,
    )


def test_an_au_that_one_person_shows_has_no_interval():
    predictions = made_up_predictions()
    predictions.loc[predictions["subject"] != "SN001", "AU12"] = 0
    row = report_of(predictions)[0].set_index("au").loc[12]
    assert row["n_subjects_with_positives"] == 1
    assert not math.isnan(row["f1"])
    assert row[["f1_low", "f1_high", "auc_low", "mcc_high"]].isna().all()
    # Resamples without this person have no positive frame: they are dropped, and counted.
    assert row["f1_kept"] == row["auc_kept"] < 1000
    assert row["brier_kept"] == 1000


def test_averages_tell_how_many_aus_are_defined():
    predictions = made_up_predictions(absent=[5, 12])  # 12 is one of the eight
    table, averages, _ = report_of(predictions)
    averages = averages.set_index("average")
    assert averages["n_aus"].to_dict() == {"8 AUs": 8, "12 AUs": 12}
    assert averages["n_defined"].to_dict() == {"8 AUs": 7, "12 AUs": 10}
    by_au = dict(zip(table["au"], table["f1"], strict=True))
    eight = [by_au[au] for au in EIGHT_AUS if au != 12]
    twelve = [by_au[au] for au in DISFA_AUS if au not in (5, 12)]
    assert averages.loc["8 AUs", "f1"] == pytest.approx(math.fsum(eight) / 7, abs=1e-12)
    assert averages.loc["12 AUs", "f1"] == pytest.approx(math.fsum(twelve) / 10, abs=1e-12)
    assert averages.loc["12 AUs", "brier"] == pytest.approx(table["brier"].mean(), abs=1e-12)
    assert (averages["f1_low"] < averages["f1"]).all()
    assert (averages["f1"] < averages["f1_high"]).all()


def test_the_interval_of_an_average_is_that_of_the_mean_in_each_resample():
    predictions = made_up_predictions()
    _, averages, statistics = report_of(predictions, seed=(4,), n_resamples=200)
    times = bootstrap.resample(3, (4,), 200)
    for name in ("f1", "auc", "ece"):
        means = statistics.weighted(times)[name].mean(axis=1)
        low, high = np.quantile(means, [0.025, 0.975])
        row = averages.set_index("average").loc["12 AUs"]
        assert row[f"{name}_low"] == pytest.approx(low, abs=1e-12)
        assert row[f"{name}_high"] == pytest.approx(high, abs=1e-12)


def test_averages_of_one_person_have_no_interval():
    _, averages, _ = report_of(made_up_predictions(["SN001"]))
    ends = [f"{name}_{end}" for name in ("f1", "auc", "brier") for end in ("low", "high")]
    assert averages[ends].isna().all(axis=None)
    assert averages["f1"].notna().all()


def test_no_frames_make_a_table_of_undefined_figures():
    table, _, _ = report_of(made_up_predictions().iloc[:0])
    assert table[["f1", "auc", "brier", "prevalence", "f1_low"]].isna().all(axis=None)
    assert (table["n"] == 0).all()
    assert reasons(table.iloc[0])["f1"] == "not scored in any frame"


def table_of(predictions: pd.DataFrame) -> pd.DataFrame:
    return au_report(Predictions.read(predictions, [0.4] * 12), [0.4] * 12, n_resamples=20)[0]


def test_other_sets_of_aus_have_one_average():
    assert average_sets([1, 12]) == {"2 AUs": (1, 12)}
    assert average_sets(EIGHT_AUS) == {"8 AUs": EIGHT_AUS}
    assert list(average_sets(DISFA_AUS)) == ["8 AUs", "12 AUs"]


def test_csv_says_na_and_reads_back_as_the_same_table():
    table = table_of(made_up_predictions(absent=[5]))
    text = to_csv(table, undefined="n/a")
    assert ",n/a," in text
    assert "nan" not in text.lower().replace("n/a", "")
    pd.testing.assert_frame_equal(
        pd.read_csv(io.StringIO(text)).fillna({"why": ""}), table, check_dtype=False, rtol=1e-15
    )


def test_json_says_null_and_reads_back_as_the_same_table():
    predictions = made_up_predictions(absent=[5])
    table = table_of(predictions)
    text = json.dumps(to_records(table), allow_nan=False)
    rows = json.loads(text)
    assert rows[DISFA_AUS.index(5)]["f1"] is None
    assert rows[0]["threshold_fallback"] is False
    pd.testing.assert_frame_equal(from_records(rows), table, check_exact=True)


def test_a_column_that_is_nowhere_defined_stays_a_column_of_numbers():
    table = from_records([{"au": 1, "f1": None}, {"au": 2, "f1": None}])
    assert table["f1"].dtype == np.float64
    assert table["au"].dtype == np.int64
    assert from_records([]).empty


def test_reasons_are_taken_apart():
    row = {"why": "f1: no positive frame; mcc: never called present"}
    assert reasons(row) == {"f1": "no positive frame", "mcc": "never called present"}
    assert reasons({"why": ""}) == {}
