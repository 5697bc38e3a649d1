import json

import pytest

from action_units.errors import ConfigurationError
from action_units.faces.sample.config import DisfaSampleConfig, WebSampleConfig


@pytest.mark.parametrize("kind", [DisfaSampleConfig, WebSampleConfig])
def test_the_defaults_survive_a_round_trip_through_json(
    kind: type[DisfaSampleConfig] | type[WebSampleConfig],
) -> None:
    plain = json.loads(json.dumps(kind().as_mapping()))
    assert kind.from_mapping(plain) == kind()


@pytest.mark.parametrize(
    ("kind", "wrong", "sentence"),
    [
        (DisfaSampleConfig, {"frames": 9}, "no parameter 'frames'; there are seed"),
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
        (DisfaSampleConfig, {"seed": True}, "seed is True"),
        (WebSampleConfig, {"identities": 7}, r"identities \(7\).*must both be even"),
        (
            WebSampleConfig,
            {"photographs": 10, "identities": 20},
            "fewer than the 20 identities",
        ),
        (WebSampleConfig, {"sensitivity": {"AU01": 0.9}}, "gives None for AU02"),
        (WebSampleConfig, {"sensitivity": 0.9}, "must be a rate by AU column"),
        (WebSampleConfig, {"false_alarms": dict.fromkeys(["AU01"], 1.5)}, "1.5 for AU01"),
        (
            WebSampleConfig,
            {"false_alarms": {**WebSampleConfig().false_alarms, "AU99": 0.5}},
            "AU99",
        ),
    ],
)
def test_each_wrong_parameter_is_named(
    kind: type[DisfaSampleConfig] | type[WebSampleConfig],
    wrong: dict[str, object],
    sentence: str,
) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        kind.from_mapping(wrong)
