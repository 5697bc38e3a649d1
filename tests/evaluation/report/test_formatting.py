"""Figures as text: digits, signs, n/a with its reason."""

import math

import pytest
from markupsafe import Markup

from action_units.evaluation.report import formatting as text
from action_units.evaluation.scores import Estimate

NAN = math.nan


def test_numbers_have_three_digits_and_differences_a_sign():
    assert text.number(0.12345) == "0.123"
    assert text.number(Estimate(0.5)) == "0.500"
    assert text.signed(-0.0123) == "−0.012"
    assert text.signed(Estimate(0.25)) == "+0.250"
    assert text.percent(0.1234) == "12.3%"


def test_what_is_undefined_says_why():
    assert 'title="not defined: never called present"' in text.number(
        NAN, "never called present"
    )
    assert 'title="not defined: one class"' in text.signed(Estimate(NAN, why="one class"))
    assert "no frame tested here shows it" in text.number(None)
    reason = text.ends(Estimate(0.5, why="no interval: one subject"))
    assert 'title="not defined: one subject"' in reason
    assert "&lt;b&gt;" in text.undefined("<b>")


def test_intervals():
    figure = Estimate(0.5, -0.25, 0.75)
    assert text.ends(Estimate(0.5, 0.25, 0.75)) == "0.250–0.750"
    assert text.ends(figure, signs=True) == "−0.250 to +0.750"
    assert text.interval(figure, signs=True) == "95 %: −0.250 to +0.750"
    assert text.ends({"f1_low": 0.1, "f1_high": 0.2}) == "0.100–0.200"
    assert "n/a" in text.interval(Estimate(0.5))
    assert isinstance(text.interval(Estimate(0.5)), Markup)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.1, 0.2, True),
        (-0.2, -0.1, True),
        (-0.1, 0.1, False),
        (0.0, 0.1, False),
        (NAN, NAN, False),
    ],
)
def test_a_difference_is_firm_where_its_interval_holds_no_zero(low, high, expected):
    assert text.firm(Estimate(0.1, low, high)) is expected
