"""What is done to probabilities, what it gains on test subjects, and what may not be."""

import json
from dataclasses import replace

import numpy as np
import pytest

from action_units.errors import ArtifactError, ConfigurationError
from action_units.evaluation.comparison import gain_table
from action_units.evaluation.postprocessing.postprocessing import (
    OPTIONS,
    Postprocessing,
    fit_postprocessing,
)
from action_units.evaluation.postprocessing.thresholds import choose_thresholds
from action_units.evaluation.predictions import PredictionError, Predictions
from action_units.evaluation.reliability import subject_calibration
from action_units.evaluation.subject_statistics import subject_statistics

AUS = (1, 2, 4, 12)


def video(subjects: tuple[str, ...], seed: int, frames: int = 200) -> Predictions:
    """Noisy, too sure of itself, labels in runs."""
    random = np.random.default_rng([2, seed])
    n = len(subjects) * frames
    labels = np.repeat(random.random((n // 20, len(AUS))) < 0.3, 20, axis=0).astype(np.int8)
    logits = 6 * (labels - 0.5) + 5 * random.normal(size=labels.shape)
    p = 1 / (1 + np.exp(-logits))
    who = np.repeat(subjects, frames)
    return Predictions(
        AUS, labels, p, p >= 0.5, who, np.tile(np.arange(frames), len(subjects)), who
    )


VALIDATION, TEST = video(("a", "b", "c"), 0), video(("d", "e", "f", "g"), 1)


@pytest.fixture(scope="module")
def gains():
    folds = {1: (VALIDATION, TEST), 2: (video(("d", "e"), 2), video(("h", "i", "j"), 3))}
    return gain_table(folds).set_index(["option", "measure", "average"])


def test_raw_is_the_network_at_its_validation_thresholds(gains):
    treated = fit_postprocessing(VALIDATION).apply(TEST)
    fitted = choose_thresholds(
        VALIDATION.labels, VALIDATION.probabilities, subjects=VALIDATION.subjects
    )
    np.testing.assert_array_equal(treated.probabilities, TEST.probabilities)
    np.testing.assert_array_equal(treated.predicted, TEST.probabilities >= fitted.values)
    raw = gains.loc["raw"]
    assert (raw["gain"].dropna() == 0).all()


def test_every_option_stands_beside_the_raw_figure(gains):
    assert list(dict.fromkeys(gains.index.get_level_values(0))) == list(OPTIONS)
    values = gains["value"].unstack("option")
    gain = gains["gain"].unstack("option")
    for option in OPTIONS:
        np.testing.assert_allclose(gain[option], values[option] - values["raw"], atol=1e-12)
    known = gains["gain"].notna()
    assert (gains["gain_low"] <= gains["gain"] + 1e-12)[known].all()


def test_noise_that_is_smoothed_away_gains_f1_and_sureness_that_is_not_earned_gains_ece(gains):
    assert gains.loc[("smoothing", "f1", "4 AUs"), "gain_low"] > 0.02
    assert gains.loc[("smoothing", "f1_event", "4 AUs"), "gain_low"] > 0.02
    for option in ("temperature", "isotonic"):
        assert gains.loc[(option, "ece", "4 AUs"), "gain_high"] < -0.02
        # A rising line moves no frame past another: AUC stays, but for ties.
        assert abs(gains.loc[(option, "auc", "4 AUs"), "gain"]) < 0.01
    both = gains.loc[("smoothing + isotonic", "brier", "4 AUs"), "value"]
    assert both < gains.loc[("isotonic", "brier", "4 AUs"), "value"]


def test_the_parts_are_applied_in_their_order():
    postprocessing = fit_postprocessing(VALIDATION, "smoothing + temperature")
    assert postprocessing.smoothing.window > 1
    smoothed = postprocessing.smoothing.apply(TEST.probabilities, TEST.recordings, TEST.frames)
    expected = postprocessing.calibration.apply(smoothed)
    treated = postprocessing.apply(TEST)
    np.testing.assert_array_equal(treated.probabilities, expected)
    np.testing.assert_array_equal(
        treated.predicted, expected >= postprocessing.thresholds.values
    )
    # Frames of a new video, that nobody coded, are treated alike.
    new = postprocessing.probabilities(TEST.probabilities, TEST.recordings, TEST.frames)
    np.testing.assert_array_equal(new, expected)
    # The calibration was fitted on what smoothing leaves, not on the raw probabilities.
    everyone = np.zeros(len(VALIDATION.labels), int)
    ours = postprocessing.apply(replace(VALIDATION, subjects=np.full(everyone.size, "new")))
    ece = subject_calibration(ours.labels, ours.probabilities, everyone, 1).ece(np.ones((1, 1)))
    raw = subject_statistics(VALIDATION).values["ece"]
    assert ece.mean() < 0.5 * raw.mean()


def test_frames_without_numbers_leave_out_what_needs_them():
    bare = [replace(part, frames=None) for part in (VALIDATION, TEST)]
    table = gain_table({1: (bare[0], bare[1])})
    assert set(table["option"]) == {"raw", "temperature", "isotonic"}


def test_a_window_is_not_silently_left_out():
    with pytest.raises(PredictionError, match="frames without numbers"):
        fit_postprocessing(VALIDATION, "smoothing").apply(replace(TEST, frames=None))


def test_an_unknown_option_is_refused():
    with pytest.raises(ConfigurationError, match="postprocessing 'platt' .* raw, temperature"):
        fit_postprocessing(VALIDATION, "platt")


@pytest.mark.parametrize("option", OPTIONS)
def test_postprocessing_makes_the_round_trip(option):
    postprocessing = fit_postprocessing(VALIDATION, option)
    content = json.loads(json.dumps(postprocessing.to_json(AUS), allow_nan=False))
    back = Postprocessing.from_json(content, AUS)
    for name in ("probabilities", "predicted"):
        one, other = (getattr(t.apply(TEST), name) for t in (postprocessing, back))
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ArtifactError, match="has no smoothing"):
        Postprocessing.from_json({"thresholds": {}, "calibration": None}, AUS)


@pytest.mark.parametrize(
    ("part", "what"),
    [
        ("thresholds", "the thresholds: chosen on d"),
        ("smoothing", "the smoothing window: chosen on d"),
        ("calibration", "the calibration: chosen on d"),
    ],
)
def test_a_part_that_has_seen_a_tested_subject_is_refused(part, what):
    honest = fit_postprocessing(VALIDATION, "smoothing + isotonic")
    leaky = fit_postprocessing(video(("a", "d"), 4), "smoothing + isotonic")
    planted = replace(honest, **{part: getattr(leaky, part)})
    with pytest.raises(ConfigurationError, match=what):
        planted.apply(TEST)


def test_gains_on_a_validation_subject_are_refused():
    with pytest.raises(ConfigurationError, match="chosen on d, who is tested on"):
        gain_table({1: (video(("a", "d"), 4), TEST)})
