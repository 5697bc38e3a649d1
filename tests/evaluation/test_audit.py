"""Labels that a network disbelieves, against a direct reading of the paper, and planted ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from action_units.evaluation.audit import audit, doubted


def confident_joint_off_diagonal(labels, probabilities):
    """Northcutt et al., equation 1, a face at a time, for both classes."""
    classes = [j for j in (0, 1) if j in labels]
    belief = [{0: 1 - p, 1: p} for p in probabilities]
    threshold = {
        j: np.mean([b[j] for b, y in zip(belief, labels, strict=True) if y == j])
        for j in classes
    }
    off = []
    for b, y in zip(belief, labels, strict=True):
        passing = [j for j in classes if b[j] >= threshold[j]]
        off.append(y in classes and bool(passing) and max(passing, key=b.get) != y)
    return np.array(off)


@given(
    st.lists(
        st.tuples(st.sampled_from([-1, 0, 1]), st.integers(0, 64).map(lambda k: k / 64)),
        min_size=1,
        max_size=30,
    )
)
def test_doubted_labels_are_those_off_the_diagonal_of_the_confident_joint(faces):
    labels = np.array([label for label, _ in faces], np.int8)
    p = np.array([probability for _, probability in faces])
    off, means = doubted(labels, p)
    if means[1] > means[0]:
        # At a tie of a mean of floats with a probability, rounding decides.
        clear = (np.abs(p - means[0]) > 1e-9) & (np.abs(p - means[1]) > 1e-9)
        expected = confident_joint_off_diagonal(labels.tolist(), p.tolist())
        assert off[clear].tolist() == expected[clear].tolist()
    else:
        assert not off.any()
    assert not off[labels == -1].any()


def noisy(n=400, flipped=20):
    """Labels of two AUs, some flipped, and a network that knows the truth."""
    rng = np.random.default_rng(3)
    truth = (rng.random((n, 2)) < 0.4).astype(np.int8)
    p = np.where(truth == 1, rng.uniform(0.88, 0.9, (n, 2)), rng.uniform(0.1, 0.12, (n, 2)))
    labels, wrong = truth.copy(), rng.permutation(n)[:flipped]
    labels[wrong, 0] ^= 1
    labels[::7, 1] = -1
    return labels, p, set(wrong.tolist())


def test_planted_wrong_labels_come_first():
    labels, p, wrong = noisy()
    listed, counts = audit(labels, p, (1, 12), n=100)
    own = listed[listed["au"] == 1]
    for label in (0, 1):
        rows = own.loc[own["label"] == label, "row"].tolist()
        n = sum(labels[row, 0] == label for row in wrong)
        assert n > 3
        assert set(rows[:n]) <= wrong
        assert not set(rows[n:]) & wrong
    found = counts.set_index(["au", "label"])["doubted"]
    assert found[1].sum() == len(wrong)
    assert found[12].sum() == 0
    assert set(own.loc[own["doubted"], "row"]) == wrong


def test_the_least_believed_come_first_and_no_more_than_asked_for():
    labels, p, _ = noisy()
    listed, counts = audit(labels, p, (1, 12), n=5)
    assert listed.groupby(["au", "label"]).size().tolist() == [5] * 4
    for (au, label), part in listed.groupby(["au", "label"]):
        column = (1, 12).index(au)
        all_ = np.sort(p[labels[:, column] == label, column])
        assert part["probability"].tolist() == (all_[:5] if label else all_[::-1][:5]).tolist()
        assert (labels[part["row"], column] == label).all()
    assert counts["n"].tolist() == [(labels[:, k] == y).sum() for k in (0, 1) for y in (1, 0)]


def test_missing_labels_are_never_listed_and_fewer_faces_than_asked_for_are_all_listed():
    labels = np.array([[1, -1], [0, -1], [-1, 1]], np.int8)
    listed, counts = audit(labels, np.full((3, 2), [0.5, 0.5], np.float32), (1, 12), n=12)
    assert listed[["au", "label", "row"]].values.tolist() == [[1, 1, 0], [1, 0, 1], [12, 1, 2]]
    assert counts["n"].tolist() == [1, 1, 1, 0]


@pytest.mark.parametrize(
    ("labels", "p"),
    [([1, 1], [0.2, 0.9]), ([0, 1], [0.9, 0.2]), ([0, 1], [0.5, 0.5])],
    ids=["one class", "worse than chance", "no difference"],
)
def test_a_count_is_undefined_where_the_network_does_not_tell_the_classes_apart(labels, p):
    listed, counts = audit(np.array([labels], np.int8).T, np.array([p]).T, (1,), n=12)
    assert counts["doubted"].isna().all()
    assert not listed["doubted"].any()


def test_no_face_gives_empty_tables():
    listed, counts = audit(np.empty((0, 2), np.int8), np.empty((0, 2)), (1, 12), n=12)
    assert listed.empty
    assert counts["n"].tolist() == [0] * 4
    assert counts[["doubted", "mean"]].isna().all(axis=None)
