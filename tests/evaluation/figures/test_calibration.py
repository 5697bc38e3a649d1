"""Reliability panels hold the bins of the reliability curve."""

import re

import numpy as np

from action_units.evaluation.figures.calibration import draw_reliability
from action_units.evaluation.reliability import reliability_curve
from action_units.evaluation.report import theme
from action_units.evaluation.report.theme import LIGHT, STAND_INS
from action_units.evaluation.tables import prediction_arrays
from tests.evaluation.made_up import made_up_predictions


def test_the_dots_are_the_bins_that_hold_frames():
    aus, labels, p = prediction_arrays(made_up_predictions(aus=(1, 2, 4)))
    labels, p = labels.copy(), p.copy()
    labels[:, 2] = -1
    p[0, 0] = 1.0  # a bin of few frames
    p[1:, 0] *= 0.75
    figure = draw_reliability(labels, p, aus, bins=5)
    curve = reliability_curve(labels, p, 5)
    for column, axes in enumerate(figure.axes[:2]):
        diagonal, line = axes.lines
        np.testing.assert_array_equal(diagonal.get_xydata(), [[0, 0], [1, 1]])
        kept = curve.n[:, column] > 0
        np.testing.assert_array_equal(line.get_xdata(), curve.mean_probability[kept, column])
        np.testing.assert_array_equal(line.get_ydata(), curve.share_positive[kept, column])
        sizes = axes.collections[0].get_sizes()
        assert (np.argsort(sizes) == np.argsort(curve.n[kept, column])).all()
    assert [text.get_text() for text in figure.axes[2].texts] == ["n/a"]


def test_one_au_is_one_panel_in_the_pages_colours():
    aus, labels, p = prediction_arrays(made_up_predictions(aus=(12,)))
    figure = draw_reliability(labels, p, aus, palette=STAND_INS)
    assert len(figure.axes) == 1
    text = theme.to_inline_svg(figure, "one", "One")
    assert "var(--ours)" in text
    drawn = set(re.findall(r"(?:fill|stroke): (#\w+)", text))
    assert not drawn & {*vars(LIGHT).values(), *vars(STAND_INS).values()}
