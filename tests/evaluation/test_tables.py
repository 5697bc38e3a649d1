"""The AU table against an independent loop, its averages, and how both are written."""

import io
import json
import math

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from action_units.evaluation import bootstrap, tables
from action_units.evaluation.metrics import PredictionError
from action_units.facs.action_units import AU_NAMES, DISFA_AUS, EIGHT_AUS, au_column
from action_units.facs.label_tables import read_finetune_labels
from tests.evaluation.made_up import made_up_predictions

THRESHOLDS = np.linspace(0.3, 0.6, len(DISFA_AUS))


def table_of(predictions: pd.DataFrame, **options) -> pd.DataFrame:
    aus, labels, probabilities = tables.prediction_arrays(predictions)
    return tables.au_table(labels, probabilities, THRESHOLDS, aus, **options)


def test_each_row_is_what_scikit_learn_says():
    predictions = made_up_predictions()
    table = table_of(predictions, subjects=predictions["subject"])
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
        assert row.f1_low <= row.f1 <= row.f1_high
        assert row.n_subjects_with_positives == 3


def test_subjects_change_nothing_but_their_own_columns():
    predictions = made_up_predictions()
    without = table_of(predictions)
    of_people = ["n_subjects", "n_subjects_with_positives", "f1_low", "f1_high"]
    assert without[of_people].isna().all(axis=None)
    with_people = table_of(predictions, subjects=predictions["subject"])
    pd.testing.assert_frame_equal(
        with_people.drop(columns=of_people), without.drop(columns=of_people)
    )


def test_an_au_that_nobody_shows_is_undefined_in_the_table():
    predictions = made_up_predictions(absent=[5])
    row = table_of(predictions, subjects=predictions["subject"]).set_index("au").loc[5]
    undefined = ["recall", "f1", "f1_at_half", "f1_low", "auc", "average_precision", "floor_f1"]
    assert row[undefined].isna().all()
    assert row["support"] == row["prevalence"] == 0
    assert row["precision"] == 0  # false alarms are wrong whether or not it is ever shown


def test_averages_tell_how_many_aus_are_defined():
    predictions = made_up_predictions(absent=[5, 12])  # 12 is one of the eight
    table = table_of(predictions, subjects=predictions["subject"])
    _, labels, probabilities = tables.prediction_arrays(predictions)
    people = bootstrap.subject_counts(
        labels, probabilities >= THRESHOLDS, predictions["subject"]
    )
    averages = tables.averages_table(table, people).set_index("average")
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


def test_averages_of_one_person_have_no_interval():
    predictions = made_up_predictions(["SN001"])
    table = table_of(predictions, subjects=predictions["subject"])
    _, labels, probabilities = tables.prediction_arrays(predictions)
    people = bootstrap.subject_counts(
        labels, probabilities >= THRESHOLDS, predictions["subject"]
    )
    averages = tables.averages_table(table, people)
    assert averages[["f1_low", "f1_high"]].isna().all(axis=None)
    assert averages["f1"].notna().all()
    assert tables.averages_table(table)[["f1_low", "f1_high"]].isna().all(axis=None)


def test_other_sets_of_aus_have_one_average():
    assert tables.average_sets([1, 12]) == {"2 AUs": (1, 12)}
    assert tables.average_sets(EIGHT_AUS) == {"8 AUs": EIGHT_AUS}
    assert list(tables.average_sets(DISFA_AUS)) == ["8 AUs", "12 AUs"]


def test_no_frames_make_a_table_of_undefined_figures():
    predictions = made_up_predictions().iloc[:0]
    table = table_of(predictions, subjects=predictions["subject"])
    assert table[["f1", "auc", "brier", "prevalence", "f1_low"]].isna().all(axis=None)
    assert (table["n"] == 0).all()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"aus": DISFA_AUS[:3]}, "3 AUs and 12 thresholds for 12 columns"),
        ({"thresholds": [0.5]}, "12 AUs and 1 thresholds for 12 columns"),
        ({"subjects": ["SN001"]}, "1 subjects for 120 frames"),
    ],
)
def test_lengths_that_do_not_fit_are_refused(change, sentence):
    aus, labels, probabilities = tables.prediction_arrays(made_up_predictions())
    given = {"thresholds": THRESHOLDS, "aus": aus, **change}
    with pytest.raises(PredictionError, match=sentence):
        tables.au_table(labels, probabilities, **given)


def test_predictions_are_taken_apart_by_column_name():
    predictions = made_up_predictions(aus=(1, 12))
    shuffled = predictions[["AU12_p", "AU01", "frame", "AU01_p", "AU12", "subject", "image"]]
    aus, labels, probabilities = tables.prediction_arrays(shuffled, [12, 1])
    assert aus == (12, 1)
    np.testing.assert_array_equal(labels[:, 0], predictions["AU12"])
    np.testing.assert_array_equal(probabilities[:, 1], predictions["AU01_p"].astype(float))


@pytest.mark.parametrize("column", ["AU12", "AU12_p"])
def test_a_missing_column_is_named(column):
    predictions = made_up_predictions().drop(columns=column)
    with pytest.raises(PredictionError, match=f"no column '{column}'"):
        tables.prediction_arrays(predictions, DISFA_AUS)


def test_csv_says_na_and_reads_back_as_the_same_table():
    table = table_of(made_up_predictions(absent=[5]))
    text = tables.to_csv(table)
    assert ",n/a," in text
    assert "nan" not in text.lower().replace("n/a", "")
    pd.testing.assert_frame_equal(
        pd.read_csv(io.StringIO(text)), table, check_dtype=False, rtol=1e-15
    )


def test_json_says_null_and_reads_back_as_the_same_table():
    predictions = made_up_predictions(absent=[5])
    table = table_of(predictions, subjects=predictions["subject"])
    text = json.dumps(tables.to_records(table), allow_nan=False)
    rows = json.loads(text)
    assert rows[DISFA_AUS.index(5)]["f1"] is None
    assert rows[0]["threshold_fallback"] is False
    pd.testing.assert_frame_equal(tables.from_records(rows), table, check_exact=True)


def test_a_column_that_is_nowhere_defined_stays_a_column_of_numbers():
    table = tables.from_records([{"au": 1, "f1": None}, {"au": 2, "f1": None}])
    assert table["f1"].dtype == np.float64
    assert table["au"].dtype == np.int64
    assert tables.from_records([]).empty


@pytest.mark.parametrize("fold", [1, 2])
def test_floors_averages_and_people_of_the_real_labels(real_labels, fold):
    labels = read_finetune_labels(real_labels / f"fold{fold}_test.csv.gz")
    random = np.random.default_rng(fold)
    y = labels[[au_column(au) for au in DISFA_AUS]].to_numpy()
    p = np.clip(0.3 * y + 0.7 * random.random(y.shape), 0, 1)
    raw = pd.read_csv(real_labels / f"fold{fold}_test.csv.gz", header=None)
    assert len(y) == len(raw) > 43_000
    table = tables.au_table(y, p, THRESHOLDS, DISFA_AUS, labels["subject"])
    # Columns 0 and 1 of the file are the image and its rectangle.
    np.testing.assert_allclose(table["prevalence"], raw.iloc[:, 2:].mean(), atol=1e-12)
    everything = np.ones(len(raw), int)
    floors = [sk.f1_score(raw[column], everything) for column in raw.columns[2:]]
    np.testing.assert_allclose(table["floor_f1"], floors, atol=1e-12)
    assert (table["n_subjects"] == 9).all()
    subjects = raw[0].str.extract(r"(SN\d{3})")[0]
    shown = raw.iloc[:, 2:].groupby(subjects).max().sum().to_numpy()
    np.testing.assert_array_equal(table["n_subjects_with_positives"], shown)
    averages = tables.averages_table(table).set_index("average")
    assert averages.loc["12 AUs", "floor_f1"] == pytest.approx(np.mean(floors), abs=1e-12)
    of_eight = [floors[DISFA_AUS.index(au)] for au in EIGHT_AUS]
    assert averages.loc["8 AUs", "floor_f1"] == pytest.approx(np.mean(of_eight), abs=1e-12)
