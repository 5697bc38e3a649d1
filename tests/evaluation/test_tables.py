"""Predictions by column name, sets of AUs, and tables written and read back."""

import io
import json

import numpy as np
import pandas as pd
import pytest

from action_units.csv_text import to_csv
from action_units.evaluation import tables
from action_units.evaluation.au_report import au_report
from action_units.evaluation.metrics import PredictionError
from action_units.evaluation.predictions import Predictions
from action_units.labels.action_units import DISFA_AUS, EIGHT_AUS
from tests.evaluation.made_up import made_up_predictions


def table_of(predictions: pd.DataFrame) -> pd.DataFrame:
    return au_report(Predictions.read(predictions, [0.4] * 12), [0.4] * 12, resamples=20)[0]


def test_other_sets_of_aus_have_one_average():
    assert tables.average_sets([1, 12]) == {"2 AUs": (1, 12)}
    assert tables.average_sets(EIGHT_AUS) == {"8 AUs": EIGHT_AUS}
    assert list(tables.average_sets(DISFA_AUS)) == ["8 AUs", "12 AUs"]


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
    text = to_csv(table, undefined="n/a")
    assert ",n/a," in text
    assert "nan" not in text.lower().replace("n/a", "")
    pd.testing.assert_frame_equal(
        pd.read_csv(io.StringIO(text)).fillna({"why": ""}), table, check_dtype=False, rtol=1e-15
    )


def test_json_says_null_and_reads_back_as_the_same_table():
    predictions = made_up_predictions(absent=[5])
    table = table_of(predictions)
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


def test_reasons_are_taken_apart():
    row = {"why": "f1: no positive frame; mcc: never called present"}
    assert tables.reasons(row) == {"f1": "no positive frame", "mcc": "never called present"}
    assert tables.reasons({"why": ""}) == {}
