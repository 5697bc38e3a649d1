"""The option that smooths and calibrates predictions, fitted on validation subjects alone."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata

from action_units.config import EvaluationSettings
from action_units.errors import ConfigurationError
from action_units.evaluation.postprocessing.thresholds import choose_thresholds
from action_units.evaluation.predictions import Predictions
from action_units.pipelines.evaluation.nodes import postprocess
from tests.export.synthetic import synthetic_model

AUS = (1, 12)
COLUMNS = ["AU01_p", "AU12_p"]


def predictions(subjects, seed):
    """Overconfident probabilities of 60 frames a subject, in runs as in a video."""
    rng = np.random.default_rng(seed)
    rows = []
    for subject in subjects:
        shown = np.repeat(rng.random((6, 2)) < 0.4, 10, axis=0)  # (60, 2)
        logits = 6 * (shown - 0.5) + rng.normal(0, 6, shown.shape)
        p = 1 / (1 + np.exp(-logits))
        rows += [
            (f"{subject}{n}", subject, n + 1, *shown[n].astype(int), *p[n]) for n in range(60)
        ]
    return pd.DataFrame(rows, columns=["image", "subject", "frame", "AU01", "AU12", *COLUMNS])


VALIDATION = predictions(["V1", "V2", "V3"], 1)
TEST = predictions(["T1", "T2", "T3"], 2)
MODEL = synthetic_model(aus=AUS)


def thresholds():
    answers = Predictions.read(VALIDATION, [0.5, 0.5], AUS)
    return choose_thresholds(
        answers.labels, answers.probabilities, subjects=answers.subjects, seed=3
    ).to_json(AUS)


def treated(option, test=TEST):
    evaluation = EvaluationSettings.model_construct(treatment=option)
    return postprocess(MODEL, test, VALIDATION, thresholds(), evaluation, 3)


def test_raw_leaves_predictions_and_thresholds_as_they_are():
    table, postprocessing = treated("raw")
    pd.testing.assert_frame_equal(table, TEST)
    assert postprocessing["thresholds"] == thresholds()
    assert postprocessing["calibration"] is None


def test_temperature_keeps_the_order_and_mends_the_confidence():
    table, postprocessing = treated("temperature")
    for name in COLUMNS:
        assert (rankdata(table[name]) == rankdata(TEST[name].astype(np.float32))).all()
    labels, raw, mended = (
        t.to_numpy() for t in (TEST[["AU01", "AU12"]], TEST[COLUMNS], table[COLUMNS])
    )
    assert ((mended - labels) ** 2).mean() < ((raw - labels) ** 2).mean()
    assert set(postprocessing["thresholds"]["fitted_on"]) == {"V1", "V2", "V3"}
    other = table.drop(columns=COLUMNS)
    pd.testing.assert_frame_equal(other, TEST.drop(columns=COLUMNS))


def test_smoothing_goes_along_each_video():
    table, postprocessing = treated("smoothing")
    assert postprocessing["smoothing"]["window"] > 1
    steps = [
        np.abs(np.diff(t[COLUMNS].to_numpy().reshape(3, 60, 2), axis=1)).mean()
        for t in (TEST, table)
    ]
    assert steps[1] < steps[0]


def test_what_cannot_be_is_refused():
    with pytest.raises(ConfigurationError, match="postprocessing 'best' of probabilities"):
        treated("best")
    with pytest.raises(ConfigurationError, match="V2"):
        treated("temperature", predictions(["T1", "V2"], 2))
