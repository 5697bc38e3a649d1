"""Settings of the detectors."""

import pytest

from action_units.errors import ConfigurationError
from action_units.faces.detection.settings import DetectorSettings


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "haar"}, "yunet and ssd are there"),
        ({"choose": "first"}, "largest, central, surest"),
        ({"score": 1.5}, "between 0 and 1"),
        ({"score": 0.0}, "between 0 and 1"),
        ({"score": float("nan")}, "between 0 and 1"),
        ({"longest_side": 10}, "at least 64 pixels"),
        ({"overhang": -0.1}, "between 0 and 1"),
        ({"overhang": float("nan")}, "between 0 and 1"),
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
