"""Probabilities relative to the person's own: what is subtracted, chosen, and never touched."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.metrics import average_precision_score

from action_units.errors import ArtifactError, ConfigurationError
from action_units.evaluation.metrics import confusion, f1
from action_units.evaluation.postprocessing.person_centred import (
    CANDIDATES,
    MINIMUM_FRAMES,
    PersonCentring,
    fit_person_centring,
)
from action_units.evaluation.postprocessing.postprocessing import (
    OPTIONS,
    PersonCentred,
    Postprocessing,
    fit_person_centred,
    fit_postprocessing,
)
from action_units.evaluation.predictions import Predictions

AUS = (1, 4, 12)


def people(names, seed, offset=2.0, frames=150, present=0.25):
    """Frames in which each person's logits are off by a number of the person's own."""
    random = np.random.default_rng([7, seed])
    who = np.repeat(names, frames)
    labels = (random.random((who.size, len(AUS))) < present).astype(np.int8)
    own = offset * random.normal(size=(len(names), len(AUS))).repeat(frames, axis=0)
    p = expit(4 * labels - 3 + own + random.normal(size=labels.shape))
    numbers = np.tile(np.arange(frames), len(names))
    return Predictions(AUS, labels, p, p >= 0.5, who, numbers, who)


VALIDATION, TEST = people(("a", "b", "c", "d"), 0), people(("e", "f", "g", "h", "i"), 1)


def centring(**changes):
    whole = {
        "quantile": 0.5,
        "strength": 1.0,
        "level": (0.5, -1.0, 0.0),
        "lowest": (-99.0,) * 3,
        "highest": (99.0,) * 3,
        "neutral_level": (0.0, -1.5, 0.25),
        "minimum_frames": 3,
        "fitted_on": ("a", "b"),
    }
    return PersonCentring(**(whole | changes))


def both(option="raw", validation=VALIDATION):
    plain = fit_postprocessing(validation, option)
    return replace(plain, person_centred=fit_person_centred(validation, option))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.1, 0.25, 0.5]), st.integers(1, 9))
def test_the_reference_is_the_quantile_of_the_persons_own_frames(seed, quantile, minimum):
    random = np.random.default_rng(seed)
    p = random.uniform(0.001, 0.999, (30, 3))
    who = random.choice(list("abcd"), 30)
    found = centring(quantile=quantile, minimum_frames=minimum).references(p, who)
    groups = pd.DataFrame(logit(p)).groupby(who)
    expected = groups.transform(lambda z: z.quantile(quantile)).to_numpy(copy=True)
    expected[groups[0].transform("size") < minimum] = np.nan
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_each_person_comes_to_the_common_level_and_keeps_the_order_of_frames():
    one = centring()
    p = one.apply(TEST.probabilities, one.references(TEST.probabilities, TEST.subjects))
    for person in np.unique(TEST.subjects):
        rows = person == TEST.subjects
        np.testing.assert_allclose(np.median(logit(p[rows]), axis=0), one.level, atol=1e-9)
        order = np.argsort(TEST.probabilities[rows], axis=0)
        assert (np.diff(np.take_along_axis(p[rows], order, 0), axis=0) >= 0).all()


def test_a_part_of_the_difference_is_subtracted():
    half = centring(strength=0.5)
    p = np.full((2, 3), 0.5)
    references = np.array([[1.5, -1.0, -2.0], [np.nan] * 3])
    found = half.apply(p, references)
    np.testing.assert_allclose(found[0], expit([-0.5, 0.0, 1.0]))
    np.testing.assert_array_equal(found[1], p[1])


def test_nobody_is_moved_further_than_the_validation_subject_who_is_moved_furthest():
    """One who always smiles would else lose the smile."""
    steps = both()
    inner, always = steps.person_centred.centring, people(("e",), 8, present=1.0)
    furthest = np.array(inner.highest) - inner.level
    moved = logit(always.probabilities) - logit(
        inner.apply(always.probabilities, np.full((150, 3), 99.0))
    )
    np.testing.assert_allclose(moved, np.broadcast_to(furthest, moved.shape), atol=1e-6)
    references = inner.references(VALIDATION.probabilities, VALIDATION.subjects)
    np.testing.assert_allclose(references.max(axis=0), inner.highest)
    np.testing.assert_allclose(references.min(axis=0), inner.lowest)


def test_extreme_probabilities_stay_finite():
    p = np.array([[0.0, 1.0, 0.5]] * 5)
    one = centring()
    found = one.apply(p, one.references(p, np.zeros(5)))
    assert np.isfinite(logit(found)).all()


def test_neutral_frames_at_the_usual_neutral_level_move_nothing():
    one = centring()
    usual = expit(np.array([one.neutral_level] * 4))
    p = np.array([[0.2, 0.6, 0.9]])
    np.testing.assert_allclose(one.apply(p, one.neutral_reference(usual)), p)
    higher = expit(np.array([one.neutral_level] * 4) + 1)
    np.testing.assert_allclose(
        logit(one.apply(p, one.neutral_reference(higher))), logit(p) - 1, atol=1e-9
    )


def test_offsets_of_people_are_found_and_removed():
    steps = both()
    assert steps.person_centred.centring.strength == 1
    plain, centred = steps.apply(TEST), steps.apply_person_centred(TEST)
    scores = [f1(confusion(one.labels, one.predicted)) for one in (plain, centred)]
    assert (scores[1] > scores[0] + 0.1).all()
    for column in range(len(AUS)):
        before, after = (
            average_precision_score(TEST.labels[:, column], one.probabilities[:, column])
            for one in (plain, centred)
        )
        assert after > before


def test_the_choice_has_the_best_average_precision_of_the_candidates():
    chosen = fit_person_centring(VALIDATION)
    z, groups = logit(VALIDATION.probabilities), VALIDATION.subjects

    def reached(quantile, strength):
        table = pd.DataFrame(z)
        own = table.groupby(groups).transform(lambda part: part.quantile(quantile)).to_numpy()
        centred = z - strength * own  # a level common to all people changes no order
        return np.mean(
            [
                average_precision_score(VALIDATION.labels[:, a], centred[:, a])
                for a in range(len(AUS))
            ]
        )

    best = max(CANDIDATES, key=lambda candidate: reached(*candidate))
    assert (chosen.quantile, chosen.strength) == best


def test_nothing_is_subtracted_where_it_gains_nothing():
    """One person has no other to differ from; a person's usual face may show the AU."""
    assert fit_person_centring(people(("a",), 0)).strength == 0
    alike = people(("a", "b", "c", "d"), 3, offset=0.0)
    often = people(("x", "y"), 4, offset=0.0, present=0.9)
    mixed = replace(
        alike,
        **{
            name: np.concatenate([getattr(alike, name), getattr(often, name)])
            for name in (
                "labels", "probabilities", "predicted", "subjects", "frames", "recordings",
            )
        },
    )  # fmt: skip
    assert fit_person_centring(mixed).strength == 0


def test_aus_with_few_positives_have_no_say():
    labels = np.zeros_like(VALIDATION.labels)
    labels[:5] = 1
    assert fit_person_centring(replace(VALIDATION, labels=labels)).strength == 0


def test_levels_are_means_over_people():
    """Not over frames: one who is seen more often does not count more."""
    long, short = people(("a",), 0, frames=400), people(("b",), 1, frames=40)
    mixed = replace(
        long,
        **{
            name: np.concatenate([getattr(long, name), getattr(short, name)])
            for name in ("labels", "probabilities", "predicted", "subjects")
        },
        frames=None,
        recordings=None,
    )
    found = fit_person_centring(mixed)
    neutral = (mixed.labels == 0).all(axis=1)
    for values, rows, quantile in (
        (found.level, np.full(neutral.size, True), found.quantile),
        (found.neutral_level, neutral, 0.5),
    ):
        z, who = logit(mixed.probabilities[rows]), mixed.subjects[rows]
        each = [np.quantile(z[who == name], quantile, axis=0) for name in ("a", "b")]
        np.testing.assert_allclose(values, np.mean(each, axis=0))


@pytest.mark.parametrize("option", ["raw", "smoothing + isotonic"])
def test_people_with_few_frames_are_as_without(option):
    steps = both(option)
    few = np.flatnonzero((TEST.subjects == "e") & (TEST.frames < MINIMUM_FRAMES - 1))
    others = np.flatnonzero(TEST.subjects != "e")
    part = TEST.select(np.concatenate([few, others]))
    plain, centred = steps.apply(part), steps.apply_person_centred(part)
    own = slice(0, few.size)
    for name in ("probabilities", "predicted"):
        np.testing.assert_array_equal(getattr(centred, name)[own], getattr(plain, name)[own])
    whole = steps.apply_person_centred(TEST).select(others)
    np.testing.assert_array_equal(centred.probabilities[few.size :], whole.probabilities)


@pytest.mark.parametrize("option", ["raw", "temperature", "smoothing + isotonic"])
def test_the_other_steps_follow_the_centring(option):
    steps = both(option)
    inner = steps.person_centred
    references = inner.centring.references(TEST.probabilities, TEST.subjects)
    p = inner.centring.apply(TEST.probabilities, references)
    expected = inner.steps.apply(replace(TEST, probabilities=p))
    found = steps.apply_person_centred(TEST)
    np.testing.assert_array_equal(found.probabilities, expected.probabilities)
    np.testing.assert_array_equal(found.predicted, expected.predicted)
    # What is not person-centred is as if nothing had been fitted.
    plain = fit_postprocessing(VALIDATION, option).apply(TEST)
    np.testing.assert_array_equal(steps.apply(TEST).probabilities, plain.probabilities)


class Unreadable:
    """Labels that refuse to be looked at."""

    def __getattribute__(self, name):
        raise AssertionError("a label of a test subject was read")

    def __getitem__(self, _):
        raise AssertionError("a label of a test subject was read")

    def __array__(self, *_, **__):
        raise AssertionError("a label of a test subject was read")


def test_no_label_of_a_test_subject_is_read(monkeypatch):
    steps = both("smoothing + temperature")
    blind = replace(TEST, labels=Unreadable(), intensities=Unreadable())
    found = steps.apply_person_centred(blind)
    expected = steps.apply_person_centred(TEST)
    np.testing.assert_array_equal(found.probabilities, expected.probabilities)

    def planted(self, predictions):
        neutral = np.asarray(predictions.labels).max(axis=1) < 1
        raw = predictions.probabilities
        references = self.person_centred.centring.references(raw[neutral], raw[neutral])
        return self.relative_to(references, raw)

    monkeypatch.setattr(Postprocessing, "apply_person_centred", planted)
    with pytest.raises(AssertionError, match="a label of a test subject was read"):
        steps.apply_person_centred(blind)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_other_labels_of_test_subjects_change_no_probability_and_no_call(seed):
    random = np.random.default_rng(seed)
    shuffled = random.integers(-1, 2, TEST.labels.shape).astype(np.int8)
    found = STEPS.apply_person_centred(replace(TEST, labels=shuffled))
    expected = STEPS.apply_person_centred(TEST)
    np.testing.assert_array_equal(found.probabilities, expected.probabilities)
    np.testing.assert_array_equal(found.predicted, expected.predicted)


STEPS = both()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_frames_does_not_matter(seed):
    order = np.random.default_rng(seed).permutation(TEST.subjects.size)
    found = STEPS.apply_person_centred(TEST.select(order))
    expected = STEPS.apply_person_centred(TEST).select(order)
    np.testing.assert_allclose(found.probabilities, expected.probabilities, rtol=1e-12)


@pytest.mark.parametrize(
    ("part", "what"),
    [
        ("centring", "the person's centring: chosen on e, who is tested on"),
        ("steps", "the thresholds: chosen on e, who is tested on"),
    ],
)
def test_a_part_that_was_fitted_on_a_test_subject_is_refused(part, what):
    leaky = fit_person_centred(people(("a", "e"), 5))
    planted = replace(STEPS.person_centred, **{part: getattr(leaky, part)})
    with pytest.raises(ConfigurationError, match=what):
        replace(STEPS, person_centred=planted).apply_person_centred(TEST)


def test_without_a_centring_there_is_nothing_to_apply():
    with pytest.raises(
        ConfigurationError, match="no person-centred postprocessing: .*evaluate"
    ):
        fit_postprocessing(VALIDATION).apply_person_centred(TEST)


@pytest.mark.parametrize("option", OPTIONS)
def test_it_makes_the_round_trip(option):
    steps = both(option)
    content = json.loads(json.dumps(steps.to_json(AUS), allow_nan=False))
    back = Postprocessing.from_json(content, AUS)
    assert back.person_centred.centring == steps.person_centred.centring
    for name in ("probabilities", "predicted"):
        one, other = (getattr(t.apply_person_centred(TEST), name) for t in (steps, back))
        np.testing.assert_array_equal(one, other)
    turned = PersonCentring.from_json(content["person_centred"]["centring"], AUS[::-1])
    assert turned.level == steps.person_centred.centring.level[::-1]


def test_an_incomplete_file_is_refused():
    content = STEPS.to_json(AUS)["person_centred"]
    with pytest.raises(ArtifactError, match="has no steps"):
        PersonCentred.from_json({"centring": content["centring"]}, AUS)
    with pytest.raises(ArtifactError, match=r"centring cannot be read \(KeyError\('25'\)\)"):
        PersonCentred.from_json(content, (1, 4, 25))
