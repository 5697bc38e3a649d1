"""Settings of the detectors."""

import pytest

from action_units.config import DetectorSettings
from action_units.errors import ConfigurationError


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "haar"}, "one of: yunet, ssd"),
        ({"choose": "first"}, "largest, central, surest"),
        ({"score": 1.5}, "score is 1.5; it must be a number above 0 and below 1, or null"),
        ({"score": 0.0}, "a number"),
        ({"score": float("nan")}, "a number"),
        ({"longest_side": 10}, "a whole number from 64 to 16384"),
        ({"overhang": -0.1}, "a number"),
        ({"overhang": float("nan")}, "a number"),
    ],
)
def test_settings_that_cannot_be_are_refused(options, words):
    with pytest.raises(ConfigurationError, match=words):
        DetectorSettings(**options)


def test_each_detector_has_a_score_of_its_own():
    assert DetectorSettings().lowest_score == 0.8
    assert DetectorSettings(name="ssd").lowest_score == 0.5
    assert DetectorSettings(name="ssd", score=0.9).lowest_score == 0.9


def test_only_yunet_has_landmarks():
    assert DetectorSettings().has_landmarks
    assert not DetectorSettings(name="ssd").has_landmarks
