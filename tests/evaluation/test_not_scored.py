"""Frames in which an AU was not scored count for nothing in what is said of that AU.

Everything of one AU is what it would be if those frames were not there at all, and everything
of the other AUs is what it would be if they had been scored.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from action_units.evaluation.fold import au_report, evaluate_predictions, reasons
from action_units.evaluation.metrics import MISSING
from action_units.evaluation.postprocessing.calibration import fit_isotonic, fit_temperature
from action_units.evaluation.postprocessing.smoothing import choose_smoothing
from action_units.evaluation.postprocessing.thresholds import choose_thresholds
from action_units.evaluation.predictions import Predictions, pool
from action_units.evaluation.reliability import reliability_curve
from action_units.evaluation.report.examples import choose_examples
from action_units.evaluation.report.plots import co_occurrence
from action_units.evaluation.scores import score_folds
from action_units.evaluation.subject_statistics import METRICS, subject_statistics
from action_units.evaluation.summary import summarise
from tests.evaluation.made_up import GROUPS, made_up_fold, made_up_predictions, thresholds_at

AUS = (1, 4, 12)
SUBJECTS = (*GROUPS[0], *GROUPS[1])
FRAMES = 12
N = len(SUBJECTS) * FRAMES


def example(seed: int) -> Predictions:
    """All scored, with intensities; each subject has two recordings of the same names."""
    random = np.random.default_rng(seed)
    intensities = random.choice([0.0, 0.0, 1.0, 2.0, 4.0], (N, len(AUS)))
    labels = (intensities >= 2).astype(np.int8)
    p = np.round(0.6 * random.random(labels.shape) + 0.4 * labels, 2)
    frame = np.tile(np.arange(FRAMES), len(SUBJECTS))
    who = np.repeat(SUBJECTS, FRAMES)
    names = [f"{one}/{number % 2}" for one, number in zip(who, frame, strict=True)]
    return Predictions(
        AUS,
        labels,
        p,
        p >= 0.5,
        who,
        frame // 2,
        np.array(names),
        intensities=intensities,
        estimates=4 * p,
        training_means=np.full(p.shape, 0.8),
    )


def take(predictions: Predictions, rows: np.ndarray, columns: list[int]) -> Predictions:
    parts = {
        name: getattr(predictions, name)[rows] for name in ("subjects", "frames", "recordings")
    }
    two = (
        "labels", "probabilities", "predicted", "intensities", "estimates", "training_means"
    )  # fmt: skip
    parts |= {name: getattr(predictions, name)[rows][:, columns] for name in two}
    return Predictions(tuple(AUS[column] for column in columns), **parts)


def masked(predictions: Predictions, mask: np.ndarray, column: int) -> Predictions:
    labels, intensities = predictions.labels.copy(), predictions.intensities.copy()
    labels[mask, column], intensities[mask, column] = MISSING, np.nan
    return replace(predictions, labels=labels, intensities=intensities)


@st.composite
def masks(draw):
    """Which frames are not scored: single ones, runs of frames, whole people, or all."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    mask = random.random(N) < draw(st.sampled_from([0.0, 0.2, 0.9, 1.0]))
    people = draw(st.sets(st.sampled_from(SUBJECTS)))
    return mask | np.isin(np.repeat(SUBJECTS, FRAMES), sorted(people))


cases = given(st.integers(0, 99), masks(), st.integers(0, len(AUS) - 1))


@cases
@settings(max_examples=30, deadline=None)
def test_every_metric(seed, mask, column):
    whole = example(seed)
    values = subject_statistics(masked(whole, mask, column)).values
    expected = subject_statistics(whole).values
    alone = take(whole, ~mask, [column])
    dropped = subject_statistics(alone).values
    assert set(values) == set(METRICS)
    for name, value in values.items():
        for other in set(range(len(AUS))) - {column}:
            np.testing.assert_equal(value[other], expected[name][other], name)
        np.testing.assert_allclose(value[column], dropped[name][0], atol=1e-12, err_msg=name)


@cases
@settings(max_examples=10, deadline=None)
def test_thresholds_and_calibration(seed, mask, column):
    whole = example(seed)
    holed, alone = masked(whole, mask, column), take(whole, ~mask, [column])
    others = [k for k in range(len(AUS)) if k != column]

    def fitted(part: Predictions, columns: list[int]):
        data = part.labels[:, columns], part.probabilities[:, columns]
        thresholds = choose_thresholds(*data, 3, part.subjects, seed=4)
        temperature = fit_temperature(*data, part.subjects, 3)
        isotonic = fit_isotonic(*data, part.subjects, 3)
        rows = zip(
            thresholds.fallback, thresholds.f1, temperature.values, isotonic.curves, strict=True
        )
        return thresholds.values, list(rows)

    assert fitted(holed, others) == fitted(whole, others)
    (mine, [row]), (theirs, [row_dropped]) = fitted(holed, [column]), fitted(alone, [0])
    assert mine == theirs
    np.testing.assert_equal(row, row_dropped)


def test_a_threshold_is_drawn_over_the_people_who_are_scored():
    whole = example(5)
    mask = np.isin(whole.subjects, SUBJECTS[:3])
    holed, alone = masked(whole, mask, 1), take(whole, ~mask, [1])
    for seed in range(20):
        found = choose_thresholds(holed.labels, holed.probabilities, 3, holed.subjects, seed)
        dropped = choose_thresholds(alone.labels, alone.probabilities, 3, alone.subjects, seed)
        assert found.values[1] == dropped.values[0]


@cases
@settings(max_examples=10, deadline=None)
def test_curves_examples_and_pairs(seed, mask, column):
    whole = example(seed)
    holed = masked(whole, mask, column)
    y, p = holed.labels[:, [column]], holed.probabilities[:, [column]]
    for found, expected in zip(
        reliability_curve(y, p), reliability_curve(y[~mask], p[~mask]), strict=True
    ):
        np.testing.assert_allclose(found, expected)
    shown = choose_examples(y[:, 0], p[:, 0] - 0.5, whole.subjects)
    kept = choose_examples(y[~mask, 0], p[~mask, 0] - 0.5, whole.subjects[~mask])
    for kind, rows in shown.items():
        assert rows.tolist() == np.flatnonzero(~mask)[kept[kind]].tolist()
    pairs = co_occurrence(holed.labels == 1, holed.labels >= 0)
    known = whole.labels[~mask] == 1
    dropped = co_occurrence(known, np.ones_like(known))
    np.testing.assert_allclose(pairs[column], dropped[column])
    np.testing.assert_allclose(pairs[:, column], dropped[:, column])
    others = [k for k in range(len(AUS)) if k != column]
    everyone = co_occurrence(whole.labels == 1, whole.labels >= 0)
    np.testing.assert_allclose(pairs[np.ix_(others, others)], everyone[np.ix_(others, others)])


@cases
@settings(max_examples=5, deadline=None)
def test_intervals_where_everyone_is_scored_somewhere(seed, mask, column):
    """The same resamples of the same people; the counts are those of the scored frames."""
    mask = mask.copy()
    mask[:: FRAMES // 2] = False  # two frames of each subject stay
    whole = example(seed)
    report, _, statistics = au_report(masked(whole, mask, column), [0.5] * 3)
    expected, _, _ = au_report(take(whole, ~mask, [column]), [0.5])
    pd.testing.assert_series_equal(
        report.iloc[column], expected.iloc[0], check_names=False, check_index=True
    )
    others = [k for k in range(len(AUS)) if k != column]
    pd.testing.assert_frame_equal(
        report.iloc[others], au_report(whole, [0.5] * 3)[0].iloc[others]
    )
    assert report["n"].tolist() == (statistics.counts.n.sum(axis=0)).tolist()


def test_a_report_counts_the_frames_and_subjects_that_are_scored():
    table = made_up_predictions(aus=(1, 4)).assign(AU01=1, AU04=1)
    table.loc[table["subject"] == "SN002", "AU04"] = -1
    table.loc[:4, "AU04"] = -1
    found = evaluate_predictions(table, thresholds_at(0.5, 2)).au_table
    assert found["n"].tolist() == [120, 75]
    assert found["n_subjects"].tolist() == [3, 2]
    assert found["n_subjects_with_positives"].tolist() == [3, 2]


def test_an_au_that_no_frame_is_scored_for_is_undefined_with_its_reason():
    table = made_up_predictions(aus=AUS).assign(AU04=-1, AU01_r=1.0, AU04_r=np.nan, AU01_e=1.0)
    report = evaluate_predictions(table, thresholds_at(0.5, 3))
    row = report.au_table.iloc[1]
    assert (row["n"], row["n_subjects"], row["support"]) == (0, 0, 0)
    intensity = {name for name in METRICS if METRICS[name].source == "agreement"}
    why = reasons(row)
    assert row[sorted(METRICS)].isna().all()
    assert {why[name] for name in set(METRICS) - intensity} == {"not scored in any frame"}
    assert {why[name] for name in intensity} == {"no frame with an intensity"}
    assert report.averages["f1_defined"].tolist() == [2]
    summary = score_folds({1: Predictions.read(table, [0.5] * 3, AUS)}).scores()["f1"]
    assert summary.aus[4].mean_of_folds.why == "not scored in any frame"
    assert summary.aus[4].why == {1: "not scored in any frame"}
    assert summary.averages["3 AUs"].defined == 2


def test_an_event_ends_where_an_au_was_not_scored():
    frames = np.arange(1, 8)
    y = np.array([[1, 1, -1, 1, 1, 0, 0]], np.int8).T
    called = np.ones((7, 1), np.bool_)
    one = Predictions(
        (1,), y, called.astype(float), called, np.repeat("A", 7), frames, np.repeat("A", 7)
    )
    events = subject_statistics(one).events
    assert events.coded.tolist() == [[2.0]]
    assert events.predicted.tolist() == [[2.0]]


def test_smoothing_is_chosen_without_the_aus_that_are_never_scored():
    whole = example(3)
    holed = masked(whole, np.ones(N, np.bool_), 1)
    rest = take(whole, np.ones(N, np.bool_), [0, 2])
    assert choose_smoothing(holed) == choose_smoothing(rest)


def test_recordings_of_the_same_name_are_of_different_people():
    table = made_up_predictions(frames=6, aus=AUS).assign(recording="trial 1")
    found = subject_statistics(Predictions.read(table, [0.5] * 3, AUS)).values
    apart = subject_statistics(
        Predictions.read(table.drop(columns="recording"), [0.5] * 3, AUS)
    ).values
    np.testing.assert_array_equal(found["f1_event"], apart["f1_event"])


def test_pooling_keeps_the_sets_where_all_have_them():
    table = made_up_predictions(aus=AUS).assign(set="disfa")
    one = Predictions.read(table, [0.5] * 3)
    assert set(pool([one, one]).sets) == {"disfa"}
    assert pool([one, replace(one, sets=None)]).sets is None


def test_a_reader_is_told_what_was_never_scored():
    folds = [made_up_fold(n) for n in (1, 2, 3)]
    for fold, missing in zip(
        folds, ({"training": [5]}, {}, {"validation": [5, 9]}), strict=True
    ):
        fold.finetuned.provenance["not_scored"] = missing
    assert summarise(folds).warnings == (
        "AU05: not scored in any training frame of fold 1, so its network does not know it and "
        "it is not tested there.",
        "AU05, AU09: not scored in any validation frame of fold 3, so its threshold is the "
        "median of the other AUs'.",
    )


@pytest.mark.parametrize("column", [0, 2])
def test_the_metrics_are_scikit_learns_on_what_is_scored(column):
    from sklearn import metrics as sk

    whole = example(7)
    mask = np.random.default_rng(8).random(N) < 0.4
    holed = masked(whole, mask, column)
    values = subject_statistics(holed).values
    y, p = whole.labels[~mask, column], whole.probabilities[~mask, column]
    called, coded = p >= 0.5, whole.intensities[~mask, column]
    expected = {
        "f1": sk.f1_score(y, called),
        "precision": sk.precision_score(y, called),
        "auc": sk.roc_auc_score(y, p),
        "average_precision": sk.average_precision_score(y, p),
        "mcc": sk.matthews_corrcoef(y, called),
        "brier": sk.brier_score_loss(y, p),
        "mae": sk.mean_absolute_error(coded, 4 * p),
        "mse": sk.mean_squared_error(coded, 4 * p),
        "mae_of_zero": sk.mean_absolute_error(coded, np.zeros_like(p)),
        "mse_of_mean": sk.mean_squared_error(coded, np.full_like(p, 0.8)),
    }
    for name, value in expected.items():
        assert values[name][column] == pytest.approx(value, abs=1e-12), name
