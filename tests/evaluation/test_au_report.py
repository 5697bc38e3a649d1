"""The AU report against an independent loop, its intervals and its averages."""

import math

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from action_units.evaluation import bootstrap, tables
from action_units.evaluation.au_report import au_report
from action_units.evaluation.measures import METRICS
from action_units.evaluation.predictions import Predictions
from action_units.labels.action_units import AU_NAMES, DISFA_AUS, EIGHT_AUS, au_column
from action_units.labels.tables import read_finetune_labels
from tests.evaluation.made_up import made_up_predictions

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
    why = tables.reasons(row)
    assert {why[name] for name in undefined} == {"no positive frame"}
    assert why["icc"] == "no intensities in the data"
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
    _, averages, statistics = report_of(predictions, seed=(4,), resamples=200)
    times = bootstrap.draws(3, (4,), 200)
    for name in ("f1", "auc", "ece"):
        means = statistics.weighed(times)[name].mean(axis=1)
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
    assert tables.reasons(table.iloc[0])["f1"] == "no frame with a label"


@pytest.mark.parametrize("fold", [1, 2])
def test_floors_averages_and_people_of_the_real_labels(real_labels, fold):
    labels = read_finetune_labels(real_labels / f"fold{fold}_test.csv.gz")
    random = np.random.default_rng(fold)
    y = labels[[au_column(au) for au in DISFA_AUS]].to_numpy()
    p = np.clip(0.3 * y + 0.7 * random.random(y.shape), 0, 1)
    raw = pd.read_csv(real_labels / f"fold{fold}_test.csv.gz", header=None)
    assert len(y) == len(raw) > 43_000
    answers = Predictions(DISFA_AUS, y, p, p >= THRESHOLDS, labels["subject"].to_numpy(str))
    table, averages, _ = au_report(answers, THRESHOLDS, resamples=0)
    # Columns 0 and 1 of the file are the image and its rectangle.
    np.testing.assert_allclose(table["prevalence"], raw.iloc[:, 2:].mean(), atol=1e-12)
    everything = np.ones(len(raw), int)
    floors = [sk.f1_score(raw[column], everything) for column in raw.columns[2:]]
    np.testing.assert_allclose(table["floor_f1"], floors, atol=1e-12)
    assert (table["n_subjects"] == 9).all()
    subjects = raw[0].str.extract(r"(SN\d{3})")[0]
    shown = raw.iloc[:, 2:].groupby(subjects).max().sum().to_numpy()
    np.testing.assert_array_equal(table["n_subjects_with_positives"], shown)
    averages = averages.set_index("average")
    assert averages.loc["12 AUs", "floor_f1"] == pytest.approx(np.mean(floors), abs=1e-12)
    of_eight = [floors[DISFA_AUS.index(au)] for au in EIGHT_AUS]
    assert averages.loc["8 AUs", "floor_f1"] == pytest.approx(np.mean(of_eight), abs=1e-12)
