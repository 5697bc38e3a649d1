"""The figures of a run: what they draw, and that they are reproducible."""

import math
import re
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.colors import to_hex

from action_units.evaluation import metrics, report
from action_units.evaluation.predictions import prediction_arrays
from action_units.evaluation.reliability import reliability_curve
from action_units.evaluation.report import theme
from action_units.evaluation.report.examples import KINDS, Example
from action_units.evaluation.report.plots import (
    CO_OCCURRENCES,
    co_occurrence,
    draw_all_training_curves,
    draw_co_occurrence,
    draw_confusion,
    draw_examples,
    draw_f1_by_au,
    draw_intensity,
    draw_levels,
    draw_precision_recall,
    draw_prevalence,
    draw_reliability,
    draw_subject_heat_map,
    draw_training_curves,
)
from action_units.evaluation.report.theme import LIGHT
from action_units.evaluation.summary import summarise
from tests.evaluation.made_up import made_up_curve, made_up_fold, made_up_predictions

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module", params=[(1, False), (3, True)], ids=str)
def summary(request):
    """A run of one or three folds, without and with scratch; AU05 is never shown."""
    n_folds, scratch = request.param
    return summarise(
        [made_up_fold(n, scratch=scratch, absent=[5]) for n in range(1, n_folds + 1)]
    )


def bars(axes) -> list[float]:
    return [bar.get_width() for bar in axes.patches]


def lines_in(axes, colour: str) -> list:
    return [line for line in axes.lines if to_hex(line.get_color()) == colour]


def test_f1_by_au_has_a_bar_per_defined_au(summary):
    figure = draw_f1_by_au(summary)
    (axes,) = figure.axes
    lines = summary.scores["finetuned"].aus
    expected = [lines[au].mean_of_folds.value for au in summary.aus if au != 5]
    assert bars(axes) == expected
    assert [text.get_text() for text in axes.texts] == ["n/a"]
    assert axes.get_yticklabels()[3].get_text() == "Upper lid raiser  AU05"
    diamonds = [line for line in axes.lines if line.get_marker() == "D"]
    assert len(diamonds) == (11 if "scratch" in summary.scores else 0)
    ticks = [line.get_xdata()[0] for line in lines_in(axes, LIGHT.bad)]
    baselines = [
        summary.all_positive.aus[au].mean_of_folds.value for au in summary.aus if au != 5
    ]
    assert ticks == baselines
    assert theme.to_png(figure).startswith(PNG)


def test_all_training_curves_have_a_panel_per_fold(summary):
    figure = draw_all_training_curves(summary.folds)
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        f"Fold {fold.fold}" for fold in summary.folds
    ]
    for axes, fold in zip(figure.axes, summary.folds, strict=True):
        assert len(axes.lines) == len(fold.models)
        np.testing.assert_array_equal(axes.lines[0].get_xdata(), [1, 2, 3, 4, 5, 6])
    assert theme.to_png(figure).startswith(PNG)


def test_prevalence_has_a_bar_per_fold_and_au(summary):
    figure = draw_prevalence(summary)
    heights = [bar.get_height() for bar in figure.axes[0].patches]
    expected = np.concatenate([fold.finetuned.au_table["prevalence"] for fold in summary.folds])
    np.testing.assert_array_equal(heights, expected)
    assert theme.to_png(figure).startswith(PNG)


def test_the_heat_map_has_a_row_per_test_subject(summary):
    figure = draw_subject_heat_map(summary)
    values = np.ma.filled(figure.axes[0].images[0].get_array(), np.nan)
    assert values.shape == (3 * len(summary.folds), 12)
    assert np.isnan(values[:, 3]).all()
    assert not np.isnan(values[:, 0]).any()
    assert theme.to_png(figure).startswith(PNG)


def test_training_curves_start_at_epoch_one_and_mark_the_best():
    figure = draw_training_curves({"finetuned": made_up_curve()})
    above, below = figure.axes
    curve, mark = above.lines
    np.testing.assert_array_equal(curve.get_xdata(), [1, 2, 3, 4, 5, 6])
    np.testing.assert_array_equal(mark.get_xdata(), [6])
    np.testing.assert_array_equal(mark.get_ydata(), made_up_curve()["validation_macro_f1"][5:])
    np.testing.assert_array_equal(
        below.lines[0].get_ydata(), made_up_curve()["validation_loss"]
    )
    np.testing.assert_array_equal(below.lines[1].get_ydata(), made_up_curve()["train_loss"])


def test_only_the_last_best_epoch_is_marked():
    curve = made_up_curve()
    curve["best"] = [True, True, False, True, False, False]
    figure = draw_training_curves({"finetuned": curve})
    np.testing.assert_array_equal(figure.axes[0].lines[1].get_xdata(), [4])


def test_a_line_does_not_break_at_epochs_without_validation():
    curve = made_up_curve()
    curve.loc[[0, 2, 4], ["validation_loss", "validation_macro_f1"]] = np.nan
    above, below = draw_training_curves({"finetuned": curve}).axes
    np.testing.assert_array_equal(above.lines[0].get_xdata(), [2, 4, 6])
    assert not np.isnan(above.lines[0].get_ydata()).any()
    np.testing.assert_array_equal(below.lines[1].get_xdata(), [1, 2, 3, 4, 5, 6])


def test_curves_without_validation_draw_the_training_loss():
    curve = made_up_curve().assign(
        validation_loss=math.nan, validation_macro_f1=math.nan, best=False
    )
    figure = draw_training_curves({"finetuned": curve, "scratch": made_up_curve()}, "T")
    assert len(figure.axes[1].lines[1].get_xdata()) == 6
    assert theme.to_png(figure).startswith(PNG)


def test_a_fold_without_curves_leaves_its_panel_empty():
    fold = made_up_fold(1)
    object.__setattr__(fold.finetuned, "curve", made_up_curve().iloc[:0])
    figure = draw_all_training_curves([fold])
    assert not figure.axes[0].lines
    assert figure.axes[0].get_legend() is None


def test_precision_recall_ends_at_the_prevalence():
    aus, labels, probabilities = prediction_arrays(
        made_up_predictions(aus=(1, 2, 4, 5, 12), absent=[5])
    )
    figure = draw_precision_recall(labels, probabilities, aus, points=30)
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in shown] == [
        "AU01", "AU02", "AU04", "AU05", "AU12",
    ]  # fmt: skip
    assert [text.get_text() for text in shown[3].texts] == ["n/a"]
    for column in (0, 1, 2, 4):
        curve, base = shown[column].lines
        assert len(curve.get_xdata()) <= 30
        known = labels[labels[:, column] >= 0, column]
        assert (curve.get_xdata()[-1], curve.get_ydata()[-1]) == (1.0, known.mean())
        assert base.get_ydata()[0] == known.mean()
    assert theme.to_png(figure).startswith(PNG)


def test_a_rare_au_in_many_frames_keeps_the_shape_of_its_curve():
    random = np.random.default_rng(0)
    labels = (random.random((20_000, 1)) < 0.01).astype(np.int8)
    p = 0.5 * random.random((20_000, 1)) + 0.5 * labels
    line = draw_precision_recall(labels, p, (5,), points=50).axes[0].lines[0]
    assert len(line.get_xdata()) <= 50
    assert np.diff(line.get_xdata()).max() < 0.05


def test_examples_are_drawn_by_kind():
    face = np.zeros((16, 16), np.uint8)
    found = {"true positive": [Example(face, "SN001", "12", 0.9)] * 3, "false positive": []}
    figure = draw_examples(found, "AU12")
    assert sum(len(axes.images) for axes in figure.axes) == 3
    titles = {axes.get_title(loc="left") for axes in figure.axes} - {""}
    assert titles == set(KINDS)
    assert "SN001  0.90" in {text.get_text() for axes in figure.axes for text in axes.texts}
    assert theme.to_png(figure).startswith(PNG)
    assert theme.to_png(draw_examples({}, "none")).startswith(PNG)


def test_figures_are_the_same_bytes_each_time(summary):
    def png() -> list[bytes]:
        return [
            theme.to_png(draw_f1_by_au(summary)),
            theme.to_png(draw_all_training_curves(summary.folds)),
        ]

    def svg() -> str:
        curves = {name: model.curve for name, model in summary.folds[0].models.items()}
        return theme.to_inline_svg(draw_training_curves(curves), "curves1", "Curves")

    assert png() == png()
    assert svg() == svg()


def test_a_users_matplotlib_settings_do_not_matter(summary):
    first = theme.to_png(draw_f1_by_au(summary))
    with mpl.rc_context({"font.size": 20, "text.color": "red", "axes.facecolor": "green"}):
        before = dict(mpl.rcParams)
        assert theme.to_png(draw_f1_by_au(summary)) == first
        assert dict(mpl.rcParams) == before


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
    coded, called, difference = (words(axes) for axes in figure.axes)
    # Called: of 2 frames with AU 1 where AU 2 was coded, 1 has AU 2.
    assert (coded[1], called[1], difference[1]) == ("67", "50", "−17")
    assert (coded[0], called[0], difference[0]) == ("", "", "")
    assert coded[6] == "·"
    text = theme.to_inline_svg(
        draw_co_occurrence(LABELS, CALLED, (1, 2, 4), ["difference"]), "a", "b"
    )
    assert "var(--bad)" in text
    assert LIGHT.bad not in text


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
    css = (Path(report.__file__).parent / "templates/page.css").read_text()
    figure = draw_confusion(metrics.confusion(LABELS, LABELS == 1), (1, 2, 4))
    opacity = max(axes.collections[0].get_facecolor()[:, 3].max() for axes in figure.axes)
    light, dark = css.split("prefers-color-scheme: dark")[:2]
    for theme_css in (light, dark):
        colours = dict(re.findall(r"--(\w+): (#\w{6})", theme_css)[:12])
        for name in ("ours", "bad"):
            cell = luminance(over(colours[name], opacity, colours["paper"]))
            ends = sorted((cell, luminance(colours["ink"])))
            assert (ends[1] + 0.05) / (ends[0] + 0.05) > 4.5


def test_the_dots_are_the_bins_that_hold_frames():
    aus, labels, p = prediction_arrays(made_up_predictions(aus=(1, 2, 4)))
    labels, p = labels.copy(), p.copy()
    labels[:, 2] = -1
    p[0, 0] = 1.0  # a bin of few frames
    p[1:, 0] *= 0.75
    figure = draw_reliability(labels, p, aus, bins=5)
    n, mean_probability, share_positive = reliability_curve(labels, p, 5)
    for column, axes in enumerate(figure.axes[:2]):
        diagonal, line = axes.lines
        np.testing.assert_array_equal(diagonal.get_xydata(), [[0, 0], [1, 1]])
        kept = n[:, column] > 0
        np.testing.assert_array_equal(line.get_xdata(), mean_probability[kept, column])
        np.testing.assert_array_equal(line.get_ydata(), share_positive[kept, column])
        sizes = axes.collections[0].get_sizes()
        assert (np.argsort(sizes) == np.argsort(n[kept, column])).all()
    assert [text.get_text() for text in figure.axes[2].texts] == ["n/a"]


def test_one_au_is_one_panel_in_the_pages_colours():
    aus, labels, p = prediction_arrays(made_up_predictions(aus=(12,)))
    figure = draw_reliability(labels, p, aus)
    assert len(figure.axes) == 1
    text = theme.to_inline_svg(figure, "one", "One")
    assert "var(--ours)" in text
    drawn = set(re.findall(r"(?:fill|stroke): (#\w+)", text))
    assert not drawn & {*vars(LIGHT).values()}


def test_a_cell_of_levels_is_the_percent_of_its_row():
    counts = np.zeros((2, 6, 6), np.int64)
    counts[0, 0, :2] = [30, 10]
    counts[0, 3, 5] = 7
    first, second = draw_levels(counts, (1, 2)).axes
    written = {t.get_position(): t.get_text() for t in first.texts if t.get_text()}
    assert written == {(0, 0): "75", (1, 0): "25", (5, 3): "100"}
    assert not [t for t in second.texts if t.get_text()]


def test_a_dot_at_the_median_and_lines_over_the_middle():
    random = np.random.default_rng(1)
    coded = random.integers(0, 4, (300, 2)).astype(float)
    coded[:20, 0] = np.nan
    coded[:, 1] = np.nan
    predicted = random.random((300, 2))
    known, unknown = draw_intensity(coded, predicted, (1, 2)).axes
    assert len(known.lines) == 3 * 4
    for level in range(4):
        whole, half, dot = known.lines[3 * level : 3 * level + 3]
        values = predicted[coded[:, 0] == level, 0]
        assert dot.get_xydata().tolist() == [[level, np.median(values)]]
        np.testing.assert_allclose(whole.get_ydata(), np.quantile(values, [0.05, 0.95]))
        np.testing.assert_allclose(half.get_ydata(), np.quantile(values, [0.25, 0.75]))
    assert known.get_ylim() == (0, 5)
    assert [text.get_text() for text in unknown.texts] == ["n/a"]
