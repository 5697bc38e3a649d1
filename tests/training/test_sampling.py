"""What an epoch shows when AUs or subjects are balanced."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from action_units.errors import ConfigurationError
from action_units.training.randomness import epoch_order
from action_units.training.sampling import epoch_faces, face_weights, sample_numbers

# Six faces of subject a, two of b, one of c; AU 0 is common, AU 1 rare.
TARGETS = np.array(
    [[1, 0], [1, 0], [1, 0], [1, 1], [0, 0], [0, 0], [0, 0], [1, -1], [-1, 0]], np.float32
)
SUBJECTS = np.array(list("aaaaaabbc"))


def test_without_balance_an_epoch_shows_each_face_once():
    assert face_weights("none", TARGETS) is None
    order, appearances = epoch_faces(3, 5, 50)
    assert torch.equal(order, epoch_order(3, 5, 50))
    assert not appearances.any()


def test_by_au_each_au_and_none_are_equally_likely():
    weights = face_weights("aus", TARGETS)
    # A third for each stratum, shared among the faces that are in it.
    expected = np.array([1, 1, 1, 1, 0, 0, 0, 1, 0]) / 15
    expected[3] += 1 / 3
    expected += np.array([0, 0, 0, 0, 1, 1, 1, 0, 1]) / 12
    assert weights == pytest.approx(expected)


def test_by_subject_each_subject_is_equally_likely():
    weights = face_weights("subjects", TARGETS, SUBJECTS)
    assert weights == pytest.approx(np.array([1 / 18] * 6 + [1 / 6] * 2 + [1 / 3]))


def test_by_both_subjects_are_alike_and_within_each_its_aus():
    weights = face_weights("both", TARGETS, SUBJECTS)
    assert [weights[s == SUBJECTS].sum() for s in "abc"] == pytest.approx([1 / 3] * 3)
    # Of subject a: AU 0 in four faces, AU 1 in one of these, none in two.
    expected = np.array([1 / 4, 1 / 4, 1 / 4, 5 / 4, 1 / 2, 1 / 2]) / 9
    assert weights[:6] == pytest.approx(expected)
    assert weights[6:8] == pytest.approx([1 / 6, 1 / 6])


@pytest.mark.parametrize("balance", ["subjects", "both"])
def test_without_subjects_it_is_refused(balance):
    with pytest.raises(
        ConfigurationError, match=f"'balance' is {balance}, and the faces have no"
    ):
        face_weights(balance, TARGETS)


@given(
    hnp.arrays(np.float32, (30, 3), elements=st.sampled_from([-1.0, 0.0, 1.0])),
    hnp.arrays(np.int64, 30, elements=st.integers(0, 4)),
    st.sampled_from(["aus", "subjects", "both"]),
)
def test_weights_are_a_distribution_over_all_faces(targets, subjects, balance):
    weights = face_weights(balance, targets, subjects)
    assert weights.sum() == pytest.approx(1.0)
    assert (weights > 0).all()


weighted = hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(0.01, 100))


@given(weighted, st.integers(0, 2**63 - 1), st.integers(0, 1000))
def test_a_face_comes_up_as_often_as_its_weight_says_to_the_nearest_whole(w, seed, epoch):
    n, weights = len(w), w / w.sum()
    order, appearances = epoch_faces(seed, epoch, n, weights)
    counts = np.bincount(order.numpy(), minlength=n)
    assert len(order) == n
    assert (counts >= np.floor(n * weights - 1e-9)).all()
    assert (counts <= np.ceil(n * weights + 1e-9)).all()
    for face in range(n):
        mine = sorted(appearances[order == face].tolist())
        assert mine == list(range(counts[face]))


def test_over_epochs_shares_are_the_weights():
    weights = face_weights("both", TARGETS, SUBJECTS)
    shown = np.concatenate([epoch_faces(1, e, 9, weights)[0].numpy() for e in range(4000)])
    assert np.bincount(shown, minlength=9) / len(shown) == pytest.approx(weights, abs=0.005)


def test_a_face_of_no_weight_is_never_shown():
    weights = np.array([0.0, 0.5, 0.0, 0.5, 0.0])
    shown = torch.cat([epoch_faces(0, epoch, 5, weights)[0] for epoch in range(200)])
    assert set(shown.tolist()) == {1, 3}


def test_an_epoch_is_a_function_of_seed_and_epoch():
    weights = face_weights("aus", TARGETS)
    draws = {
        tuple(epoch_faces(seed, epoch, 9, weights)[0].tolist())
        for seed in range(5)
        for epoch in range(5)
    }
    assert len(draws) == 25
    assert torch.equal(epoch_faces(2, 3, 9, weights)[0], epoch_faces(2, 3, 9, weights)[0])
    assert epoch_faces(3, 1, 4, np.array([0.7, 0.1, 0.1, 0.1]))[0].tolist() == [1, 3, 0, 0]


def test_samples_of_a_face_have_numbers_of_their_own():
    rows = torch.tensor([7, 7, 9, 7])
    numbers = sample_numbers(rows, torch.tensor([0, 1, 0, 2]))
    assert numbers[0] == 7
    assert len(set(numbers.tolist())) == 4


def test_by_set_each_set_is_equally_likely():
    weights = face_weights("sets", TARGETS, np.array(["disfa"] * 6 + ["studio"] * 3))
    assert weights == pytest.approx(np.array([1 / 12] * 6 + [1 / 6] * 3))
    with pytest.raises(
        ConfigurationError, match="'balance' is sets, and the faces have no set"
    ):
        face_weights("sets", TARGETS)


@given(
    hnp.arrays(np.float32, (30, 3), elements=st.sampled_from([-1.0, 0.0, 1.0])),
    hnp.arrays(np.int64, 30, elements=st.integers(0, 4)),
    st.sampled_from(["aus", "both", "subjects", "sets"]),
)
def test_an_au_that_was_not_scored_is_drawn_as_one_that_is_not_shown(targets, groups, balance):
    zeros = np.where(targets < 0, 0.0, targets)
    expected = face_weights(balance, zeros, groups)
    assert face_weights(balance, targets, groups) == pytest.approx(expected)
