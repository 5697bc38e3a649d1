import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score

from action_units.training.validation import validation_scores


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=40).filter(
        lambda rows: len({row[0] for row in rows}) == 2
    )
)
def test_scores_are_scikit_learns(rows):
    labels = np.array([row[0] for row in rows], float)
    ranks = np.array([row[1] for row in rows]) / 7
    precision, f1 = validation_scores(labels[:, None], ranks[:, None])
    assert precision == pytest.approx(average_precision_score(labels, ranks), abs=1e-12)
    best = max(f1_score(labels, ranks >= threshold) for threshold in np.unique(ranks))
    assert f1 == pytest.approx(best, abs=1e-12)


def test_missing_labels_are_left_out():
    labels = np.array([[1.0], [0.0], [-1.0]])
    assert validation_scores(labels, np.array([[0.9], [0.1], [1.0]]))[0] == 1.0


def test_an_au_with_one_class_or_too_few_faces_does_not_join():
    labels = np.zeros((40, 3))
    labels[:20, 0] = 1  # enough
    labels[39, 1] = 1  # one positive, ranked last
    ranks = np.tile(np.linspace(1, 0, 40)[:, None], (1, 3))
    assert validation_scores(labels, ranks)[0] == 1.0
    # Where no AU has enough, those with both classes join.
    assert validation_scores(labels[:, 1:], ranks[:, 1:])[0] == 1 / 40


def test_scores_without_two_classes_are_nan():
    assert np.isnan(validation_scores(np.zeros((5, 2)), np.zeros((5, 2)))).all()
