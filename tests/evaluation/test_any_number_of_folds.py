"""Runs of one fold, of many, and of a fold for each subject."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from action_units.errors import ConfigurationError
from action_units.evaluation.comparison import compare
from action_units.evaluation.predictions import Predictions
from action_units.evaluation.report.plots import draw_all_training_curves, draw_prevalence
from action_units.evaluation.report.published import PUBLISHED_DISFA, results_on
from action_units.evaluation.report.report import render_report
from action_units.evaluation.report.tables import markdown_table
from action_units.evaluation.summary import summarise
from action_units.labels.folds import FG2020, STANDARD
from tests.evaluation.made_up import made_up_fold, made_up_predictions, made_up_run

FEW = (1, 12)  # AUs, so that pages are quick


@pytest.fixture(scope="module")
def each_subject():
    """A fold for each of 8 subjects; two never show AU 12."""
    folds, tables = made_up_run(8, 1, aus=FEW, absent_in={3: (12,), 7: (12,)})
    return summarise(folds), tables


@pytest.fixture(scope="module")
def held_out():
    return summarise(made_up_run(1, 4, protocol="held_out", aus=FEW)[0])


def without_curves(fold):
    models = {name: replace(model, curve=pd.DataFrame()) for name, model in fold.models.items()}
    return replace(fold, **models)


def test_the_interval_of_folds_of_one_subject_resamples_the_subjects(each_subject):
    summary, _ = each_subject
    line = summary.scores["finetuned"].aus[1]
    by_subject = np.array(list(line.by_fold.values()))
    random = np.random.default_rng(1)
    means = by_subject[random.integers(8, size=(20_000, 8))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    mean = line.mean_of_folds
    assert mean.low < mean.value < mean.high
    assert (mean.low, mean.high) == pytest.approx((low, high), abs=0.15 * (high - low))


def test_a_gain_over_folds_of_one_subject_is_paired(each_subject):
    summary, _ = each_subject
    gain = summary.gains["f1"].aus[1]
    assert gain.mean_of_folds.value == pytest.approx(np.mean(list(gain.by_fold.values())))
    assert gain.mean_of_folds.low < gain.mean_of_folds.value < gain.mean_of_folds.high


def test_subjects_who_never_show_an_au_are_left_out_and_it_is_said(each_subject):
    summary, _ = each_subject
    line = summary.scores["finetuned"].aus[12]
    assert (line.defined, line.possible) == (6, 8)
    defined = [value for value in line.by_fold.values() if not np.isnan(value)]
    assert line.mean_of_folds.value == pytest.approx(np.mean(defined))
    (warning,) = summary.warnings
    assert warning.startswith("Each fold tests one subject")


def test_a_run_of_more_folds_than_subjects_in_each_differs_from_itself_by_nothing(each_subject):
    _, tables = each_subject
    predictions = {n: Predictions.read(table, [0.5] * 2) for n, table in tables.items()}
    difference = compare(predictions, predictions).differences["f1"].averages
    for line in difference.values():
        mean = line.mean_of_folds
        assert (mean.value, mean.low, mean.high) == (0, 0, 0)


def test_many_folds_are_a_range_and_a_table_of_their_own_on_the_page(each_subject):
    summary, _ = each_subject
    folds = [without_curves(fold) for fold in summary.folds]  # which take long to draw
    page = render_report(replace(summary, folds=tuple(folds)))
    values = [v for v in summary.scores["finetuned"].aus[12].by_fold.values() if v == v]
    assert f"{min(values):.3f}–{max(values):.3f}" in page
    assert "lowest to highest fold" in page
    assert ">fold 7</th>" not in page
    assert all(f'href="#fold{n}"' in page and f'id="fold{n}"' in page for n in range(1, 9))


def test_figures_of_many_folds_stay_narrow(each_subject):
    summary, _ = each_subject
    curves = draw_all_training_curves(summary.folds)
    shown = [axes for axes in curves.axes if axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in shown] == [f"Fold {n}" for n in range(1, 9)]
    assert curves.get_size_inches()[0] <= 17
    (axes,) = draw_prevalence(summary).axes
    assert not axes.patches
    dots = np.array([line.get_ydata() for line in axes.lines])
    expected = [fold.finetuned.au_table["prevalence"] for fold in summary.folds]
    np.testing.assert_array_equal(dots, expected)


def test_one_fold_is_not_called_a_mean(held_out):
    assert "one fold (held_out), with 95 % intervals" in markdown_table(held_out)
    page = render_report(held_out)
    assert "Published results" not in page
    assert "1&nbsp;of&nbsp;1" in page
    assert "12 AUs, mean of folds" not in page
    assert held_out.warnings == ()
    mean = held_out.scores["finetuned"].aus[1]
    assert mean.mean_of_folds.value == mean.pooled.value == mean.by_fold[1]


def test_folds_of_a_protocol_that_was_changed_are_not_averaged():
    five, _ = made_up_run(5, 2, aus=FEW, scratch=False)
    two, _ = made_up_run(2, 5, aus=FEW, scratch=False)
    with pytest.raises(ConfigurationError) as error:
        summarise([two[0], five[4]])
    assert str(error.value) == (
        "folds 1 and 5 cannot be averaged: the protocol had 2 folds for one and 5 for the "
        "other; the protocol or the data was changed after the first was trained, so train "
        "all folds with another `run` name."
    )
    with pytest.raises(ConfigurationError, match="P00 is tested in fold 1 and in fold 2: each"):
        summarise([five[0], replace(five[0], fold=2)])


def published(protocol, **changes):
    fold = made_up_fold(1, aus=FEW)
    tested = [replace(fold, protocol=protocol.name, fold=k) for k in protocol.folds]
    folds = []
    for one in tested:
        group = changes.get("groups", protocol.groups)[one.fold - 1]
        counts = replace(one.finetuned.subject_counts, subjects=tuple(sorted(group))[:3])
        model = replace(one.finetuned, subject_counts=counts)
        folds.append(replace(one, train=("x",), validation=("y",), test=group, finetuned=model))
    return folds


@pytest.mark.parametrize("protocol", [FG2020, STANDARD])
def test_published_results_stand_beside_their_own_folds_alone(protocol):
    folds = published(protocol)
    assert results_on(folds, 2.0) == results_on(folds[1:], 2.0) == PUBLISHED_DISFA
    assert results_on([replace(one, protocol="five_folds") for one in folds], 2.0) == ()
    fewer = tuple(group[:3] for group in protocol.groups)
    assert results_on(published(protocol, groups=fewer), 2.0) == ()
    assert results_on([*folds[:2], replace(folds[2], fold=4)], 2.0) == ()
    assert results_on(folds, None) == PUBLISHED_DISFA
    assert results_on(folds, 1.0) == ()


def test_made_up_folds_are_what_they_say():
    folds, tables = made_up_run(2, 3, aus=FEW)
    table = made_up_predictions(folds[1].test, seed=2, aus=FEW)
    assert tables[2].equals(table)
