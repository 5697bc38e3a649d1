"""Scores and differences as JSON and back."""

import json
import math

import pytest

from action_units.evaluation.scores import (
    DifferenceLine,
    Differences,
    Estimate,
    ModelScores,
    ScoreLine,
)

KNOWN = Estimate(0.5, 0.4, 0.6, 990)
UNDEFINED = Estimate(math.nan, why="no positive frame")


def turned(content: dict) -> dict:
    """Through real JSON text, which must not hold NaN."""
    return json.loads(json.dumps(content, allow_nan=False))


def test_what_is_undefined_is_null_and_says_why():
    assert UNDEFINED.to_json() == {
        "value": None,
        "low": None,
        "high": None,
        "kept": 0,
        "why": "no positive frame",
    }


@pytest.mark.parametrize("estimate", [KNOWN, UNDEFINED])
def test_an_estimate_makes_the_round_trip(estimate):
    assert str(Estimate.from_json(turned(estimate.to_json()))) == str(estimate)


def test_scores_make_the_round_trip():
    line = ScoreLine("AU12", {1: 0.5, 2: math.nan}, KNOWN, UNDEFINED, 1, 2, {2: "no reason"})
    scores = ModelScores({12: line}, {"12 AUs": line})
    back = ModelScores.from_json(turned(scores.to_json()))
    assert str(back) == str(scores)
    assert back.lines[0].by_fold[1] == 0.5
    assert [line.name for line in scores.lines] == ["AU12", "AU12"]


def test_differences_make_the_round_trip():
    line = DifferenceLine("AU12", KNOWN, UNDEFINED)
    apart = Differences({12: line}, {"12 AUs": line})
    assert str(Differences.from_json(turned(apart.to_json()))) == str(apart)
    assert apart.lines == [line, line]
