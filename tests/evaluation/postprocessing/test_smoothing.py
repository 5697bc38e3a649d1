"""Smoothing along videos: what it does to a run, and where it does nothing."""

import json

import numpy as np
import pytest

from action_units.errors import ArtifactError, ConfigurationError
from action_units.evaluation.postprocessing.smoothing import (
    CANDIDATES,
    Smoothing,
    choose_smoothing,
)
from action_units.evaluation.predictions import PredictionError, Predictions


def apply(kind: str, window: int, values: list[float], frames=None, videos=None) -> list[float]:
    frames = range(len(values)) if frames is None else frames
    videos = ["v"] * len(values) if videos is None else videos
    p = np.array(values)[:, None]
    return Smoothing(kind, window).apply(p, videos, list(frames))[:, 0].tolist()


def test_a_mean_repeats_the_ends():
    found = apply("mean", 3, [0.0, 0.3, 0.9, 0.0])
    assert found == pytest.approx([0.1, 0.4, 0.4, 0.3])


def test_a_median_drops_a_flicker():
    assert apply("median", 3, [0.1, 0.9, 0.1, 0.1]) == pytest.approx([0.1] * 4)


def test_a_gaussian_is_a_bell_within_its_window():
    found = np.array(apply("gaussian", 5, [0.0] * 5 + [1.0] + [0.0] * 5))
    bell = np.exp(-0.5 * (np.arange(-2, 3) / 1.25) ** 2)
    np.testing.assert_allclose(found[3:8], bell / bell.sum(), atol=1e-12)
    assert (found[[0, 1, 2, 8, 9, 10]] == 0).all()


@pytest.mark.parametrize("kind", ["mean", "median", "gaussian"])
@pytest.mark.parametrize("window", [3, 9, 25])
def test_what_does_not_change_stays(kind, window):
    assert apply(kind, window, [0.3] * 7) == pytest.approx([0.3] * 7)


@pytest.mark.parametrize("kind", ["mean", "median", "gaussian"])
def test_each_au_is_smoothed_alone(kind):
    random = np.random.default_rng(0)
    p = random.random((30, 3))
    whole = Smoothing(kind, 5).apply(p, ["v"] * 30, range(30))
    for column in range(3):
        alone = Smoothing(kind, 5).apply(p[:, [column]], ["v"] * 30, range(30))
        np.testing.assert_allclose(whole[:, column], alone[:, 0], atol=1e-15)


def test_nothing_is_smoothed_over_a_gap_or_into_another_video():
    values = [0.0, 0.0, 0.9, 0.9]
    assert apply("mean", 3, values, frames=[1, 2, 4, 5]) == values
    assert apply("mean", 3, values, videos=list("aabb")) == values
    assert apply("mean", 3, values) != values


def test_frames_may_come_in_any_order():
    values, frames = [0.0, 0.3, 0.9, 0.0], np.array([2, 0, 3, 1])
    mixed = apply("mean", 3, np.array(values)[frames].tolist(), frames)
    np.testing.assert_allclose(mixed, np.array(apply("mean", 3, values))[frames])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("wavelet", 3), "smoothing 'wavelet'"),
        (("mean", 4), "4 frames"),
        (("mean", -1), "-1 frames"),
    ],
)
def test_what_is_no_window_is_refused(options, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        Smoothing(*options)


def noisy_video(noise: float, frames: int = 400) -> Predictions:
    random = np.random.default_rng([1, frames])
    labels = np.repeat(random.random((frames // 20, 2)) < 0.4, 20, axis=0).astype(np.int8)
    p = np.clip(0.5 + 0.2 * (labels - 0.5) + noise * random.normal(size=labels.shape), 0, 1)
    who = np.repeat(["a", "b"], frames // 2)
    return Predictions((1, 2), labels, p, p > 0.5, who, np.arange(frames), who)


def test_noise_asks_for_a_window_and_none_for_none():
    noisy = choose_smoothing(noisy_video(0.3))
    assert noisy.window >= 5
    assert noisy.fitted_on == ("a", "b")
    assert choose_smoothing(noisy_video(0.0)) == Smoothing("none", 1, ("a", "b"))


def test_the_candidates_begin_with_none():
    assert CANDIDATES[0] == Smoothing()
    assert len(set(CANDIDATES)) == len(CANDIDATES) == 16


def test_frames_without_numbers_are_refused():
    video = noisy_video(0.1)
    bare = Predictions(
        video.aus, video.labels, video.probabilities, video.predicted, video.subjects
    )
    with pytest.raises(PredictionError, match="column 'frame'"):
        choose_smoothing(bare)


def test_json_round_trip():
    smoothing = Smoothing("median", 5, ("SN001",))
    content = json.loads(json.dumps(smoothing.to_json()))
    assert Smoothing.from_json(content) == smoothing
    with pytest.raises(ArtifactError, match="smoothing cannot be read"):
        Smoothing.from_json({"kind": "mean"})
