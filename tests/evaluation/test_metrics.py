"""Metrics of small tables, and where they are undefined; scikit-learn is compared elsewhere."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as sk

from action_units.evaluation import metrics
from action_units.evaluation.metrics import Confusion
from action_units.evaluation.predictions import check_arrays
from action_units.evaluation.ranks import subject_ranks
from action_units.evaluation.subject_statistics import METRICS


@st.composite
def labelled(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Labels (N, A) with some missing, and probabilities with many ties."""
    shape = (draw(st.integers(1, 30)), draw(st.integers(1, 3)))
    labels = draw(arrays(np.int8, shape, elements=st.sampled_from([-1, 0, 0, 1, 1])))
    tied = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])
    scores = draw(arrays(np.float64, shape, elements=st.one_of(tied, st.floats(0, 1))))
    return labels, scores


@settings(max_examples=60, deadline=None)
@given(labelled())
def test_every_cut_of_a_ranking_is_scikit_learns(data):
    labels, scores = data
    for column in range(labels.shape[1]):
        known = labels[:, column] >= 0
        y, p = labels[known, column], scores[known, column]
        ranking = metrics.rank(labels[:, column], scores[:, column])
        precision = ranking.average_precision()
        if y.any():
            assert precision == pytest.approx(sk.average_precision_score(y, p), abs=1e-12)
            cuts = [sk.f1_score(y, p >= cut) for cut in ranking.scores]
            np.testing.assert_allclose(ranking.f1(), cuts, atol=1e-12)
        else:
            assert np.isnan(precision)
            assert np.isnan(ranking.f1()).all()


@settings(max_examples=100, deadline=None)
@given(labelled(), st.integers(2, 5))
def test_f1_norm_does_not_change_when_all_negatives_are_repeated(data, times):
    labels, scores = data
    y, p = labels[:, :1], scores[:, :1]
    negative = y[:, 0] == 0
    more_y = np.concatenate([y, *[y[negative]] * times])
    more_p = np.concatenate([p, *[p[negative]] * times])
    once = metrics.confusion(y, p >= 0.5)
    often = metrics.confusion(more_y, more_p >= 0.5)
    np.testing.assert_allclose(metrics.f1_norm(often), metrics.f1_norm(once), atol=1e-12)
    if once.support[0] == once.fp[0] + once.tn[0] > 0:
        np.testing.assert_allclose(metrics.f1_norm(once), metrics.f1(once), atol=1e-12)


def test_f1_norm_weighs_false_positives_by_the_imbalance():
    counts = Confusion(tp=np.array([6]), fp=np.array([10]), fn=np.array([4]), tn=np.array([90]))
    # 10 positives, 100 negatives: ten false positives weigh as one.
    assert metrics.f1_norm(counts)[0] == pytest.approx(12 / (12 + 1 + 4))


def test_mcc_of_a_set_whose_product_of_counts_is_beyond_64_bits():
    tp, fp, fn, tn = 300_000, 40_000, 50_000, 5_000_000
    counts = Confusion(*(np.array([v]) for v in (tp, fp, fn, tn)))
    exact = (tp * tn - fp * fn) / ((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)) ** 0.5
    assert metrics.mcc(counts)[0] == pytest.approx(exact, rel=1e-12)


def test_large_ranks_do_not_overflow():
    n = 130_814
    labels = np.arange(n, dtype=np.int64).astype(np.int8) & 1
    one = np.zeros(n, np.intp)
    ranking = subject_ranks(labels, np.linspace(0, 1, n), one, 1)
    expected = sk.roc_auc_score(labels, np.linspace(0, 1, n))
    assert ranking.auc(np.ones((1, 1)))[0] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("value", [0, 1])
def test_one_class_only(value):
    labels = np.full((5, 1), value, np.int8)
    counts = metrics.confusion(labels, np.array([[True], [False], [True], [False], [True]]))
    assert np.isnan(metrics.balanced_accuracy(counts)[0])
    assert np.isnan(metrics.mcc(counts)[0])
    assert np.isnan(metrics.f1_norm(counts)[0])
    assert np.isnan(metrics.f1(counts)[0]) == (value == 0)


def test_nothing_found_is_zero_and_nothing_to_find_is_undefined():
    nobody_called = np.zeros((4, 2), bool)
    counts = metrics.confusion(np.array([[1, 0]] * 4, np.int8), nobody_called)
    np.testing.assert_array_equal(metrics.f1(counts), [0.0, np.nan])
    assert np.isnan(metrics.precision(counts)).all()


def test_no_frames_at_all_leave_everything_undefined():
    labels, scores = check_arrays(np.zeros((0, 2), np.int8), np.zeros((0, 2)))
    counts = metrics.confusion(labels, scores >= 0.5)
    for metric in METRICS.values():
        if metric.source == "counts":
            assert np.isnan(metric.compute(counts)).all(), metric.title
