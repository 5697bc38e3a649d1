"""Temperature and isotonic calibration on labels of known probability."""

import json

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from action_units.errors import ArtifactError
from action_units.evaluation.postprocessing.calibration import (
    calibration_from_json,
    fit_isotonic,
    fit_temperature,
)
from action_units.evaluation.predictions import PredictionError
from action_units.evaluation.reliability import subject_calibration

AUS = (1, 12)


def overconfident(n: int = 4000, temperature: float = 2.5):
    """Labels drawn from p; what is predicted has its logits times `temperature`."""
    random = np.random.default_rng(n)
    p = random.uniform(0.05, 0.95, (n, 2))
    labels = (random.random(p.shape) < p).astype(np.int8)
    labels[random.random(p.shape) < 0.1] = -1
    return labels, expit(temperature * logit(p)), random.choice(["a", "b"], n), p


def ece(labels: np.ndarray, p: np.ndarray) -> np.ndarray:
    return subject_calibration(labels, p, np.zeros(len(p), int), 1).ece(np.ones((1, 1)))[0]


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_the_temperature_is_found_and_taken_back(temperature):
    labels, predicted, who, p = overconfident(temperature=temperature)
    found = fit_temperature(labels, predicted, who)
    assert found.values == pytest.approx((temperature,) * 2, rel=0.1)
    assert found.fallback == (False, False)
    assert found.fitted_on == ("a", "b")
    np.testing.assert_allclose(found.apply(predicted), p, atol=0.03)


def test_the_temperature_is_logistic_regressions_slope():
    labels, predicted, who, _ = overconfident()
    known = labels[:, 0] >= 0
    slope = LogisticRegression(C=1e9, fit_intercept=False, tol=1e-10).fit(
        logit(predicted[known, :1]), labels[known, 0]
    )
    found = fit_temperature(labels, predicted, who).values[0]
    assert found == pytest.approx(1 / slope.coef_[0, 0], rel=1e-4)


def test_isotonic_is_scikit_learns():
    labels, predicted, who, _ = overconfident()
    found = fit_isotonic(labels, predicted, who)
    known = labels[:, 1] >= 0
    expected = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(
        predicted[known, 1], labels[known, 1]
    )
    fresh = np.linspace(0, 1, 500)
    both = np.stack([fresh, fresh], axis=1)
    np.testing.assert_allclose(found.apply(both)[:, 1], expected.predict(fresh), atol=1e-12)


@pytest.mark.parametrize("fit", [fit_temperature, fit_isotonic])
def test_others_than_it_was_fitted_on_gain_calibration(fit):
    labels, predicted, who, _ = overconfident()
    fresh, said, _, _ = overconfident(5000)
    calibrated = fit(labels, predicted, who).apply(said)
    assert (ece(fresh, calibrated) < 0.4 * ece(fresh, said)).all()
    assert (calibrated >= 0).all()
    assert (calibrated <= 1).all()
    order = np.argsort(said[:, 0])
    assert (np.diff(calibrated[order, 0]) >= 0).all()


@pytest.mark.parametrize("fit", [fit_temperature, fit_isotonic])
def test_too_few_of_a_class_leave_an_au_as_it_is(fit):
    labels, predicted, who, _ = overconfident()
    labels[:, 0] = 0
    labels[:9, 0] = 1
    found = fit(labels, predicted, who)
    assert found.fallback == (True, False)
    np.testing.assert_allclose(found.apply(predicted)[:, 0], predicted[:, 0], atol=1e-12)


def test_certainty_stays_finite():
    labels, predicted, who, _ = overconfident()
    predicted[:5] = 1.0
    predicted[5:10] = 0.0
    found = fit_temperature(labels, predicted, who)
    nearly = fit_temperature(labels, np.clip(predicted, 1e-7, 1 - 1e-7), who)
    assert found.values == nearly.values
    assert (np.array(found.values) < 4).all()
    assert np.isfinite(found.apply(predicted)).all()


@pytest.mark.parametrize("fit", [fit_temperature, fit_isotonic])
def test_json_round_trip_is_by_au_not_by_place(fit):
    labels, predicted, who, _ = overconfident()
    found = fit(labels, predicted, who)
    content = json.loads(json.dumps(found.to_json(AUS), allow_nan=False))
    assert calibration_from_json(content, AUS) == found
    turned = calibration_from_json(content, AUS[::-1])
    np.testing.assert_array_equal(
        turned.apply(predicted)[:, 0], found.apply(predicted[:, ::-1])[:, 1]
    )


@pytest.mark.parametrize(
    "damage",
    [
        lambda c: c.pop("fitted_on"),
        lambda c: c["aus"].pop("12"),
        lambda c: c.update(kind="oracle"),
    ],
)
def test_a_damaged_calibration_is_refused(damage):
    labels, predicted, who, _ = overconfident()
    content = fit_temperature(labels, predicted, who).to_json(AUS)
    damage(content)
    with pytest.raises(ArtifactError, match="calibration"):
        calibration_from_json(content, AUS)


@pytest.mark.parametrize("fit", [fit_temperature, fit_isotonic])
def test_nan_is_refused(fit):
    with pytest.raises(PredictionError, match="nan"):
        fit([[0], [1]], [[0.5], [np.nan]], ["a", "a"])
