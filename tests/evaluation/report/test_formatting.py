"""Figures as text: digits, signs, n/a with its reason."""

import math

from markupsafe import Markup

from action_units.evaluation.report import formatting
from action_units.evaluation.scores import Estimate

NAN = math.nan


def test_numbers_have_three_digits_and_differences_a_sign():
    assert formatting.score(0.12345) == "0.123"
    assert formatting.score(Estimate(0.5)) == "0.500"
    assert formatting.score(-0.5) == "−0.500"
    assert formatting.signed(-0.0123) == "−0.012"
    assert formatting.signed(Estimate(0.25)) == "+0.250"
    assert formatting.percent(0.1234) == "12.3%"


def test_what_is_undefined_says_why():
    assert 'title="not defined: never called present"' in formatting.score(
        NAN, "never called present"
    )
    assert 'title="not defined: one class"' in formatting.signed(Estimate(NAN, why="one class"))
    assert "no frame tested here shows it" in formatting.score(None)
    reason = formatting.ends(Estimate(0.5, why="no interval: one subject"))
    assert 'title="not defined: one subject"' in reason
    assert "&lt;b&gt;" in formatting.undefined("<b>")


def test_intervals():
    figure = Estimate(0.5, -0.25, 0.75)
    assert formatting.ends(Estimate(0.5, 0.25, 0.75)) == "0.250–0.750"
    assert formatting.ends(figure, signs=True) == "−0.250 to +0.750"
    assert formatting.interval(figure, signs=True) == "95 %: −0.250 to +0.750"
    assert formatting.ends({"f1": 0.15, "f1_low": 0.1, "f1_high": 0.2}) == "0.100–0.200"
    assert "n/a" in formatting.interval(Estimate(0.5))
    assert isinstance(formatting.interval(Estimate(0.5)), Markup)
