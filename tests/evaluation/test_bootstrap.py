"""Every metric of a resample against that of the repeated frames, and its reasons."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import f1_score

from action_units.evaluation import bootstrap, metrics
from action_units.evaluation.predictions import Predictions
from action_units.evaluation.subject_statistics import (
    METRICS,
    SubjectCounts,
    SubjectStatistics,
    pool_subjects,
    subject_counts,
    subject_statistics,
)

AUS = (1, 2, 4, 12)
OF_INTENSITIES = [name for name, metric in METRICS.items() if metric.source == "agreement"]


def answers(n_subjects: int = 5, frames: int = 60, seed: int = 0) -> Predictions:
    random = np.random.default_rng([n_subjects, frames, seed])
    n = n_subjects * frames
    who = np.repeat([f"SN{i:03d}" for i in range(n_subjects)], frames)
    hold = np.repeat(random.random((n // 5, len(AUS))), 5, axis=0)  # events of some length
    labels = (hold < 0.35).astype(np.int8)
    labels[random.random(labels.shape) < 0.05] = -1
    probabilities = np.round(0.4 * (labels == 1) + 0.6 * random.random(labels.shape), 2)
    intensities = np.where(labels == 1, random.integers(2, 6, labels.shape), 0).astype(float)
    intensities[labels == -1] = np.nan
    order = random.permutation(n)
    return Predictions(
        aus=AUS,
        labels=labels[order],
        probabilities=probabilities[order],
        predicted=(probabilities >= [0.3, 0.4, 0.5, 0.6])[order],
        subjects=who[order],
        frames=np.tile(np.arange(frames), n_subjects)[order],
        recordings=who[order],
        intensities=intensities[order],
        estimates=5 * probabilities[order] ** 2,
        training_means=np.broadcast_to([0.2, 0.7, 1.1, 0.1], labels.shape),
    )


INTENSITIES = ("intensities", "estimates", "training_means")


def repeated(given: Predictions, times: np.ndarray) -> Predictions:
    """The frames of each subject as often as it is drawn, each time as somebody else."""
    ids = sorted(set(given.subjects))
    parts = [
        (np.flatnonzero(given.subjects == subject), f"{subject}-{again}")
        for subject, often in zip(ids, times.astype(int), strict=True)
        for again in range(often)
    ]
    rows = np.concatenate([rows for rows, _ in parts])
    names = np.concatenate([np.full(len(rows), name) for rows, name in parts])
    columns = ("labels", "probabilities", "predicted", "frames", *INTENSITIES)
    chosen = {name: getattr(given, name)[rows] for name in columns}
    return replace(given, **chosen, subjects=names, recordings=names)


def test_every_figure_of_a_resample_is_that_of_the_repeated_frames():
    given = answers()
    times = np.random.default_rng(3).multinomial(5, [0.2] * 5, 12).astype(float)
    found = subject_statistics(given).weighted(times)
    assert list(found) == list(METRICS)
    for row, drawn in enumerate(times):
        expected = subject_statistics(repeated(given, drawn)).values
        for name in METRICS:
            np.testing.assert_allclose(
                found[name][row], expected[name], rtol=0, atol=1e-12, err_msg=name
            )
            assert not np.isnan(found[name][row]).any(), name


def test_the_values_are_those_of_each_subject_drawn_once():
    statistics = subject_statistics(answers())
    once = statistics.weighted(np.ones((1, 5)))
    for name, value in statistics.values.items():
        np.testing.assert_array_equal(value, once[name][0])


def test_the_order_of_the_frames_does_not_matter():
    given = answers()
    turned = replace(
        given,
        **{
            name: getattr(given, name)[::-1]
            for name in ("labels", "probabilities", "predicted", "subjects", "frames",
                         "recordings", *INTENSITIES)
        },
    )  # fmt: skip
    first, second = (subject_statistics(part).resampled([0], 50) for part in (given, turned))
    for name in METRICS:
        np.testing.assert_allclose(first[name], second[name], atol=1e-12)


def test_counts_alone_give_their_figures_and_no_others():
    statistics = subject_statistics(answers())
    counted = SubjectStatistics(statistics.subject_counts).values
    assert "auc" not in counted
    assert "f1_at_half" not in counted
    for name, value in counted.items():
        np.testing.assert_array_equal(value, statistics.values[name])


def reasons(given: Predictions) -> list[dict[str, str]]:
    statistics = subject_statistics(given)
    return statistics.why_undefined(statistics.values)


def test_what_is_undefined_says_why():
    given = answers()
    labels, predicted = given.labels.copy(), given.predicted.copy()
    labels[:, 0] = np.where(labels[:, 0] == 1, 0, labels[:, 0])  # never shown
    labels[:, 1] = 1  # always shown
    labels[:, 2] = -1
    predicted[:, 3] = False
    said = reasons(replace(given, labels=labels, predicted=predicted))
    assert said[0]["f1"] == said[0]["auc"] == said[0]["f1_event"] == "no positive frame"
    assert said[1] == dict.fromkeys(
        ["f1_norm", "balanced_accuracy", "mcc", "auc"], "no negative frame"
    )
    assert set(said[2].values()) == {"not scored in any frame"}
    assert said[3] == {"precision": "never called present", "mcc": "never called present"}
    always = np.ones_like(predicted)
    assert reasons(replace(given, predicted=always))[0] == {"mcc": "always called present"}


def test_what_the_data_lacks_is_told():
    given = answers()
    bare = reasons(replace(given, frames=None, intensities=None))[0]
    assert bare == {
        "f1_event": "frames without a number of their own",
        **dict.fromkeys(OF_INTENSITIES, "no intensities, coded or estimated"),
    }
    assert reasons(replace(given, estimates=None))[0] == dict.fromkeys(
        OF_INTENSITIES, "no intensities, coded or estimated"
    )
    assert reasons(replace(given, training_means=None))[0] == dict.fromkeys(
        ["mae_of_mean", "mse_of_mean"], "the training subjects' mean is not known"
    )
    same = np.where(np.isnan(given.intensities), np.nan, 2.0)
    assert reasons(replace(given, intensities=same))[0] == {
        "pcc": "the same intensity in every frame, coded or predicted"
    }
    nothing = np.full_like(same, np.nan)
    assert (
        reasons(replace(given, intensities=nothing))[0]["mae"] == "no frame with an intensity"
    )


@pytest.mark.parametrize(("name", "expected"), [("f1", [False, True]), ("brier", [True, True])])
def test_two_people_must_tell_of_an_au(name, expected):
    labels = np.array([[1, 1], [0, 0], [0, 1], [0, 0]], np.int8)
    given = Predictions(
        (1, 2), labels, labels * 0.5, labels == 1, np.array(["a", "a", "b", "b"])
    )
    assert subject_statistics(given).subject_counts.has_interval(name).tolist() == expected


N_AUS = 3


def people(n_subjects: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, predictions (N, A) and subjects (N,), videos of different lengths, mixed."""
    random = np.random.default_rng(seed)
    lengths = random.integers(20, 60, n_subjects)
    who = np.repeat([f"SN{i:03d}" for i in range(n_subjects)], lengths)
    share = random.uniform(0.05, 0.7, (n_subjects, N_AUS))[
        np.repeat(range(n_subjects), lengths)
    ]
    labels = (random.random(share.shape) < share).astype(np.int8)
    labels[random.random(share.shape) < 0.1] = -1
    right = random.random(share.shape) < 0.8
    predicted = (labels == 1) == right
    order = random.permutation(len(who))
    return labels[order], predicted[order], who[order]


def test_the_subjects_counts_are_those_of_their_own_frames():
    labels, predicted, who = people()
    found = subject_counts(labels, predicted, who)
    assert found.subjects == tuple(sorted(set(who)))
    for row, subject in enumerate(found.subjects):
        own = metrics.confusion(labels[who == subject], predicted[who == subject])
        for part in ("tp", "fp", "fn", "tn"):
            np.testing.assert_array_equal(getattr(found.counts, part)[row], getattr(own, part))
    whole = metrics.confusion(labels, predicted)
    np.testing.assert_array_equal(found.counts.sum().tp, whole.tp)
    np.testing.assert_array_equal(found.counts.sum().n, whole.n)


def weighed_f1(counts: SubjectCounts, seed: list[int], resamples: int = 1000):
    times = bootstrap.resample(len(counts.subjects), seed, resamples)
    return SubjectStatistics(counts).weighted(times)["f1"]


def test_a_resample_is_the_f1_of_the_drawn_subjects_frames():
    labels, predicted, who = people()
    counts = subject_counts(labels, predicted, who)
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
        for column in range(N_AUS):
            y, hat = labels[frames, column], predicted[frames, column]
            expected = f1_score(y[y >= 0], hat[y >= 0])
            assert row[column] == pytest.approx(expected, abs=1e-12)


def test_the_interval_agrees_with_an_independent_resampling_of_frames():
    labels, predicted, who = people(12)
    counts = subject_counts(labels, predicted, who)
    low, high = bootstrap.interval(weighed_f1(counts, [0], 4000))
    random = np.random.default_rng(99)
    frames_of = [np.flatnonzero(who == subject) for subject in counts.subjects]
    naive = np.empty((1000, N_AUS))
    for row in naive:
        taken = np.concatenate([frames_of[i] for i in random.integers(0, 12, 12)])
        row[:] = metrics.f1(metrics.confusion(labels[taken], predicted[taken]))
    expected = np.percentile(naive, [2.5, 97.5], axis=0)
    np.testing.assert_allclose([low, high], expected, atol=0.02)
    point = metrics.f1(counts.counts.sum())
    assert (low < point).all()
    assert (point < high).all()


def test_the_draw_is_a_function_of_the_seed_and_the_number_of_subjects():
    first = bootstrap.resample(6, [3, 1])
    assert first.shape == (bootstrap.RESAMPLES, 6)
    np.testing.assert_array_equal(first, bootstrap.resample(6, [3, 1]))
    assert (first != bootstrap.resample(6, [3, 2])).any()
    assert (first != bootstrap.resample(6, [4, 1])).any()
    assert (bootstrap.resample(7, [3, 1]).sum(axis=1) == 7).all()


def test_two_networks_get_the_same_resamples():
    ours = subject_counts(*people())
    c = ours.counts
    # Three more false alarms of each subject: less in any resample of the same people,
    # though by far less than F1 varies between people.
    worse = metrics.Confusion(tp=c.tp, fp=c.fp + 3, fn=c.fn, tn=c.tn - 3)
    other = SubjectCounts(ours.subjects, worse)
    first, second = weighed_f1(ours, [0]), weighed_f1(other, [0])
    assert (first > second).all()
    assert not (first > second[::-1]).all()


def test_the_order_of_the_frames_does_not_matter_to_a_resample():
    labels, predicted, who = people()
    turned = subject_counts(labels[::-1], predicted[::-1], who[::-1])
    first = subject_counts(labels, predicted, who)
    np.testing.assert_array_equal(weighed_f1(first, [0]), weighed_f1(turned, [0]))


def test_without_frames_there_is_nobody_to_draw():
    none = np.zeros((0, 2), np.int8)
    counts = subject_counts(none, none.astype(bool), [])
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
    np.testing.assert_array_equal(bootstrap.n_defined(values), (~np.isnan(values)).sum(axis=0))


def test_no_resamples_make_no_interval():
    low, high = bootstrap.interval(np.empty((0, 3)))
    assert np.isnan([low, high]).all()
    assert bootstrap.n_defined(np.empty((0, 3))).tolist() == [0, 0, 0]


def test_the_interval_leaves_undefined_resamples_out():
    values = np.array([[0.0, np.nan], [0.5, np.nan], [np.nan, np.nan], [1.0, np.nan]])
    low, high = bootstrap.interval(values, level=0.5)
    assert (low[0], high[0]) == (0.25, 0.75)
    assert np.isnan([low[1], high[1]]).all()
    single_low, single_high = bootstrap.interval(values[:, 0], level=1.0)
    assert (float(single_low), float(single_high)) == (0.0, 1.0)


def test_together_is_all_folds_subjects_as_one_group_sorted():
    labels, predicted, who = people(6)
    whole = subject_counts(labels, predicted, who)
    # Folds whose subjects are not in the order of their numbers.
    parts = [
        subject_counts(labels[fold], predicted[fold], who[fold])
        for fold in (np.isin(who, ["SN001", "SN004"]), ~np.isin(who, ["SN001", "SN004"]))
    ]
    found = pool_subjects(parts)
    assert found.subjects == whole.subjects
    for kind in ("tp", "fp", "fn", "tn"):
        np.testing.assert_array_equal(getattr(found.counts, kind), getattr(whole.counts, kind))


def test_the_mean_runs_over_what_is_defined():
    values = np.array([[1.0, np.nan, 0.0], [np.nan, np.nan, np.nan]])
    np.testing.assert_array_equal(metrics.mean_defined(values), [0.5, np.nan])
    np.testing.assert_array_equal(metrics.mean_defined(values, axis=0), [1.0, np.nan, 0.0])
