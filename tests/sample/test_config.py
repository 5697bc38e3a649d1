import json

import pytest

from action_units.config import DisfaSampleConfig, StudioSampleConfig, WebSampleConfig
from action_units.errors import ConfigurationError


@pytest.mark.parametrize("kind", [DisfaSampleConfig, StudioSampleConfig, WebSampleConfig])
def test_the_defaults_survive_a_round_trip_through_json(
    kind: type[DisfaSampleConfig] | type[StudioSampleConfig] | type[WebSampleConfig],
) -> None:
    plain = json.loads(json.dumps(kind().model_dump()))
    assert kind.read(plain) == kind()


@pytest.mark.parametrize(
    ("kind", "wrong", "sentence"),
    [
        (DisfaSampleConfig, {"frames": 9}, "frames is not a parameter. There are"),
        (
            DisfaSampleConfig,
            {"frames_per_subject": 5},
            "is 5; it must be a whole number from 24",
        ),
        (DisfaSampleConfig, {"stride": 2.5}, "stride is 2.5; it must be a whole number"),
        (
            DisfaSampleConfig,
            {"occlusion": "often"},
            "occlusion is 'often'; it must be a number",
        ),
        (DisfaSampleConfig, {"seed": True}, "seed is true"),
        (WebSampleConfig, {"identities": 7}, r"identities \(7\).*must both be even"),
        (
            WebSampleConfig,
            {"photographs": 10, "identities": 20},
            "fewer than the 20 identities",
        ),
        (WebSampleConfig, {"sensitivity": {"AU01": 0.9}}, "sensitivity: it lacks AU02"),
        (WebSampleConfig, {"sensitivity": 0.9}, "sensitivity is 0.9; it must be"),
        (
            WebSampleConfig,
            {"false_alarms": dict.fromkeys(["AU01"], 1.5)},
            "false_alarms.AU01 is 1.5; it must be a number from 0 to 1",
        ),
        (
            WebSampleConfig,
            {"false_alarms": {**WebSampleConfig().false_alarms, "AU99": 0.5}},
            "it names AU99",
        ),
        (
            WebSampleConfig,
            {"noise": "wild"},
            "noise is 'wild'; it must be one of: mild, class_conditional, picture_dependent",
        ),
        (
            WebSampleConfig,
            {"noises": {"mild": {"traces": True, "intensities": "truth", "person": -1}}},
            "noises.mild.person is -1; it must be a number from 0 to 3",
        ),
    ],
)
def test_each_wrong_parameter_is_named(
    kind: type[DisfaSampleConfig] | type[WebSampleConfig],
    wrong: dict[str, object],
    sentence: str,
) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        kind.read(wrong)
