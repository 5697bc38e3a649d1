"""The option that smooths and calibrates predictions, fitted on validation subjects alone."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata

from action_units.config import EvaluationSettings
from action_units.errors import ConfigurationError
from action_units.evaluation.postprocessing.thresholds import choose_thresholds
from action_units.evaluation.predictions import Predictions
from action_units.faces.store import FaceStore
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


SPLIT = {"train": ["A", "B"]}


def coded_faces(**intensities):
    """Faces of two training subjects, four frames each, and of one who validates."""
    table = pd.DataFrame({"image": [f"{n}.jpg" for n in range(10)]}).assign(
        subject=["A"] * 4 + ["B"] * 4 + ["V1"] * 2, AU01=0, AU12=0, **intensities
    )
    return FaceStore(np.zeros((10, 8, 8), np.uint8), table, AUS)


def treated(option, test=TEST, validation=VALIDATION, faces=None):
    evaluation = EvaluationSettings.model_construct(treatment=option)
    faces = coded_faces() if faces is None else faces
    return postprocess(MODEL, test, validation, thresholds(), faces, SPLIT, evaluation, 3)


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


@pytest.mark.parametrize("option", ["raw", "temperature"])
def test_where_one_au_has_intensities_it_alone_is_estimated(option):
    coded = VALIDATION.assign(AU12_r=3.0 * VALIDATION["AU12"])
    faces = coded_faces(
        AU12_r=[0, 1, 2, -1, 0, 0, 0, 4, 5, 5]
    )  # the last two are not trained on
    table, postprocessing = treated(option, validation=coded, faces=faces)
    plain, without = treated(option)
    assert "intensity" not in without
    pd.testing.assert_frame_equal(table.drop(columns=["AU12_e", "AU12_m"]), plain)
    assert (table["AU12_m"] == 1.0).all()
    curve = postprocessing["intensity"]["aus"]["12"]
    expected = curve["scale"] * table["AU12_p"].astype(np.float32) ** curve["exponent"]
    np.testing.assert_allclose(table["AU12_e"], expected, rtol=1e-6, atol=1e-6)
    assert postprocessing["intensity"]["fitted_on"] == ["V1", "V2", "V3"]
