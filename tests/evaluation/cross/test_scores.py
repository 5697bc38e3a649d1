"""Scores of networks that share test subjects, against scikit-learn and slow resampling."""

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from action_units.errors import ArtifactError, ConfigurationError
from action_units.evaluation import metrics
from action_units.evaluation.cross.result import CrossTest
from action_units.evaluation.cross.scores import (
    NetworkPredictions,
    common_aus,
    ensemble,
    refit,
    score_networks,
    score_within,
    subjects_to_fit,
    support,
)
from action_units.evaluation.postprocessing.thresholds import choose_thresholds
from action_units.evaluation.predictions import mean_logit
from tests.evaluation.cross.made_up import (
    AUS,
    PEOPLE,
    THRESHOLDS,
    labelled,
    made_up_test,
    network,
    own_run,
)


@pytest.fixture(scope="module")
def labels():
    return labelled()


@pytest.fixture(scope="module")
def networks(labels):
    return {fold: network(labels, fold) for fold in THRESHOLDS}


@pytest.fixture(scope="module")
def apart(labels):
    """As of the same people in both sets: each network is tested on two of them."""
    return {fold: network(labels, fold, PEOPLE[2 * fold - 2 : 2 * fold]) for fold in THRESHOLDS}


def f1(one, column=3):
    known = one.predictions.labels[:, column] >= 0
    return f1_score(
        one.predictions.labels[known, column], one.predictions.predicted[known, column]
    )


def quick_f1(part, column=3):
    counts = metrics.confusion(part.labels, part.predicted)
    return metrics.f1(counts)[column]


def test_aus_in_common_are_scored_and_the_others_listed():
    assert common_aus((1, 2, 12, 25), (1, 4, 12), "new") == ((1, 12), (2, 25), (4,))
    with pytest.raises(ConfigurationError, match="new has no AU .* codes AUs 4, 7.* know 1, 2"):
        common_aus((1, 2), (4, 7), "new")


def test_each_network_and_their_mean_are_scikit_learn_s(networks):
    scores = score_networks(networks)
    for column, au in enumerate(AUS):
        expected = [f1(one, column) for one in networks.values()]
        line = scores["f1"].aus[au]
        assert list(line.by_network.values()) == pytest.approx(expected)
        assert line.mean.value == pytest.approx(np.mean(expected))
    line = scores["auc"].averages["4 AUs"]
    expected = [
        roc_auc_score(labels[labels >= 0], p[labels >= 0])
        for one in networks.values()
        for labels, p in zip(
            one.predictions.labels.T, one.predictions.probabilities.T, strict=True
        )
    ]
    assert (line.mean.value, line.defined) == (pytest.approx(np.mean(expected)), 12)


def test_the_ensemble_averages_logits_and_thresholds_as_prediction_does(networks):
    together = ensemble(networks)
    order = {fold: np.argsort(one.images) for fold, one in networks.items()}
    p = np.stack([one.predictions.probabilities[order[f]] for f, one in networks.items()])
    expected = mean_logit(p).astype(np.float32)
    np.testing.assert_allclose(together.predictions.probabilities, expected, atol=1e-7)
    limits = mean_logit(np.array(list(THRESHOLDS.values())))
    np.testing.assert_array_equal(together.predictions.predicted, expected >= limits)
    one = networks[2]
    assert together.images.tolist() == sorted(one.images)
    np.testing.assert_array_equal(together.predictions.labels, one.predictions.labels[order[2]])
    scores = score_networks(networks)["f1"].aus[12]
    assert scores.ensemble.value == pytest.approx(f1(together))


def test_a_face_that_one_network_may_see_keeps_its_probability_and_its_call(apart):
    together = ensemble(apart)
    assert len(together.images) == sum(len(one.images) for one in apart.values())
    for one in apart.values():
        rows = np.searchsorted(together.images, one.images)
        for part in ("probabilities", "predicted", "labels", "subjects", "frames"):
            np.testing.assert_array_equal(
                getattr(together.predictions, part)[rows], getattr(one.predictions, part)
            )


def test_a_subject_is_drawn_once_for_all_networks(networks):
    """Three equal networks know no more than one; drawn apart they would seem to."""
    one = networks[1]
    alone = score_networks({1: one})["f1"].aus[12].mean
    thrice = score_networks(dict.fromkeys((1, 2, 3), one))["f1"].aus[12].mean
    assert [thrice.low, thrice.high] == pytest.approx([alone.low, alone.high])
    assert alone.low < alone.value < alone.high


def test_intervals_are_those_of_slow_resampling(networks):
    random = np.random.default_rng(5)
    rows = {
        fold: {who: np.flatnonzero(one.predictions.subjects == who) for who in PEOPLE}
        for fold, one in networks.items()
    }
    means = []
    for _ in range(300):
        drawn = random.choice(PEOPLE, len(PEOPLE))
        chosen = {f: np.concatenate([own[who] for who in drawn]) for f, own in rows.items()}
        means.append(
            np.mean(
                [
                    quick_f1(one.predictions.select(chosen[fold]))
                    for fold, one in networks.items()
                ]
            )
        )
    mean = score_networks(networks)["f1"].aus[12].mean
    assert [mean.low, mean.high] == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=0.012)


def test_people_of_different_folds_are_drawn_within_their_fold(apart):
    scores = score_networks(apart)["f1"].aus[12]
    assert scores.mean.n_resamples == 1000
    assert scores.mean.low < scores.mean.value < scores.mean.high


# ------------------------------------------------------------------ within the set


def test_the_difference_to_the_within_set_result_is_on_the_same_frames(labels, networks):
    within = own_run(labels)
    paired = score_within(networks, within)
    own = np.concatenate([part.predictions.labels for part in within])
    called = np.concatenate([part.predictions.predicted for part in within])
    expected = f1_score(own[own[:, 3] >= 0, 3], called[own[:, 3] >= 0, 3])
    other, ours = paired.other["f1"].aus[12], paired.scores["f1"].aus[12]
    values = [*other.by_network.values(), other.mean.value, other.ensemble.value]
    assert values == pytest.approx([expected] * 5)
    assert ours.mean.value == score_networks(networks)["f1"].aus[12].mean.value
    difference = paired.differences["f1"].aus[12]
    assert difference.mean.value == pytest.approx(ours.mean.value - expected)
    assert difference.ensemble.value == pytest.approx(ours.ensemble.value - expected)
    assert difference.mean.high < 0
    assert (paired.subjects, paired.frames) == (PEOPLE, len(labels))


def test_the_interval_of_the_difference_is_paired(labels, networks):
    same = score_within({1: networks[1]}, [networks[1]])
    difference = same.differences["f1"].aus[12]
    assert (difference.mean.value, difference.mean.low, difference.mean.high) == (0, 0, 0)


def test_frames_that_the_run_has_not_tested_do_not_count(labels, networks):
    (first, _) = own_run(labels)
    paired = score_within(networks, [first])
    assert (paired.subjects, paired.frames) == (PEOPLE[:3], len(first.images))
    part = networks[2].of_subjects(PEOPLE[:3])
    assert paired.scores["f1"].aus[12].by_network[2] == pytest.approx(f1(part))
    strangers = replace(first, images=np.char.add(first.images, "x"))
    with pytest.raises(ConfigurationError, match="tested on none of these faces"):
        score_within(networks, [strangers])


def test_each_network_is_compared_on_its_own_subjects(labels, apart):
    within = own_run(labels)
    other = score_within(apart, within).other["f1"].aus[12]
    expected = f1(within[0].of_subjects(PEOPLE[:2]))
    assert other.by_network[1] == pytest.approx(expected)
    both = [one.predictions for one in within]
    everything = replace(within[0], predictions=both[0])
    assert len(everything.images) < len(labels)
    assert other.ensemble.value == pytest.approx(
        score_within({1: network(labels, 1)}, within).other["f1"].aus[12].mean.value
    )


def test_other_labels_and_a_face_tested_twice_are_refused(labels, networks):
    first, second = own_run(labels)
    changed = first.predictions.labels.copy()
    changed[5, 0] = 1 - max(changed[5, 0], 0)
    other = replace(first, predictions=replace(first.predictions, labels=changed))
    with pytest.raises(ConfigurationError, match=r"P1_00006.jpg has other labels .*\(1 frames"):
        score_within(networks, [other, second])
    with pytest.raises(ConfigurationError, match="P1_00001.jpg is tested twice"):
        score_within(networks, [first, first])


# --------------------------------------------------------------------- re-fitting


def test_both_kinds_of_threshold_are_scored_on_the_same_others(networks):
    fitted = refit(networks, 2, "new", seed=3)
    assert len(fitted.fitted_on) == 2
    others = tuple(who for who in PEOPLE if who not in fitted.fitted_on)
    assert fitted.paired.subjects == others
    for fold, one in networks.items():
        part = one.of_subjects(fitted.fitted_on).predictions
        limits = choose_thresholds(
            part.labels, part.probabilities, subjects=part.subjects, seed=3
        ).values
        assert tuple(fitted.thresholds[fold].values()) == limits
        rest = one.of_subjects(others)
        kept, again = fitted.paired.other["f1"], fitted.paired.scores["f1"]
        assert kept.aus[12].by_network[fold] == pytest.approx(f1(rest))
        assert again.aus[12].by_network[fold] == pytest.approx(f1(rest.with_thresholds(limits)))
    auc = fitted.paired.differences["auc"].aus[12]
    assert (auc.mean.value, auc.mean.low) == (0, 0)  # thresholds do not change it


def test_subjects_are_drawn_by_seed_and_by_share(networks):
    drawn = {subjects_to_fit(networks, 0.5, "new", seed) for seed in range(6)}
    assert {len(subjects) for subjects in drawn} == {3}
    assert len(drawn) > 1
    assert subjects_to_fit(networks, 3, "new", 1) == subjects_to_fit(networks, 0.5, "new", 1)


def test_each_fold_of_the_same_people_is_fitted_and_tested(apart):
    chosen = subjects_to_fit(apart, 3, "new", 0)
    for fold in apart:
        assert len(set(PEOPLE[2 * fold - 2 : 2 * fold]) & set(chosen)) == 1


@pytest.mark.parametrize("subjects", [6, 9, 0.02, 0.99])
def test_nobody_to_fit_to_or_to_test_on_is_refused(networks, subjects):
    with pytest.raises(ConfigurationError, match=rf"refit_subjects={subjects} .* 6 subjects"):
        refit(networks, subjects, "new")


# ------------------------------------------------------------------------ result


def test_support_counts_what_was_coded(labels, networks):
    row = support(ensemble(networks).predictions)[3]
    column = labels["AU12"]
    assert (row.au, row.name, row.subjects) == (12, "Lip corner puller", 6)
    assert (row.frames, row.positive) == ((column >= 0).sum(), (column == 1).sum())


@pytest.fixture(scope="module")
def whole():
    return made_up_test()


def test_json_keeps_every_value(whole):
    test = whole
    content = json.loads(json.dumps(test.to_json(), allow_nan=False))
    again = CrossTest.from_json(content)
    assert again.to_json() == test.to_json()
    assert again.table().equals(test.table())
    del content["scores"]
    with pytest.raises(ArtifactError, match="written by another version"):
        CrossTest.from_json(content)


def test_the_table_has_every_kind_of_score(whole):
    test = whole
    table = test.table()
    rows = table.set_index(["scores", "measure", "name"])
    assert rows.index.is_unique
    f1_of = rows.loc[("cross", "f1", "AU12")]
    assert f1_of["mean"] == test.scores["f1"].aus[12].mean.value
    assert f1_of["network2"] == test.scores["f1"].aus[12].by_network[2]
    gain = rows.loc[("re-fitted minus same", "f1", "AU12")]
    assert gain["ensemble"] == test.refitted.paired.differences["f1"].aus[12].ensemble.value
    assert len(set(table["scores"])) == 7
    alone = replace(whole, within=None, refitted=None)
    assert set(alone.table()["scores"]) == {"cross"}


def test_predictions_without_numbers_or_intensities_can_be_tested(labels):
    table = labels.drop(columns="frame")
    parts = {
        fold: NetworkPredictions.read(table, dict.fromkeys(AUS, 0.5), AUS) for fold in (1, 2)
    }
    scores = score_networks(parts)
    assert np.isnan(scores["f1_event"].aus[12].mean.value)
    assert "without a number" in scores["f1_event"].aus[12].mean.why
