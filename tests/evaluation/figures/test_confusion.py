"""Counts and shares in confusion figures; co-occurrence against a plain loop."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from action_units.evaluation import metrics, report
from action_units.evaluation.figures.confusion import (
    CO_OCCURRENCES,
    co_occurrence,
    draw_co_occurrence,
    draw_confusion,
    draw_one_co_occurrence,
)
from action_units.evaluation.report import theme
from action_units.evaluation.report.theme import LIGHT, STAND_INS

LABELS = np.array([[1, 1, 0], [1, 0, 0], [0, -1, 0], [1, 1, 0], [0, 1, 0]], np.int8)
CALLED = np.array([[1, 0, 0], [1, 1, 0], [1, 1, 0], [0, 0, 0], [0, 1, 1]], bool)


def words(axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_each_cell_has_its_frames_and_its_share_of_the_row():
    figure = draw_confusion(metrics.confusion(LABELS, CALLED), (1, 2, 4))
    first, second, third = figure.axes
    assert words(first) == ["2\n67%", "1\n33%", "1\n50%", "1\n50%"]
    assert words(second) == ["1\n33%", "2\n67%", "1\n100%", "0\n0%"]
    # Nobody shows AU 4: a share of nothing is no share.
    assert words(third) == ["0\nn/a", "0\nn/a", "1\n20%", "4\n80%"]
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["AU01", "AU02", "AU04"]


def test_co_occurrence_of_a_small_table():
    found = co_occurrence(LABELS == 1, LABELS >= 0)
    np.testing.assert_allclose(found[0], [1, 2 / 3, 0])
    np.testing.assert_allclose(found[1], [2 / 3, 1, 0])
    assert np.isnan(found[2]).all()


@given(arrays(np.int8, st.tuples(st.integers(1, 12), st.just(4)), elements=st.integers(-1, 1)))
def test_co_occurrence_is_the_share_that_a_loop_counts(labels):
    found = co_occurrence(labels == 1, labels >= 0)
    for row in range(4):
        for column in range(4):
            frames = [
                frame[column] == 1 for frame in labels if frame[row] == 1 and frame[column] >= 0
            ]
            if frames:
                assert found[row, column] == pytest.approx(np.mean(frames))
            else:
                assert np.isnan(found[row, column])


def test_the_difference_is_called_minus_coded_and_coloured_by_its_sign():
    figure = draw_co_occurrence(LABELS, CALLED, (1, 2, 4))
    assert [axes.get_title(loc="left") for axes in figure.axes] == list(CO_OCCURRENCES.values())
    coded, called, apart = (words(axes) for axes in figure.axes)
    # Called: of 2 frames with AU 1 where AU 2 was coded, 1 has AU 2.
    assert (coded[1], called[1], apart[1]) == ("67", "50", "−17")
    assert (coded[0], called[0], apart[0]) == ("", "", "")
    assert coded[6] == "·"
    text = theme.to_inline_svg(
        draw_one_co_occurrence("apart", LABELS, CALLED, (1, 2, 4), STAND_INS), "a", "b"
    )
    assert "var(--wrong)" in text
    assert not re.search(r"#a1b2\w\w", text)
    assert LIGHT.wrong not in text


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2."""
    parts = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def over(colour: str, opacity: float, paper: str) -> str:
    """A translucent colour on paper."""
    mixed = [
        round(
            opacity * int(colour[at : at + 2], 16) + (1 - opacity) * int(paper[at : at + 2], 16)
        )
        for at in (1, 3, 5)
    ]
    return "#" + "".join(f"{part:02x}" for part in mixed)


def test_figures_can_be_read_on_the_strongest_cell_in_both_themes():
    css = (Path(report.__file__).parent / "page.css").read_text()
    figure = draw_confusion(metrics.confusion(LABELS, LABELS == 1), (1, 2, 4))
    opacity = max(patch.get_alpha() for axes in figure.axes for patch in axes.patches)
    light, dark = css.split("prefers-color-scheme: dark")[:2]
    for theme_css in (light, dark):
        colours = dict(re.findall(r"--(\w+): (#\w{6})", theme_css)[:12])
        for name in ("ours", "wrong"):
            cell = luminance(over(colours[name], opacity, colours["paper"]))
            ends = sorted((cell, luminance(colours["ink"])))
            assert (ends[1] + 0.05) / (ends[0] + 0.05) > 4.5
