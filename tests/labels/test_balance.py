"""Groups of subjects in which each action unit is about equally common."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from action_units.labels.balance import SubjectLabels, balanced_groups


def planted(n_subjects=24, n_aus=6, seed=0, frames=50):
    """Subjects who differ much in what they show."""
    random = np.random.default_rng(seed)
    chance = random.beta(0.3, 1.5, (n_subjects, n_aus))
    subjects = np.repeat([f"S{k:02d}" for k in range(n_subjects)], frames)
    labels = (random.random((len(subjects), n_aus)) < chance.repeat(frames, axis=0)).astype(
        np.int8
    )
    labels[random.random(labels.shape) < 0.1] = -1
    return subjects, labels


def spread(groups, known):
    """Root mean square of relative deviations of prevalence, computed anew."""
    overall = known.positives.sum(axis=0) / known.scored.sum(axis=0)
    rows = [[known.subjects.index(name) for name in group] for group in groups]
    own = np.array([known.positives[r].sum(axis=0) / known.scored[r].sum(axis=0) for r in rows])
    return float(np.sqrt(np.mean((own / overall - 1) ** 2)))


def drawn_at_random(known, sizes, seed):
    names = np.random.default_rng(seed).permutation(known.subjects)
    return [list(part) for part in np.split(names, np.cumsum(sizes)[:-1])]


def test_counts_by_subject():
    labels = np.array([[1, -1], [0, -1], [1, 1], [1, 0]], np.int8)
    known = SubjectLabels.of(["b", "b", "a", "b"], labels)
    assert known.subjects == ("a", "b")
    assert known.positives.tolist() == [[1, 1], [2, 0]]
    assert known.scored.tolist() == [[1, 1], [3, 1]]


@settings(max_examples=30)
@given(
    seed=st.integers(0, 2**32),
    n_subjects=st.integers(3, 30),
    n_groups=st.integers(1, 6),
    data=st.data(),
)
def test_groups_divide_the_subjects_whatever_the_order_of_the_rows(
    seed, n_subjects, n_groups, data
):
    subjects, labels = planted(n_subjects, seed=seed, frames=3)
    n_groups = min(n_groups, n_subjects)
    sizes = [len(part) for part in np.array_split(np.arange(n_subjects), n_groups)]
    groups = balanced_groups(SubjectLabels.of(subjects, labels), sizes, seed)
    assert [len(group) for group in groups] == sizes
    assert sorted(sum(groups, ())) == sorted(set(subjects.tolist()))
    assert all(list(group) == sorted(group) for group in groups)
    order = np.array(data.draw(st.permutations(range(len(subjects)))))
    again = balanced_groups(SubjectLabels.of(subjects[order], labels[order]), sizes, seed)
    assert again == groups


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("sizes", [(5, 5, 5, 5, 4), (8, 8, 8), (5, 19)])
def test_prevalence_is_balanced_better_than_by_any_of_200_draws(seed, sizes):
    known = SubjectLabels.of(*planted(seed=seed))
    found = spread(balanced_groups(known, sizes, seed), known)
    assert found < min(spread(drawn_at_random(known, sizes, k), known) for k in range(200))


def test_what_can_be_balanced_exactly_is():
    """Two kinds of subjects, each with an AU of its own, and four of each."""
    labels = np.array([[1, 0], [1, 0], [1, 0], [1, 0], [0, 1], [0, 1], [0, 1], [0, 1]], np.int8)
    for seed in range(5):
        groups = balanced_groups(SubjectLabels.of("abcdefgh", labels), [2] * 4, seed)
        assert all(set(group) & set("abcd") and set(group) & set("efgh") for group in groups)


def test_another_seed_gives_other_groups():
    known = SubjectLabels.of(*planted())
    assert len({balanced_groups(known, (8, 8, 8), seed) for seed in range(5)}) == 5


def test_action_units_that_nobody_shows_and_no_action_unit_at_all_are_no_obstacle():
    for labels in (np.zeros((6, 2), np.int8), np.full((6, 1), -1, np.int8)):
        groups = balanced_groups(SubjectLabels.of("abcdef", labels), [3, 3], 0)
        assert sorted(sum(groups, ())) == list("abcdef")
