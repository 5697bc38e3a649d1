"""AUC and average precision of resampled subjects against scikit-learn on repeated frames."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from action_units.evaluation import ranks
from action_units.evaluation.ranks import subject_ranks


def frames(n: int, subjects: int, steps: int, seed: int = 0) -> tuple[np.ndarray, ...]:
    random = np.random.default_rng([n, subjects, steps, seed])
    who = random.integers(subjects, size=n)
    labels = (random.random(n) < 0.1 + 0.3 * (who % 2)).astype(np.int8)
    labels[random.random(n) < 0.1] = -1
    scores = np.round((0.3 * (labels == 1) + 0.7 * random.random(n)) * steps) / steps
    return labels, scores, who


def repeated(labels, scores, who, drawn):
    """The frames of each subject as often as it is drawn."""
    rows = np.repeat(np.arange(len(who)), drawn.astype(int)[who])
    kept = rows[labels[rows] >= 0]
    return labels[kept], scores[kept]


@pytest.mark.parametrize("steps", [2, 10, 10**9])
@pytest.mark.parametrize("block", [1, 7, 1024])
def test_a_resample_is_scikit_learn_on_repeated_frames(steps, block, monkeypatch):
    monkeypatch.setattr(ranks, "_WEIGHTED", block * 25)
    monkeypatch.setattr(ranks, "_COUNTED", block)
    data = frames(300, 6, steps)
    found = subject_ranks(*data, 6)
    times = np.random.default_rng(1).multinomial(6, np.full(6, 1 / 6), 25).astype(float)
    times[0] = 1
    auc, precision = found.auc(times), found.average_precision(times)
    for row, drawn in enumerate(times):
        y, p = repeated(*data, drawn)
        assert auc[row] == pytest.approx(roc_auc_score(y, p), abs=1e-12)
        assert precision[row] == pytest.approx(average_precision_score(y, p), abs=1e-12)


def test_a_resample_of_one_class_is_undefined():
    labels = np.array([1, 1, 0, 0, 1, 0], np.int8)
    who = np.array([0, 0, 1, 1, 2, 2])  # positives alone, negatives alone, both
    found = subject_ranks(labels, np.array([0.9, 0.1, 0.8, 0.2, 0.5, 0.4]), who, 3)
    times = np.array([[3, 0, 0], [0, 3, 0], [0, 0, 3], [0, 0, 0]], float)
    np.testing.assert_array_equal(np.isnan(found.auc(times)), [True, True, False, True])
    precision = found.average_precision(times)
    np.testing.assert_array_equal(precision, [1.0, np.nan, 1.0, np.nan])


def test_wins_count_each_pair_of_subjects_and_ties_half():
    labels = np.array([1, 0, 0, 1, 0], np.int8)
    scores = np.array([0.5, 0.5, 0.2, 0.9, 0.1])
    found = subject_ranks(labels, scores, np.array([0, 0, 1, 1, 1]), 2)
    # Subject 0's positive ties with its own negative and beats both of subject 1.
    np.testing.assert_array_equal(found.wins, [[1, 4], [2, 4]])


def test_subjects_that_are_not_drawn_leave_no_trace():
    data = frames(200, 3, 10)
    found = subject_ranks(*data, 3)
    alone = data[2] != 1
    fewer = subject_ranks(data[0][alone], data[1][alone], data[2][alone], 3)
    times = np.array([[2.0, 0.0, 1.0]])
    assert found.auc(times) == fewer.auc(np.array([[2.0, 5.0, 1.0]]))
    assert found.average_precision(times) == fewer.average_precision(times)


def test_no_frames_are_undefined():
    nothing = np.zeros(0, np.int8)
    found = subject_ranks(nothing, np.zeros(0), np.zeros(0, int), 2)
    assert np.isnan(found.auc(np.ones((3, 2)))).all()
    assert np.isnan(found.average_precision(np.ones((3, 2)))).all()
