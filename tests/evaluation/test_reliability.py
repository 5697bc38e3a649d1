"""Bins, ECE and Brier score against a loop."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from action_units.evaluation.reliability import BINS, reliability_curve, subject_calibration


def data(n: int = 500) -> tuple[np.ndarray, ...]:
    random = np.random.default_rng(n)
    p = np.round(random.random((n, 3)), 2)
    labels = (random.random(p.shape) < p**2).astype(np.int8)
    labels[random.random(p.shape) < 0.1] = -1
    labels[:, 2] = -1
    return labels, p, random.integers(4, size=n)


def naive_ece(y: np.ndarray, p: np.ndarray, bins: int = BINS) -> float:
    total = 0.0
    for b in range(bins):
        inside = (np.floor(p * bins) == b) | ((b == bins - 1) & (p == 1))
        if inside.any():
            total += inside.sum() * abs(p[inside].mean() - y[inside].mean())
    return total / len(y)


def test_a_resample_is_the_loop_over_repeated_frames():
    labels, p, who = data()
    found = subject_calibration(labels, p, who, 4)
    times = np.random.default_rng(0).multinomial(4, [0.25] * 4, 20).astype(float)
    ece, brier = found.ece(times), found.brier(times)
    for row, drawn in enumerate(times):
        rows = np.repeat(np.arange(len(who)), drawn.astype(int)[who])
        for column in range(2):
            kept = rows[labels[rows, column] >= 0]
            y, scores = labels[kept, column], p[kept, column]
            assert ece[row, column] == pytest.approx(naive_ece(y, scores), abs=1e-12)
            assert brier[row, column] == pytest.approx(brier_score_loss(y, scores), abs=1e-12)
    assert np.isnan([ece[:, 2], brier[:, 2]]).all()


def test_the_curve_is_scikit_learns():
    labels, p, _ = data(3000)
    p = np.clip(p + 1e-3, 0, 1)  # scikit-learn puts an edge's frames into the lower bin
    n, mean_probability, share_positive = reliability_curve(labels, p, bins=10)
    known = labels[:, 0] >= 0
    share, mean = calibration_curve(labels[known, 0], p[known, 0], n_bins=10)
    filled = n[:, 0] > 0
    np.testing.assert_allclose(share_positive[filled, 0], share, atol=1e-12)
    np.testing.assert_allclose(mean_probability[filled, 0], mean, atol=1e-12)
    assert n.sum(axis=0).tolist() == (labels >= 0).sum(axis=0).tolist()
    assert np.isnan(share_positive[:, 2]).all()


def test_probability_one_is_in_the_last_bin():
    n, _, share = reliability_curve(np.array([[1], [0]], np.int8), np.array([[1.0], [0.0]]))
    assert n[[0, -1], 0].tolist() == [1, 1]
    assert share[[0, -1], 0].tolist() == [0, 1]


def test_sure_and_right_is_calibrated_and_sure_and_wrong_is_not():
    labels = np.array([[1], [0], [1]], np.int8)
    nobody = np.zeros(3, int)
    right = subject_calibration(labels, labels.astype(float), nobody, 1)
    wrong = subject_calibration(labels, 1.0 - labels, nobody, 1)
    assert right.ece(np.ones((1, 1)))[0, 0] == right.brier(np.ones((1, 1)))[0, 0] == 0
    assert wrong.ece(np.ones((1, 1)))[0, 0] == wrong.brier(np.ones((1, 1)))[0, 0] == 1
