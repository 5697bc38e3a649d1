"""Every figure against scikit-learn, and what it does where it is not defined."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as sk

from action_units.evaluation import metrics
from action_units.evaluation.metrics import Confusion, PredictionError

FIGURES = {
    "precision": lambda y, hat: sk.precision_score(y, hat),
    "recall": lambda y, hat: sk.recall_score(y, hat),
    "f1": lambda y, hat: sk.f1_score(y, hat),
    "balanced_accuracy": lambda y, hat: sk.balanced_accuracy_score(y, hat),
    "mcc": lambda y, hat: sk.matthews_corrcoef(y, hat),
}


def is_defined(name: str, y: np.ndarray, hat: np.ndarray) -> bool:
    both = 0 < y.sum() < y.size
    return {
        "precision": hat.any(),
        "recall": y.any(),
        "f1": y.any(),
        "balanced_accuracy": both,
        "mcc": both and 0 < hat.sum() < hat.size,
    }[name]


@st.composite
def labelled(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Labels (N, A) with some missing, and probabilities with many ties."""
    shape = (draw(st.integers(1, 30)), draw(st.integers(1, 3)))
    labels = draw(arrays(np.int8, shape, elements=st.sampled_from([-1, 0, 0, 1, 1])))
    tied = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])
    scores = draw(arrays(np.float64, shape, elements=st.one_of(tied, st.floats(0, 1))))
    return labels, scores


@settings(max_examples=120, deadline=None)
@given(labelled(), st.sampled_from([0.0, 0.25, 0.4, 0.5, 1.0]))
def test_counted_figures_are_scikit_learns(data, threshold):
    labels, scores = data
    predicted = scores >= threshold
    counts = metrics.confusion(labels, predicted)
    for column in range(labels.shape[1]):
        known = labels[:, column] >= 0
        y, hat = labels[known, column], predicted[known, column]
        assert counts.n[column] == y.size
        assert counts.support[column] == y.sum()
        for name, reference in FIGURES.items():
            ours = getattr(metrics, name)(counts)[column]
            if y.size and is_defined(name, y, hat):
                assert ours == pytest.approx(reference(y, hat), abs=1e-12), name
            else:
                assert np.isnan(ours), name


@settings(max_examples=120, deadline=None)
@given(labelled())
def test_ranked_figures_are_scikit_learns(data):
    labels, scores = data
    for column in range(labels.shape[1]):
        known = labels[:, column] >= 0
        y, p = labels[known, column], scores[known, column]
        ranking = metrics.rank(labels[:, column], scores[:, column])
        auc, precision = ranking.auc(), ranking.average_precision()
        if 0 < y.sum() < y.size:
            assert auc == pytest.approx(sk.roc_auc_score(y, p), abs=1e-12)
        else:
            assert np.isnan(auc)
        if y.any():
            assert precision == pytest.approx(sk.average_precision_score(y, p), abs=1e-12)
            cuts = [sk.f1_score(y, p >= cut) for cut in ranking.scores]
            np.testing.assert_allclose(ranking.f1(), cuts, atol=1e-12)
        else:
            assert np.isnan(precision)
            assert np.isnan(ranking.f1()).all()


@settings(max_examples=80, deadline=None)
@given(labelled())
def test_the_brier_score_is_scikit_learns(data):
    labels, scores = data
    ours = metrics.brier(labels, scores)
    for column in range(labels.shape[1]):
        known = labels[:, column] >= 0
        y, p = labels[known, column], scores[known, column]
        if y.size:
            expected = sk.brier_score_loss(y, p, pos_label=1)
            assert ours[column] == pytest.approx(expected, abs=1e-12)
        else:
            assert np.isnan(ours[column])


@settings(max_examples=80, deadline=None)
@given(labelled())
def test_the_floor_is_the_f1_of_calling_everything_positive(data):
    labels, scores = data
    floor = metrics.floor_f1(metrics.confusion(labels, scores >= 0.5))
    for column in range(labels.shape[1]):
        y = labels[labels[:, column] >= 0, column]
        if y.any():
            expected = sk.f1_score(y, np.ones_like(y))
            assert floor[column] == pytest.approx(expected, abs=1e-12)
        else:
            assert np.isnan(floor[column])


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
    ranking = metrics.rank(labels, np.linspace(0, 1, n))
    assert ranking.auc() == pytest.approx(
        sk.roc_auc_score(labels, np.linspace(0, 1, n)), abs=1e-12
    )


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
    labels, scores = metrics.checked(np.zeros((0, 2), np.int8), np.zeros((0, 2)))
    counts = metrics.confusion(labels, scores >= 0.5)
    for name in (*FIGURES, "specificity", "prevalence", "floor_f1", "f1_norm"):
        assert np.isnan(getattr(metrics, name)(counts)).all(), name
    assert np.isnan(metrics.brier(labels, scores)).all()
    assert np.isnan(metrics.rank(labels[:, 0], scores[:, 0]).auc())


def test_counts_add_up_along_the_subjects():
    counts = Confusion(*(np.arange(6).reshape(3, 2) + i for i in range(4)))
    np.testing.assert_array_equal(counts.sum().tp, [6, 9])
    np.testing.assert_array_equal(counts.sum().n, counts.n.sum(axis=0))


def test_a_label_that_is_nan_is_missing():
    labels, _ = metrics.checked([[1.0, np.nan], [np.nan, 0.0]], np.full((2, 2), 0.5))
    assert labels.tolist() == [[1, -1], [-1, 0]]
    assert labels.dtype == np.int8


@pytest.mark.parametrize(
    ("labels", "probabilities", "sentence"),
    [
        ([[0, 1]], [[0.5, np.nan]], r"probability nan in row 0, AU column 1"),
        ([[0], [1]], [[0.5], [1.5]], r"probability 1\.5 in row 1, AU column 0"),
        ([[0], [1]], [[-0.1], [0.5]], r"probability -0\.1 in row 0"),
        ([[0], [2]], [[0.5], [0.5]], r"label 2 in row 1, AU column 0"),
        ([[0.0], [0.5]], [[0.5], [0.5]], r"label 0.5 in row 1"),
        ([[0.0], [np.inf]], [[0.5], [0.5]], r"label inf in row 1"),
        ([[0, 1]], [[0.5]], r"shape \(1, 2\) .* shape \(1, 1\)"),
        ([0, 1], [0.5, 0.5], r"must be \(frames, AUs\)"),
    ],
)
def test_what_is_no_label_or_probability_is_refused_with_its_place(
    labels, probabilities, sentence
):
    with pytest.raises(PredictionError, match=sentence):
        metrics.checked(labels, probabilities)
