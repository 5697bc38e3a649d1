"""How often an annotator errs, against simulations in which that is known."""

import json
from dataclasses import fields

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logit
from sklearn.metrics import confusion_matrix

from action_units.evaluation.annotator_rates import (
    NOT_CODED,
    AnnotatorRates,
    count_rates,
    estimate_rates,
    rates_table,
)
from action_units.evaluation.shrinkage import independent_frames, shrink

AUS = (1, 2, 4, 5, 6, 9, 12, 15)
KINDS = ("false_positive", "false_negative")


def simulate(seed, n_people, n_each, prevalence, truth, apart=2.0, spread=0.0):
    """Truth, the annotator's labels, a network's probabilities, and the person of each face.

    Rates are ``truth`` (2, A); with a `spread` each person has rates of their own around
    them. Scores of faces with an AU are `apart` standard deviations higher.
    """
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(n_people), n_each)
    y = (rng.random((len(person), len(AUS))) < prevalence).astype(np.int8)
    own = expit(logit(truth)[:, None] + spread * rng.normal(size=(2, n_people, len(AUS))))
    chance = np.where(y == 1, 1 - own[1, person], own[0, person])
    noisy = (rng.random(y.shape) < chance).astype(np.int8)
    return y, noisy, expit(rng.normal(size=y.shape) + apart * y - 1.0), person.astype(str)


def rates_of(seed):
    rng = np.random.default_rng([7, seed])
    return np.stack([rng.beta(4, 12, len(AUS)), rng.beta(3, 20, len(AUS))])


def ends(rates, kind):
    return getattr(rates, f"{kind}_low"), getattr(rates, f"{kind}_high")


def covered(rates, truth):
    """Whether each interval holds the truth, (2, A)."""
    limits = [ends(rates, kind) for kind in KINDS]
    return np.array(
        [(low <= t) & (t <= high) for (low, high), t in zip(limits, truth, strict=True)]
    )


def test_estimates_cover_the_truth_though_the_priors_differ():
    held, errors = [], []
    for seed in range(15):
        truth = rates_of(seed)
        _, noisy, web_scores, people = simulate([seed, 0], 300, 3, 0.45, truth)
        y, _, scores, subjects = simulate([seed, 1], 13, 100, 0.06, truth)
        found = estimate_rates((noisy, web_scores, people), (y, scores, subjects), AUS, [seed])
        held.append(covered(found, truth))
        errors.append([getattr(found, kind) - t for kind, t in zip(KINDS, truth, strict=True)])
    share = np.mean(held)
    assert 0.93 <= share <= 1.0, share
    assert np.abs(np.mean(errors)) < 0.015  # no bias
    assert np.abs(errors).mean() < 0.04


def test_the_mean_probability_of_a_class_takes_confusion_for_noise():
    """Hendrycks et al.'s estimate, of the very posterior of the label, is much further off."""
    truth = rates_of(1)
    _, noisy, web_scores, people = simulate([1, 0], 600, 3, 0.25, truth)
    y, _, scores, subjects = simulate([1, 1], 13, 100, 0.06, truth)
    shows = expit(2.0 * (logit(scores) + 1.0) - 2.0 + logit(0.25))
    probability = truth[0] + (1 - truth[0] - truth[1]) * shows
    mean = 1 - np.array([probability[y[:, k] == 1, k].mean() for k in range(len(AUS))])
    found = estimate_rates((noisy, web_scores, people), (y, scores, subjects), AUS, [0])
    ours = np.abs(found.false_negative - truth[1]).mean()
    assert np.abs(mean - truth[1]).mean() > 3 * ours


@pytest.mark.parametrize("spread", [0.0, 0.8])
def test_counts_cover_the_truth(spread):
    held = []
    for seed in range(20):
        truth = rates_of(seed)
        y, noisy, _, subjects = simulate([seed, 2], 14, 60, 0.15, truth, spread=spread)
        # The mean over people of rates that vary around the truth on the logit scale.
        at = np.quantile(
            np.random.default_rng(0).normal(size=20_000), np.linspace(0.005, 0.995, 100)
        )
        mean = expit(logit(truth)[..., None] + spread * at).mean(axis=-1)
        held.append(covered(count_rates(y, noisy, subjects, AUS, [seed]), mean))
    share = np.mean(held)
    assert 0.91 <= share <= 0.99, share


def test_counts_are_those_of_a_confusion_matrix():
    """Of many frames nothing is left to shrink."""
    truth = rates_of(3)
    y, noisy, _, subjects = simulate(3, 40, 400, 0.3, truth)
    found = count_rates(y, noisy, subjects, AUS, [0])
    for k in range(len(AUS)):
        (tn, fp), (fn, tp) = confusion_matrix(y[:, k], noisy[:, k])
        assert found.false_positive[k] == pytest.approx(fp / (fp + tn), abs=0.004)
        assert found.false_negative[k] == pytest.approx(fn / (fn + tp), abs=0.008)
        assert found.positives[k] == fn + tp
    np.testing.assert_allclose(found.prevalence, noisy.mean(axis=0))


def test_shrunk_rates_of_rare_aus_are_nearer_to_the_truth():
    raw, shrunk = [], []
    for seed in range(20):
        truth = rates_of(seed)
        prevalence = np.where(np.arange(len(AUS)) < 4, 0.012, 0.2)
        y, noisy, _, subjects = simulate([seed, 4], 12, 60, prevalence, truth, spread=0.4)
        found = count_rates(y, noisy, subjects, AUS, [seed]).false_negative[:4]
        n = (y == 1)[:, :4].sum(axis=0)
        with np.errstate(invalid="ignore"):
            plain = ((y == 1) & (noisy == 0))[:, :4].sum(axis=0) / n
        raw.append(plain - truth[1, :4])
        shrunk.append(found - truth[1, :4])
    assert np.nanmean(np.square(shrunk)) < 0.5 * np.nanmean(np.square(raw))


def test_missing_labels_of_either_side_do_not_count():
    y, noisy, _, subjects = simulate(5, 12, 50, 0.3, rates_of(5))
    known = np.arange(len(y)) % 3 != 0
    half = count_rates(y[known], noisy[known], subjects[known], AUS, [0])
    gaps = np.where(known[:, None], 0, -1 - np.stack([y, noisy])).astype(np.int8)
    for of_labels, of_annotator in ((gaps[0], 0), (0, gaps[1])):
        found = count_rates(y + of_labels, noisy + of_annotator, subjects, AUS, [0])
        for name in ("false_positive", "false_negative_high", "frames", "positives"):
            np.testing.assert_array_equal(getattr(found, name), getattr(half, name))


@pytest.mark.parametrize("counted", [True, False], ids=["counted", "estimated"])
def test_nothing_is_said_where_nothing_is_known(counted):
    truth = rates_of(6)
    y, labels, scores, subjects = simulate(6, 12, 60, 0.2, truth)
    _, noisy, web_scores, people = simulate(7, 100, 3, 0.3, truth)
    y[:, 0] = -1  # not coded
    y[:, 1] = 0  # never shown
    y[subjects != "3", 2] = 0  # shown by one person
    web = (noisy, web_scores, people)
    found = (
        count_rates(y, labels, subjects, AUS, [0])
        if counted
        else estimate_rates(web, (y, scores, subjects), AUS, [0])
    )
    assert found.why[:4] == (
        NOT_CODED,
        "no frame of the training subjects shows it",
        "only one training subject shows it",
        "",
    )
    assert np.isnan(found.false_negative[:3]).all()
    assert np.isfinite(found.false_negative[3:]).all()
    assert np.isfinite(found.false_positive[1:3]).all() == counted
    assert list(found.frames[:2]) == [0, len(y)]


def test_one_subject_says_nothing():
    y, noisy, _, subjects = simulate(8, 1, 200, 0.3, rates_of(8))
    found = count_rates(y, noisy, subjects, AUS, [0])
    assert np.isnan(found.false_positive).all()
    assert all(found.why)


def test_a_network_that_guesses_says_nothing():
    truth = rates_of(9)
    y, _, scores, subjects = simulate([9, 0], 12, 60, 0.2, truth, apart=0.0)
    _, noisy, web_scores, people = simulate([9, 1], 200, 3, 0.3, truth, apart=0.0)
    found = estimate_rates((noisy, web_scores, people), (y, scores, subjects), AUS, [0])
    unclear = np.isnan(found.false_positive)
    assert unclear.mean() > 0.6
    assert all("does not recognise" in found.why[k] for k in np.flatnonzero(unclear))


def test_any_rising_function_of_the_scores_gives_nearly_the_same():
    truth = rates_of(10)
    y, _, scores, subjects = simulate([10, 0], 13, 100, 0.1, truth)
    _, noisy, web_scores, people = simulate([10, 1], 400, 3, 0.3, truth)
    plain, other = (
        estimate_rates((noisy, of_web, people), (y, of_coded, subjects), AUS, [0])
        for of_web, of_coded in (
            (web_scores, scores),
            (expit(3 * logit(web_scores) - 2), expit(3 * logit(scores) - 2)),
        )
    )
    np.testing.assert_allclose(plain.false_positive, other.false_positive, atol=1e-4)


def test_rates_are_read_as_they_were_written():
    y, noisy, _, subjects = simulate(11, 12, 50, 0.3, rates_of(11))
    y[:, 1] = -1
    found = count_rates(y, noisy, subjects, AUS, [0])
    read = AnnotatorRates.from_json(json.loads(json.dumps(found.to_json(), allow_nan=False)))
    for field in fields(found):
        np.testing.assert_array_equal(getattr(read, field.name), getattr(found, field.name))
    table = rates_table({"counted": found})
    assert list(table["au"]) == list(AUS)
    assert set(table["how"]) == {"counted"}
    assert len(rates_table({})) == 0


def test_few_rates_stand_on_jeffreys_prior():
    value, low, high = shrink([0.2, np.nan, 0.5], [10, 5, 8])
    posterior = stats.beta([2.5, 4.5], [8.5, 4.5])
    np.testing.assert_allclose(value[[0, 2]], posterior.mean())
    np.testing.assert_allclose(low[[0, 2]], posterior.ppf(0.025))
    np.testing.assert_allclose(high[[0, 2]], posterior.ppf(0.975))
    assert np.isnan([value[1], low[1], high[1]]).all()


def test_the_fitted_distribution_is_the_likeliest():
    """Against a grid of scipy's beta-binomial with the same prior."""
    hits, n = np.array([1, 4, 0, 9, 3]), np.array([20, 20, 15, 30, 12])
    value, _, _ = shrink(hits / n, n)
    mean, weight = np.meshgrid(np.linspace(0.02, 0.5, 241), np.exp(np.linspace(0, 6.9, 241)))
    a, b = mean * weight, (1 - mean) * weight
    like = sum(stats.betabinom.logpmf(h, m, a, b) for h, m in zip(hits, n, strict=True))
    best = np.argmax(like + np.log(mean * (1 - mean)) - np.log(weight) / 2)
    grid = (hits + a.flat[best]) / (n + a.flat[best] + b.flat[best])
    np.testing.assert_allclose(value, grid, atol=0.004)


def test_doubt_widens_intervals_and_moves_no_rate():
    rates, frames = [0.1, 0.2, 0.3, 0.15], [50, 60, 40, 30]
    sure, doubted = shrink(rates, frames), shrink(rates, frames, doubt=0.02)
    np.testing.assert_allclose(sure[0], doubted[0])
    assert (doubted[1] < sure[1]).all()
    assert (doubted[2] > sure[2]).all()


def test_independent_frames_are_those_of_a_binomial():
    """Frames drawn one by one, each from a person of its own, count as one each."""
    rng = np.random.default_rng(0)
    rates = np.concatenate([[[0.3] * 6], rng.binomial(200, 0.3, (4000, 6)) / 200])
    found = independent_frames(rates, np.full(6, 200), np.full(6, 200.0))
    np.testing.assert_allclose(found, 200, rtol=0.08)
