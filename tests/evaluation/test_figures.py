"""Figures draw for any run, show what they should, and are the same bytes each time."""

import math

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_hex

from action_units.evaluation.figures.faces import draw_examples
from action_units.evaluation.figures.ranking import draw_precision_recall
from action_units.evaluation.figures.scores import (
    draw_f1_by_au,
    draw_prevalence,
    draw_subject_heat_map,
)
from action_units.evaluation.figures.training import (
    draw_all_training_curves,
    draw_training_curves,
)
from action_units.evaluation.report import theme
from action_units.evaluation.report.examples import KINDS, Example
from action_units.evaluation.report.theme import LIGHT, STAND_INS
from action_units.evaluation.summary import summarise
from action_units.evaluation.tables import prediction_arrays
from tests.evaluation.made_up import made_up_curve, made_up_fold, made_up_predictions

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module", params=[(1, False), (2, True), (3, True)], ids=str)
def summary(request):
    """A run of one to three folds, with and without scratch; AU05 is never shown."""
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
    ticks = [line.get_xdata()[0] for line in lines_in(axes, LIGHT.wrong)]
    floors = [summary.floor.aus[au].mean_of_folds.value for au in summary.aus if au != 5]
    assert ticks == floors
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
    found = {"right": [Example(face, "SN001", "12", 0.9)] * 3, "wrong": [], "missed": []}
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
        figure = draw_training_curves(curves, palette=STAND_INS)
        return theme.to_inline_svg(figure, "curves1", "Curves")

    assert png() == png()
    assert svg() == svg()


def test_a_users_matplotlib_settings_do_not_matter(summary):
    first = theme.to_png(draw_f1_by_au(summary))
    with mpl.rc_context({"font.size": 20, "text.color": "red", "axes.facecolor": "green"}):
        before = dict(mpl.rcParams)
        assert theme.to_png(draw_f1_by_au(summary)) == first
        assert dict(mpl.rcParams) == before
