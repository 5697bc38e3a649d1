"""Curves from probabilities to intensities."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from action_units.errors import ArtifactError, ConfigurationError
from action_units.evaluation.agreement import subject_agreement
from action_units.evaluation.postprocessing.intensity import IntensityCurve, fit_intensity
from action_units.evaluation.postprocessing.postprocessing import (
    Postprocessing,
    fit_person_centred,
    fit_postprocessing,
)
from action_units.evaluation.predictions import Predictions

AUS = (1, 4, 12)


def people(n: int = 400, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Coded intensities, probabilities and subjects; probabilities rise with intensity."""
    random = np.random.default_rng(seed)
    coded = random.choice([0.0] * 6 + [1, 2, 3, 4, 5], (n, len(AUS)))
    p = 1 / (1 + np.exp(-(3 * (coded - 2) + random.normal(0, 2, coded.shape))))
    return coded, p, np.repeat([f"V{i}" for i in range(4)], n // 4)


def objective(coded: np.ndarray, estimate: np.ndarray) -> float:
    found = subject_agreement(coded[:, None], estimate[:, None], np.zeros(len(coded), int), 1)
    once = np.ones((1, 1))
    return float(found.icc(once)[0, 0] - found.mae(once)[0, 0] / found.mae_of_zero(once)[0, 0])


def test_a_power_is_found_again():
    random = np.random.default_rng(0)
    p = random.random((500, 1))
    curve = fit_intensity(4 * p**2, p, ["a"] * 500)
    assert curve.scale == pytest.approx([4.0])
    assert curve.exponent == pytest.approx([2.0])
    np.testing.assert_allclose(curve.apply(p), 4 * p**2, atol=0.02)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_no_other_curve_of_the_grid_is_better(seed):
    random = np.random.default_rng(seed)
    coded, p, who = people(60, seed)
    curve = fit_intensity(coded, p, who[:60], minimum=1)
    assert not any(curve.fallback)
    for column in range(len(AUS)):
        best = objective(coded[:, column], curve.apply(p)[:, column])
        for _ in range(20):
            scale = random.integers(1, 51) / 10
            exponent = random.choice(np.geomspace(0.25, 8.0, 41))
            other = objective(coded[:, column], scale * p[:, column] ** exponent)
            assert other <= best + 1e-9


def test_a_rare_au_is_not_estimated_as_never_there():
    # The smallest error has the estimate 0 in all frames, which tells nothing apart.
    random = np.random.default_rng(1)
    coded = np.where(random.random((2000, 1)) < 0.04, 3.0, 0.0)
    p = np.clip(0.3 * (coded > 0) + random.random(coded.shape) * 0.6, 0, 1)
    curve = fit_intensity(coded, p, ["a"] * 2000)
    found = subject_agreement(coded, curve.apply(p), np.zeros(2000, int), 1)
    assert found.icc(np.ones((1, 1)))[0, 0] > 0.15


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=40))
def test_estimates_lie_from_0_to_5_in_the_order_of_probabilities(values):
    curve = fit_intensity(*people())
    p = np.sort(np.array(values))[:, None].repeat(len(AUS), axis=1)
    estimates = curve.apply(p)
    assert ((estimates >= 0) & (estimates <= 5)).all()
    assert (np.diff(estimates, axis=0) >= 0).all()


def test_an_au_with_few_frames_takes_the_median_of_the_others():
    coded, p, who = people()
    coded[:, 1] = 0.0
    coded[:9, 1] = 3.0
    curve = fit_intensity(coded, p, who)
    assert curve.fallback == (False, True, False)
    assert curve.scale[1] == np.median([curve.scale[0], curve.scale[2]])
    alone = fit_intensity(coded[:, 1:2], p[:, 1:2], who)
    assert (alone.scale, alone.exponent) == ((5.0,), (1.0,))  # 5 p, as nothing is known


def test_an_au_without_intensities_has_none():
    coded, p, who = people()
    coded[:, 0] = np.nan
    curve = fit_intensity(coded, p, who, training_mean=[np.nan, 0.5, 0.25])
    assert curve.known.tolist() == [False, True, True]
    assert np.isnan(curve.apply(p)[:, 0]).all()
    columns = curve.columns(AUS, p)
    assert list(columns) == ["AU04_e", "AU12_e", "AU04_m", "AU12_m"]
    assert columns["AU12_m"] == 0.25
    assert fit_intensity(np.full_like(coded, np.nan), p, who) is None


def test_a_curve_survives_json():
    coded, p, who = people()
    coded[:, 0] = np.nan
    curve = fit_intensity(coded, p, who, training_mean=[np.nan, 0.5, np.nan])
    content = json.loads(json.dumps(curve.to_json(AUS), allow_nan=False))
    back = IntensityCurve.from_json(content, AUS)
    np.testing.assert_array_equal(back.apply(p), curve.apply(p))
    np.testing.assert_array_equal(back.training_mean, curve.training_mean)
    assert back.fitted_on == ("V0", "V1", "V2", "V3")
    with pytest.raises(ArtifactError, match="expected 'power'"):
        IntensityCurve.from_json({**content, "kind": "spline"}, AUS)
    del content["aus"]["4"]["exponent"]
    with pytest.raises(ArtifactError, match="exponent"):
        IntensityCurve.from_json(content, AUS)


def validation(coded: np.ndarray | None = None) -> Predictions:
    levels, p, who = people()
    labels = (levels >= 2).astype(np.int8)
    return Predictions(AUS, labels, p, p >= 0.5, who, intensities=coded)


def test_postprocessing_estimates_from_what_it_gives_and_keeps_presence():
    levels = people()[0]
    test = replace(validation(levels), subjects=np.array(["T"] * 400))
    plain = fit_postprocessing(validation(), "temperature").apply(test)
    steps = fit_postprocessing(validation(levels), "temperature", training_mean=(0.1, 0.2, 0.3))
    found = steps.apply(test)
    assert plain.estimates is None
    np.testing.assert_array_equal(found.probabilities, plain.probabilities)
    np.testing.assert_array_equal(found.predicted, plain.predicted)
    np.testing.assert_array_equal(found.estimates, steps.intensity.apply(found.probabilities))
    np.testing.assert_array_equal(found.training_means, [[0.1, 0.2, 0.3]] * 400)
    back = Postprocessing.from_json(json.loads(json.dumps(steps.to_json(AUS))), AUS)
    assert back == steps
    old = {name: part for name, part in steps.to_json(AUS).items() if name != "intensity"}
    assert Postprocessing.from_json(old, AUS).intensity is None


def test_person_centred_probabilities_have_a_curve_of_their_own():
    levels, p, _ = people()
    known = validation(levels)
    centred = fit_person_centred(known)
    steps = replace(fit_postprocessing(known), person_centred=centred)
    rows = np.arange(400) < 250
    found = steps.intensities(p, rows)
    np.testing.assert_array_equal(found[rows], centred.steps.intensity.apply(p[rows]))
    np.testing.assert_array_equal(found[~rows], steps.intensity.apply(p[~rows]))
    assert centred.steps.intensity != steps.intensity
    test = replace(known, subjects=np.array(["T"] * 400))
    one = steps.apply_person_centred(test)
    np.testing.assert_array_equal(
        one.estimates, centred.steps.intensity.apply(one.probabilities)
    )


def test_intensities_are_not_fitted_on_those_who_are_tested():
    levels = people()[0]
    steps = fit_postprocessing(validation(levels))
    leaking = replace(steps, thresholds=replace(steps.thresholds, fitted_on=()))
    one = validation(levels).select(np.arange(100, 101))
    with pytest.raises(ConfigurationError, match="the intensities: chosen on V1"):
        leaking.apply(one)
