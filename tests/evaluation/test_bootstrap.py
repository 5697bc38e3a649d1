"""The bootstrap over subjects against a resampling of their frames."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from action_units.evaluation import bootstrap, metrics
from action_units.evaluation.subject_statistics import SubjectStatistics

AUS = 3


def people(n_subjects: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, predictions (N, A) and subjects (N,), videos of different lengths, mixed."""
    random = np.random.default_rng(seed)
    lengths = random.integers(20, 60, n_subjects)
    who = np.repeat([f"SN{i:03d}" for i in range(n_subjects)], lengths)
    share = random.uniform(0.05, 0.7, (n_subjects, AUS))[np.repeat(range(n_subjects), lengths)]
    labels = (random.random(share.shape) < share).astype(np.int8)
    labels[random.random(share.shape) < 0.1] = -1
    right = random.random(share.shape) < 0.8
    predicted = (labels == 1) == right
    order = random.permutation(len(who))
    return labels[order], predicted[order], who[order]


def test_the_subjects_counts_are_those_of_their_own_frames():
    labels, predicted, who = people()
    found = bootstrap.subject_counts(labels, predicted, who)
    assert found.subjects == tuple(sorted(set(who)))
    for row, subject in enumerate(found.subjects):
        own = metrics.confusion(labels[who == subject], predicted[who == subject])
        for part in ("tp", "fp", "fn", "tn"):
            np.testing.assert_array_equal(getattr(found.counts, part)[row], getattr(own, part))
    whole = metrics.confusion(labels, predicted)
    np.testing.assert_array_equal(found.counts.sum().tp, whole.tp)
    np.testing.assert_array_equal(found.counts.sum().n, whole.n)


def weighed_f1(counts: bootstrap.SubjectCounts, seed: list[int], resamples: int = 1000):
    times = bootstrap.draws(len(counts.subjects), seed, resamples)
    return SubjectStatistics(counts).weighed(times)["f1"]


def test_a_resample_is_the_f1_of_the_drawn_subjects_frames():
    labels, predicted, who = people()
    counts = bootstrap.subject_counts(labels, predicted, who)
    n, resamples = len(counts.subjects), 40
    ours = weighed_f1(counts, [7, 1], resamples)
    # The documented draw: how often each subject is taken.
    times = np.random.default_rng([n, 7, 1]).multinomial(n, np.full(n, 1 / n), resamples)
    assert (times.sum(axis=1) == n).all()
    for drawn, row in zip(times, ours, strict=True):
        frames = np.concatenate(
            [
                np.flatnonzero(who == subject)
                for subject, often in zip(counts.subjects, drawn, strict=True)
                for _ in range(often)
            ]
        )
        for column in range(AUS):
            y, hat = labels[frames, column], predicted[frames, column]
            expected = f1_score(y[y >= 0], hat[y >= 0])
            assert row[column] == pytest.approx(expected, abs=1e-12)


def test_the_interval_agrees_with_an_independent_resampling_of_frames():
    labels, predicted, who = people(12)
    counts = bootstrap.subject_counts(labels, predicted, who)
    low, high = bootstrap.interval(weighed_f1(counts, [0], 4000))
    random = np.random.default_rng(99)
    frames_of = [np.flatnonzero(who == subject) for subject in counts.subjects]
    naive = np.empty((1000, AUS))
    for row in naive:
        taken = np.concatenate([frames_of[i] for i in random.integers(0, 12, 12)])
        row[:] = metrics.f1(metrics.confusion(labels[taken], predicted[taken]))
    expected = np.percentile(naive, [2.5, 97.5], axis=0)
    np.testing.assert_allclose([low, high], expected, atol=0.02)
    point = metrics.f1(counts.counts.sum())
    assert (low < point).all()
    assert (point < high).all()


def test_the_draw_is_a_function_of_the_seed_and_the_number_of_subjects():
    first = bootstrap.draws(6, [3, 1])
    assert first.shape == (bootstrap.RESAMPLES, 6)
    np.testing.assert_array_equal(first, bootstrap.draws(6, [3, 1]))
    assert (first != bootstrap.draws(6, [3, 2])).any()
    assert (first != bootstrap.draws(6, [4, 1])).any()
    assert (bootstrap.draws(7, [3, 1]).sum(axis=1) == 7).all()


def test_two_networks_get_the_same_resamples():
    ours = bootstrap.subject_counts(*people())
    c = ours.counts
    # Three more false alarms of each subject: less in any resample of the same people,
    # though by far less than F1 varies between people.
    worse = metrics.Confusion(tp=c.tp, fp=c.fp + 3, fn=c.fn, tn=c.tn - 3)
    other = bootstrap.SubjectCounts(ours.subjects, worse)
    first, second = weighed_f1(ours, [0]), weighed_f1(other, [0])
    assert (first > second).all()
    assert not (first > second[::-1]).all()


def test_the_order_of_the_frames_does_not_matter():
    labels, predicted, who = people()
    turned = bootstrap.subject_counts(labels[::-1], predicted[::-1], who[::-1])
    first = bootstrap.subject_counts(labels, predicted, who)
    np.testing.assert_array_equal(weighed_f1(first, [0]), weighed_f1(turned, [0]))


def test_without_frames_there_is_nobody_to_draw():
    none = np.zeros((0, 2), np.int8)
    counts = bootstrap.subject_counts(none, none.astype(bool), [])
    assert counts.subjects == ()
    assert np.isnan(weighed_f1(counts, [0], 5)).all()


@pytest.mark.parametrize("share", [0.0, 0.2, 0.9])
def test_the_interval_is_made_of_numpys_quantiles_of_what_is_defined(share):
    random = np.random.default_rng(1)
    values = random.random((400, 3, 2))
    values[random.random(values.shape) < share] = np.nan
    low, high = bootstrap.interval(values)
    expected = np.nanquantile(values, [0.025, 0.975], axis=0)
    np.testing.assert_allclose([low, high], expected, atol=1e-15)
    np.testing.assert_array_equal(bootstrap.kept(values), (~np.isnan(values)).sum(axis=0))


def test_no_resamples_make_no_interval():
    low, high = bootstrap.interval(np.empty((0, 3)))
    assert np.isnan([low, high]).all()
    assert bootstrap.kept(np.empty((0, 3))).tolist() == [0, 0, 0]


def test_the_interval_leaves_undefined_resamples_out():
    values = np.array([[0.0, np.nan], [0.5, np.nan], [np.nan, np.nan], [1.0, np.nan]])
    low, high = bootstrap.interval(values, level=0.5)
    assert (low[0], high[0]) == (0.25, 0.75)
    assert np.isnan([low[1], high[1]]).all()
    single_low, single_high = bootstrap.interval(values[:, 0], level=1.0)
    assert (float(single_low), float(single_high)) == (0.0, 1.0)


def test_together_is_all_folds_subjects_as_one_group_sorted():
    labels, predicted, who = people(6)
    whole = bootstrap.subject_counts(labels, predicted, who)
    # Folds whose subjects are not in the order of their numbers.
    parts = [
        bootstrap.subject_counts(labels[fold], predicted[fold], who[fold])
        for fold in (np.isin(who, ["SN001", "SN004"]), ~np.isin(who, ["SN001", "SN004"]))
    ]
    found = bootstrap.together(parts)
    assert found.subjects == whole.subjects
    for kind in ("tp", "fp", "fn", "tn"):
        np.testing.assert_array_equal(getattr(found.counts, kind), getattr(whole.counts, kind))


def test_the_mean_runs_over_what_is_defined():
    values = np.array([[1.0, np.nan, 0.0], [np.nan, np.nan, np.nan]])
    np.testing.assert_array_equal(bootstrap.mean_defined(values), [0.5, np.nan])
    np.testing.assert_array_equal(bootstrap.mean_defined(values, axis=0), [1.0, np.nan, 0.0])
