"""Medians and spreads of what was predicted of each coded intensity."""

import numpy as np
import pytest

from action_units.evaluation.figures.intensity import draw_intensity


@pytest.mark.parametrize("head", [False, True])
def test_a_dot_at_the_median_and_lines_over_the_middle(head):
    random = np.random.default_rng(1)
    coded = random.integers(0, 4, (300, 2)).astype(float)
    coded[:20, 0] = np.nan
    coded[:, 1] = np.nan
    predicted = random.random((300, 2)) * (5 if head else 1)
    known, unknown = draw_intensity(coded, predicted, (1, 2), head).axes
    assert len(known.lines) == 3 * 4
    for level in range(4):
        whole, half, dot = known.lines[3 * level : 3 * level + 3]
        values = predicted[coded[:, 0] == level, 0]
        assert dot.get_xydata().tolist() == [[level, np.median(values)]]
        np.testing.assert_allclose(whole.get_ydata(), np.quantile(values, [0.05, 0.95]))
        np.testing.assert_allclose(half.get_ydata(), np.quantile(values, [0.25, 0.75]))
    assert known.get_ylim() == (0, 5 if head else 1)
    assert [text.get_text() for text in unknown.texts] == ["n/a"]
