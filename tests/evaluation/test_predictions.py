"""Predictions tables in memory, and several folds as one."""

import numpy as np
import pytest

from action_units.evaluation.metrics import PredictionError
from action_units.evaluation.predictions import Predictions, pool
from action_units.labels.action_units import DISFA_AUS
from tests.evaluation.made_up import GROUPS, made_up_predictions


def test_a_table_is_taken_apart():
    table = made_up_predictions()
    limits = np.linspace(0.2, 0.8, 12)
    found = Predictions.read(table, limits)
    assert found.aus == DISFA_AUS
    np.testing.assert_array_equal(found.subjects, table["subject"])
    np.testing.assert_array_equal(found.frames, table["frame"])
    np.testing.assert_array_equal(found.recordings, table["subject"])
    np.testing.assert_array_equal(found.predicted, found.probabilities >= limits)
    assert found.intensities is None
    np.testing.assert_array_equal(found.estimates, 5 * found.probabilities)


def test_what_the_data_has_is_taken_too():
    table = made_up_predictions(aus=(1, 12)).assign(
        AU01_r=[0.0, -1.0, 5.0] * 40, AU01_r_p=1.5, AU12_r_p=2.0, recording="left"
    )
    found = Predictions.read(table, [0.5, 0.5])
    np.testing.assert_array_equal(found.intensities[:3, 0], [0.0, np.nan, 5.0])
    assert np.isnan(found.intensities[:, 1]).all()  # this AU has none
    assert (found.estimates[:, 0] == 1.5).all()
    assert set(found.recordings) == {"left"}


def test_frames_without_numbers_have_none():
    table = made_up_predictions()
    assert Predictions.read(table.drop(columns="frame"), [0.5] * 12).frames is None
    named = table.assign(frame=["x.jpg", *table["frame"][1:]])
    assert Predictions.read(named, [0.5] * 12).frames is None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda t: t.drop(columns="subject"), "no column 'subject'"),
        (lambda t: t.drop(columns="AU12_p"), "no column 'AU12_p'"),
        (lambda t: t.assign(AU01_r=5.5), "intensity 5.5 in row 0, AU column 0"),
        (lambda t: t.assign(AU02_r=-2.0), "intensity -2 in row 0, AU column 1"),
        (lambda t: t.assign(AU01_r_p=1.0), "predicted intensity nan in row 0, AU column 1"),
    ],
)
def test_what_is_no_prediction_is_refused(change, sentence):
    with pytest.raises(PredictionError, match=sentence):
        Predictions.read(change(made_up_predictions()), [0.5] * 12)


def test_thresholds_of_another_number_of_aus_are_refused():
    with pytest.raises(PredictionError, match="3 thresholds for 12 AUs"):
        Predictions.read(made_up_predictions(), [0.5] * 3)


def test_a_pool_keeps_each_folds_own_calls():
    one, two = (made_up_predictions(group, seed=i) for i, group in enumerate(GROUPS[:2]))
    parts = [Predictions.read(one, [0.2] * 12), Predictions.read(two, [0.8] * 12)]
    found = pool(parts)
    assert len(found.labels) == 240
    np.testing.assert_array_equal(found.predicted[:120], parts[0].probabilities >= 0.2)
    np.testing.assert_array_equal(found.predicted[120:], parts[1].probabilities >= 0.8)
    assert set(found.subjects) == {*GROUPS[0], *GROUPS[1]}


def test_a_pool_has_only_what_all_folds_have():
    numbered = Predictions.read(made_up_predictions(GROUPS[0]), [0.5] * 12)
    other = made_up_predictions(GROUPS[1]).drop(columns="frame")
    assert pool([numbered, Predictions.read(other, [0.5] * 12)]).frames is None
    assert pool([numbered]).frames is not None
