"""Thresholds against brute force over every cut, and when they are not fitted."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import f1_score

from action_units.errors import ArtifactError
from action_units.evaluation.postprocessing.thresholds import (
    DEFAULT_THRESHOLD,
    RESAMPLES,
    FittedThresholds,
    choose_thresholds,
)
from action_units.evaluation.predictions import PredictionError


def f1_at(y: np.ndarray, p: np.ndarray, threshold: float) -> float:
    known = y >= 0
    return float(f1_score(y[known], p[known] >= threshold, zero_division=0.0))


@st.composite
def one_au(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    n = draw(st.integers(2, 25))
    labels = draw(arrays(np.int8, n, elements=st.sampled_from([-1, 0, 0, 1, 1])))
    tied = st.sampled_from([0.0, 0.25, 0.5, 1.0])
    scores = draw(arrays(np.float64, n, elements=st.one_of(tied, st.floats(0, 1))))
    return labels, scores


@settings(max_examples=120, deadline=None)
@given(one_au())
def test_no_cut_has_a_higher_f1(data):
    y, p = data
    fitted = choose_thresholds(y[:, None], p[:, None], minimum_positives=1)
    if fitted.fallback[0]:
        assert not (y == 1).any() or not (y == 0).any()
        return
    best = max(f1_at(y, p, cut) for cut in np.append(np.unique(p), 2.0))
    assert f1_at(y, p, fitted.values[0]) == pytest.approx(best, abs=1e-12)
    assert fitted.f1[0] == pytest.approx(best, abs=1e-12)
    assert 0.0 <= fitted.values[0] <= 1.0


def test_the_threshold_lies_in_the_middle_of_the_gap():
    y, p = np.array([[0], [0], [1], [1]], np.int8), np.array([[0.1], [0.3], [0.7], [0.9]])
    assert choose_thresholds(y, p, minimum_positives=1).values == (0.5,)


def test_the_widest_of_equally_good_intervals_is_taken():
    # F1 is 2/3 for thresholds in (0.9, 1.0] and, as good, in (0.2, 0.8].
    y = np.array([1, 0, 1, 0, 0], np.int8)
    p = np.array([1.0, 0.9, 0.8, 0.8, 0.2])
    assert f1_at(y, p, 0.95) == f1_at(y, p, 0.5) == pytest.approx(2 / 3)
    assert choose_thresholds(y[:, None], p[:, None], minimum_positives=1).values == (0.5,)


def test_below_the_lowest_score_there_is_room_down_to_zero():
    y, p = np.array([[1], [0], [1]], np.int8), np.array([[0.6], [0.7], [0.8]])
    assert choose_thresholds(y, p, minimum_positives=1).values == (0.3,)


@pytest.mark.parametrize("steps", [0, 1])  # the middle rounds once down and once up
def test_the_threshold_separates_neighbouring_floats(steps):
    low = 0.3 if steps == 0 else np.nextafter(0.3, 1.0)
    high = np.nextafter(low, 1.0)
    y, p = np.array([[0], [1]], np.int8), np.array([[low], [high]])
    threshold = choose_thresholds(y, p, minimum_positives=1).values[0]
    assert low < threshold <= high


def test_rare_aus_take_the_median_of_the_fitted_ones():
    n = 100
    y = np.zeros((n, 5), np.int8)
    p = np.zeros((n, 5))
    for column, gap in enumerate([0.2, 0.4, 0.9]):
        y[:20, column] = 1
        p[:20, column] = gap
    y[:9, 3] = 1  # one positive too few
    p[:9, 3] = 0.6
    y[:, 4] = 1  # no negatives
    fitted = choose_thresholds(y, p)
    assert fitted.values == pytest.approx((0.1, 0.2, 0.45, 0.2, 0.2))
    assert fitted.fallback == (False, False, False, True, True)
    assert fitted.f1[:3] == (1.0, 1.0, 1.0)
    assert np.isnan(fitted.f1[3:]).all()


def test_without_any_fitted_au_one_half_is_used():
    fitted = choose_thresholds(np.zeros((20, 2), np.int8), np.full((20, 2), 0.1))
    assert fitted.values == (DEFAULT_THRESHOLD, DEFAULT_THRESHOLD)
    assert fitted.fallback == (True, True)


def test_missing_labels_do_not_count():
    random = np.random.default_rng(0)
    y = (random.random((200, 1)) < 0.4).astype(np.int8)
    p = np.clip(0.4 * y + 0.6 * random.random((200, 1)), 0, 1)
    extra_p = random.random((300, 1))
    masked = choose_thresholds(
        np.concatenate([y, np.full((300, 1), -1)]), np.concatenate([p, extra_p])
    )
    assert masked.values == choose_thresholds(y, p).values


def several_people() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Four people who are each best cut elsewhere."""
    random = np.random.default_rng(1)
    lengths = [60, 70, 80, 90]
    who = np.repeat(list("abcd"), lengths)
    shift = np.repeat([0.0, 0.1, 0.2, 0.3], lengths)
    y = (random.random((len(who), 2)) < 0.4).astype(np.int8)
    y[:, 1] = 0
    y[-5:, 1] = 1  # too few
    p = np.clip(0.3 * y + 0.4 * random.random(y.shape) + shift[:, None], 0, 1)
    return y, p, who


def test_with_subjects_the_threshold_is_the_median_over_draws_of_them():
    y, p, who = several_people()
    fitted = choose_thresholds(y, p, subjects=who, seed=3)
    drawn = np.random.default_rng([3, 4]).integers(4, size=(RESAMPLES, 4))
    naive = [choose_thresholds(y[:, :1], p[:, :1]).values[0]]
    for draw in drawn:
        frames = np.concatenate([np.flatnonzero(who == "abcd"[i]) for i in draw])
        naive.append(choose_thresholds(y[frames, :1], p[frames, :1]).values[0])
    assert fitted.values == pytest.approx((np.median(naive),) * 2, abs=1e-15)
    assert fitted.fallback == (False, True)
    assert fitted.fitted_on == ("a", "b", "c", "d")
    # The F1 told is the one that this threshold reaches, not the best there is.
    assert fitted.f1[0] == pytest.approx(f1_at(y[:, 0], p[:, 0], fitted.values[0]), abs=1e-12)
    assert fitted.f1[0] <= choose_thresholds(y, p).f1[0]


def test_the_draws_of_subjects_follow_the_seed_alone():
    y, p, who = several_people()
    first = choose_thresholds(y, p, subjects=who, seed=0)
    assert first.values == choose_thresholds(y, p, subjects=who, seed=0).values
    turned = choose_thresholds(y[::-1], p[::-1], subjects=who[::-1], seed=0)
    assert first.values == turned.values
    others = {choose_thresholds(y, p, subjects=who, seed=s).values for s in range(5)}
    assert len(others) > 1


def test_a_subject_too_few_is_refused():
    y, p, who = several_people()
    with pytest.raises(PredictionError, match="299 subjects for 300 frames"):
        choose_thresholds(y, p, subjects=who[1:])


def test_nan_is_refused():
    with pytest.raises(PredictionError, match="nan"):
        choose_thresholds([[0], [1]], [[0.5], [np.nan]])


def test_json_round_trip_is_by_au_not_by_place():
    fitted = FittedThresholds((0.25, 0.5), (False, True), (0.8, float("nan")), ("SN001",))
    content = json.loads(json.dumps(fitted.to_json([12, 1]), allow_nan=False))
    assert content["1"]["validation_f1"] is None
    turned = FittedThresholds.from_json(content, [1, 12])
    assert turned.values == (0.5, 0.25)
    assert turned.fallback == (True, False)
    assert np.isnan(turned.f1[0])
    assert turned.f1[1] == 0.8
    assert turned.fitted_on == ("SN001",)


def test_an_au_without_a_threshold_is_named():
    content = FittedThresholds((0.25,), (False,), (0.8,)).to_json([12])
    with pytest.raises(ArtifactError, match="no AU 4: they have AUs 12"):
        FittedThresholds.from_json(content, [12, 4])


@settings(max_examples=60, deadline=None)
@given(st.lists(one_au(), min_size=2, max_size=4), st.integers(0, 3))
def test_a_threshold_is_the_median_of_those_fitted_to_each_draws_own_frames(people, seed):
    labels, scores = (np.concatenate(part)[:, None] for part in zip(*people, strict=True))
    who = np.repeat(np.arange(len(people)), [len(y) for y, _ in people])
    fitted = choose_thresholds(labels, scores, 1, subjects=who, seed=seed)
    scored = [person for person, (y, _) in enumerate(people) if (y >= 0).any()]
    n = max(len(scored), 1)
    draws = np.random.default_rng([seed, n]).integers(n, size=(RESAMPLES, n))
    cuts = []
    for draw in [scored, *np.array(scored)[draws]] if scored else []:
        frames = np.concatenate([np.flatnonzero(who == person) for person in draw])
        alone = choose_thresholds(labels[frames], scores[frames], 1)
        cuts.append(np.nan if alone.fallback[0] else alone.values[0])
    if not fitted.fallback[0]:
        assert fitted.values[0] == np.nanmedian(cuts)  # bit for bit
