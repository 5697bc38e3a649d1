from dataclasses import dataclass
from typing import Literal

import pytest

from action_units.errors import ConfigurationError
from action_units.models.options import Options, describe, option


@dataclass(frozen=True)
class Oven(Options):
    heat: float = option(180.0, "How hot.", above=0, high=300)
    fan: bool = option(False, "Whether the fan runs.")
    mode: Literal["bake", "grill"] = option("bake", "Which elements glow.")
    racks: tuple[int, ...] = option((1, 2), "Which racks are used.", low=1)
    doors: Literal[1, 2] = option(1, "How many doors.")
    minutes: int | None = option(None, "When it turns itself off.", low=1)


@dataclass(frozen=True)
class Kitchen(Options):
    oven: Oven = option(Oven(), "The oven.")
    cooks: int = option(1, "How many cooks.", low=1)


def test_a_plain_dict_builds_nested_options_and_comes_back():
    kitchen = Kitchen.from_dict({"oven": {"heat": 200, "racks": [3]}, "cooks": 2})
    assert kitchen == Kitchen(oven=Oven(heat=200.0, racks=(3,)), cooks=2)
    assert Kitchen.from_dict(kitchen.to_dict()) == kitchen
    assert kitchen.to_dict()["oven"]["racks"] == [3]


def test_a_misspelt_option_is_refused_with_a_guess_and_the_choices():
    with pytest.raises(ConfigurationError, match=r"'heet'.*Oven.*Did you mean 'heat'.*minutes"):
        Kitchen.from_dict({"oven": {"heet": 200}})


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"heat": 0}, "heat.* is 0.0; it must be at most 300 and greater than 0"),
        ({"heat": 301}, "at most 300"),
        ({"heat": float("nan")}, "must be a number"),
        ({"heat": "hot"}, "must be a number"),
        ({"heat": True}, "must be a number"),
        ({"heat": None}, "must be a number"),
        ({"fan": 1}, "true or false"),
        ({"mode": "fry"}, "one of: bake, grill"),
        ({"doors": 3}, "one of: 1, 2"),
        ({"doors": 1.0}, "one of: 1, 2"),
        ({"doors": True}, "one of: 1, 2"),
        ({"racks": [0, 1]}, "at least 1"),
        ({"racks": 3}, "a list of a whole number"),
        ({"minutes": 2.5}, "a whole number"),
        ({"minutes": 0}, "at least 1"),
    ],
)
def test_an_impossible_value_is_refused_however_the_class_is_built(values, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        Oven.from_dict(values)
    with pytest.raises(ConfigurationError, match=sentence):
        Oven(**values)


def test_a_nested_option_must_be_a_mapping():
    with pytest.raises(ConfigurationError, match="mapping"):
        Kitchen.from_dict({"oven": 180})


def test_every_option_can_be_described():
    rows = describe(Kitchen)
    assert ("oven.heat", "180.0", "How hot.") in rows
    assert len(rows) == 7
