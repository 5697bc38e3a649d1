"""The published rows agree with themselves."""

import pytest

from action_units.evaluation.report.published import PUBLISHED_DISFA
from action_units.labels.action_units import EIGHT_AUS


@pytest.mark.parametrize("row", PUBLISHED_DISFA, ids=lambda row: row.method)
def test_the_mean_is_that_of_the_eight_aus(row):
    assert row.source
    assert 0 < row.mean < 100
    if row.f1:
        assert tuple(row.by_au) == EIGHT_AUS
        # Both were rounded to one digit.
        assert sum(row.f1) / 8 == pytest.approx(row.mean, abs=0.1 + 1e-9)
    else:
        assert row.by_au == {}


def test_rows_are_in_the_order_of_the_mean_and_named_once():
    means = [row.mean for row in PUBLISHED_DISFA]
    assert means == sorted(means)
    names = [row.method for row in PUBLISHED_DISFA]
    assert len(names) == len(set(names))
