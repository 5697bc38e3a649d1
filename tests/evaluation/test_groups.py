"""Scores by group: against predictions of the group alone, and against slow resampling."""

import json
import math
from dataclasses import replace
from itertools import combinations, permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from action_units.errors import ConfigurationError
from action_units.evaluation.groups import largest_gaps, score_groups
from action_units.evaluation.postprocessing.thresholds import choose_thresholds
from action_units.evaluation.predictions import Predictions, pool
from action_units.evaluation.report.groups import group_gaps, group_scores
from action_units.evaluation.report.report import render_report
from action_units.evaluation.subject_statistics import subject_statistics
from action_units.evaluation.summary import RunSummary, summarise
from tests.evaluation.made_up import made_up_fold, made_up_predictions
from tests.evaluation.report.test_report import Page

AUS = (1, 4, 12)
PEOPLE = [f"P{k:02d}" for k in range(12)]
GENDER = ["woman", "man"] * 6


def read(subjects, seed, **options):
    table = made_up_predictions(subjects, frames=30, aus=AUS, seed=seed, **options)
    return Predictions.read(table, [0.45] * len(AUS), AUS)


def groups_table(**columns):
    return pd.DataFrame(columns, index=PEOPLE, dtype=str)


@pytest.fixture(scope="module")
def folds():
    return {1: read(PEOPLE[:6], 1), 2: read(PEOPLE[6:], 2)}


@pytest.fixture(scope="module")
def validation():
    return {1: read(PEOPLE[6:10], 3), 2: read(PEOPLE[:4], 4)}


@pytest.fixture(scope="module")
def gender(folds, validation):
    return score_groups(folds, groups_table(gender=GENDER), validation, n_resamples=200)[0]


def of_group(folds, members):
    whole = pool(list(folds.values()))
    return whole.select(np.isin(whole.subjects, members))


def test_scores_are_those_of_the_groups_frames_by_scikit_learn(folds, gender):
    for group in gender.groups:
        own = of_group(
            folds, [p for p, g in zip(PEOPLE, GENDER, strict=True) if g == group.name]
        )
        assert group.subjects == tuple(np.unique(own.subjects))
        assert group.frames == len(own.subjects)
        for column, au in enumerate(AUS):
            known = own.labels[:, column] >= 0
            y, p = own.labels[known, column], own.probabilities[known, column]
            scores = {
                m: gender.lines[m][f"AU{au:02d}"].groups[group.name] for m in gender.lines
            }
            assert scores["f1"].value == pytest.approx(f1_score(y, p >= 0.45), abs=1e-12)
            assert scores["auc"].value == pytest.approx(roc_auc_score(y, p), abs=1e-12)
            expected = average_precision_score(y, p)
            assert scores["average_precision"].value == pytest.approx(expected, abs=1e-12)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), members=st.lists(st.booleans(), min_size=5, max_size=5))
def test_some_subjects_statistics_are_those_of_their_frames_alone(seed, members):
    """Every metric, in resamples too: ranks are selected, not sorted again."""
    who = np.array(PEOPLE[:5])[members]
    if not who.size:
        return
    table = made_up_predictions(
        PEOPLE[:5], frames=7, aus=AUS, seed=seed, absent=(4,)[: seed % 2]
    )
    table["AU01_r"] = np.where(table["AU01"] == 1, 3.0, 0.0)
    whole = Predictions.read(table, [0.5] * 3, AUS)
    selected = subject_statistics(whole).select(np.array(members))
    alone = subject_statistics(whole.select(np.isin(whole.subjects, who)))
    times = np.random.default_rng(seed).integers(0, 3, (4, who.size)).astype(float)
    assert selected.subject_counts.subjects == alone.subject_counts.subjects
    expected = alone.weighted(times)
    for name, values in selected.weighted(times).items():
        # Intensities are summed from the median of all, so they differ by rounding.
        np.testing.assert_allclose(values, expected[name], atol=1e-9, err_msg=name)


def test_worst_first(folds):
    of = dict(zip(PEOPLE, GENDER, strict=True))
    spoilt = {}
    for fold, part in folds.items():
        bad = np.array([of[s] == "man" for s in part.subjects])[:, None]
        spoilt[fold] = replace(
            part, predicted=np.where(bad, part.labels == 0, part.labels == 1)
        )
    one = score_groups(spoilt, groups_table(gender=GENDER))[0]
    assert [group.name for group in one.groups] == ["man", "woman"]
    gap = one.mean_f1.gap
    assert (gap.highest, gap.lowest, gap.difference.value) == ("woman", "man", 1.0)
    assert gap.difference.low == gap.difference.high == 1.0  # perfect and never right
    assert 0 < gap.by_chance < 0.01  # 2 of the 924 ways to deal 12 people


def test_the_interval_of_a_gap_is_that_of_two_independent_samples(folds):
    """The standard deviation of its resamples is that of the two groups', not of pairs."""
    one = score_groups(folds, groups_table(gender=GENDER))[0]
    line = one.lines["f1"]["AU01"]
    parts = {g: line.groups[g] for g in ("woman", "man")}
    widths = [part.high - part.low for part in parts.values()]
    gap = line.gap.difference
    assert gap.high - gap.low == pytest.approx(math.hypot(*widths), rel=0.12)
    # Equal people in both groups have no gap; were their draws shared, no interval either.
    twice = {
        1: pool([folds[1], replace(folds[1], subjects=np.char.add(folds[1].subjects, "x"))])
    }
    table = pd.DataFrame(
        {"copy": ["a"] * 6 + ["b"] * 6}, index=PEOPLE[:6] + [f"{p}x" for p in PEOPLE[:6]]
    )
    gap = score_groups(twice, table)[0].lines["f1"]["AU01"].gap
    assert gap.difference.value == 0
    assert gap.difference.low < -0.01 < 0.01 < gap.difference.high
    assert gap.by_chance > 0.8


def test_by_chance_is_a_permutation_test(folds):
    """Of one AU's F1, against SciPy's test of the same statistic."""
    whole = pool(list(folds.values()))
    counts = subject_statistics(whole).counts
    tp, under = counts.tp[:, 0], (2 * counts.tp + counts.fp + counts.fn)[:, 0]

    def gap(of_men, axis):
        def f1(rows):
            return 2 * tp[rows].sum(axis) / under[rows].sum(axis)

        rows = of_men.astype(int)
        others = np.array(
            [np.setdiff1d(np.arange(12), row) for row in rows.reshape(-1, 6)]
        ).reshape(rows.shape)
        return np.abs(f1(rows) - f1(others))

    men = np.flatnonzero(np.array(GENDER) == "man")
    expected = stats.permutation_test(
        (men, np.flatnonzero(np.array(GENDER) == "woman")),
        lambda x, y, axis: gap(x, axis),
        vectorized=True,
        n_resamples=np.inf,
        alternative="greater",
    ).pvalue
    found = score_groups(folds, groups_table(gender=GENDER), n_resamples=1500)[0]
    assert found.lines["f1"]["AU01"].gap.by_chance == pytest.approx(expected, abs=0.03)


def test_by_chance_takes_the_largest_gap_of_all_groups():
    """Three groups of two: against all 90 ways to deal six people, of the mean over AUs."""
    part = read(PEOPLE[:6], 8)
    counts = subject_statistics(part).counts
    over, under = 2 * counts.tp, 2 * counts.tp + counts.fp + counts.fn  # (S, A)

    def gap(groups):
        f1 = [over[rows].sum(0) / under[rows].sum(0) for rows in map(list, groups)]
        means = np.mean(f1, axis=1)
        return means.max() - means.min()

    pairs = list(combinations(range(6), 2))
    ways = [g for g in permutations(pairs, 3) if len({who for pair in g for who in pair}) == 6]
    assert len(ways) == 90
    expected = np.mean([gap(way) >= gap(((0, 1), (2, 3), (4, 5))) - 1e-12 for way in ways])
    table = pd.DataFrame({"g": list("aabbcc")}, index=PEOPLE[:6])
    found = score_groups({1: part}, table, n_resamples=1500)[0].mean_f1.gap
    assert found.by_chance == pytest.approx(expected, abs=0.03)
    assert found.difference.value == pytest.approx(gap(((0, 1), (2, 3), (4, 5))))


def test_one_subject_is_too_few(folds):
    column = ["rare"] + ["often"] * 11
    one = score_groups(folds, groups_table(g=column))[0]
    assert [(group.name, group.too_few) for group in one.groups] == [
        ("often", False),
        ("rare", True),
    ]
    rare = one.mean_f1.groups["rare"]
    assert math.isnan(rare.value)
    assert rare.why == "too few: one subject"
    assert one.mean_f1.gap is None


def test_a_group_that_never_shows_an_au_is_not_compared_on_it(folds):
    of = dict(zip(PEOPLE, GENDER, strict=True))
    quiet = {}
    for fold, part in folds.items():
        labels = part.labels.copy()
        labels[[of[s] == "man" for s in part.subjects], 1] = 0
        quiet[fold] = replace(part, labels=labels)
    one = score_groups(quiet, groups_table(gender=GENDER))[0]
    man = one.lines["f1"]["AU04"].groups["man"]
    assert (math.isnan(man.value), man.why) == (True, "too few: no positive frame")
    assert one.lines["f1"]["AU04"].gap is None
    assert one.mean_f1.aus == (1, 12)
    for group, score in one.mean_f1.groups.items():
        both = [one.lines["f1"][name].groups[group].value for name in ("AU01", "AU12")]
        assert score.value == pytest.approx(np.mean(both))


def test_largest_gaps_compare_over_the_same_aus():
    nan = np.nan
    values = np.array([[[0.5, 0.1], [0.2, nan]], [[0.5, 0.1], [nan, nan]], [[1, 0], [0, 0.5]]])
    np.testing.assert_allclose(largest_gaps(values), [0.3, nan, 0.25])
    np.testing.assert_allclose(largest_gaps(values[:, :, :1]), [0.3, nan, 1.0])


def test_another_column_does_not_change_a_gap(folds, gender):
    both = score_groups(
        folds, groups_table(age=["old"] * 5 + ["young"] * 7, gender=GENDER), n_resamples=200
    )
    assert both[1].lines["f1"] == gender.lines["f1"]


def test_subjects_without_a_group_are_named(folds):
    table = groups_table(gender=GENDER).drop(index="P03")
    table.loc["P05", "gender"] = ""
    one = score_groups(folds, table)[0]
    assert one.not_known == ("P03", "P05")
    assert sum(len(group.subjects) for group in one.groups) == 10
    with pytest.raises(ConfigurationError, match=r"such as X00, and not one of them .* P00"):
        score_groups(folds, table.set_axis([f"X{k:02d}" for k in range(len(table))]))


def test_thresholds_of_groups_are_fitted_to_their_validation_subjects(
    folds, validation, gender
):
    of = dict(zip(PEOPLE, GENDER, strict=True))
    counts = np.zeros((4, len(AUS)))
    for fold, part in folds.items():
        known = validation[fold].select(
            np.array([of[s] == "man" for s in validation[fold].subjects])
        )
        limits = choose_thresholds(known.labels, known.probabilities, subjects=known.subjects)
        own = part.select(np.array([of[s] == "man" for s in part.subjects]))
        called, y = own.probabilities >= limits.values, own.labels
        counts += [((y == a) & (called == b)).sum(0) for a in (1, 0) for b in (True, False)]
    expected = 2 * counts[0] / (2 * counts[0] + counts[1] + counts[2])
    found = gender.thresholds["man"]
    assert (found.fitted, found.possible, found.subjects) == (6, 6, 4)
    for au, value in zip(AUS, expected, strict=True):
        name = f"AU{au:02d}"
        assert found.f1[name].value == pytest.approx(value)
        common = gender.lines["f1"][name].groups["man"].value
        assert found.gain[name].value == pytest.approx(value - common)
    assert found.gain["3 AUs"].low <= found.gain["3 AUs"].value <= found.gain["3 AUs"].high


def test_too_few_validation_subjects_leave_the_common_thresholds(folds, validation):
    alone = {
        fold: part.select(part.subjects == part.subjects[0])
        for fold, part in validation.items()
    }
    one = score_groups(folds, groups_table(gender=GENDER), alone)[0]
    for thresholds in one.thresholds.values():
        assert thresholds.fitted == 0
        assert {gain.value for gain in thresholds.gain.values()} == {0.0}


@pytest.fixture(scope="module")
def summary(folds, validation):
    table = groups_table(gender=GENDER, **{"skin|tone": ["dark"] + ["<b>light"] * 10 + [""]})
    groups = score_groups(folds, table, validation, n_resamples=100)
    return replace(summarise([made_up_fold(1, aus=AUS)]), groups=groups)


def test_it_makes_the_round_trip(summary):
    content = json.loads(json.dumps(summary.to_json(), allow_nan=False))
    back = RunSummary.from_json(content, summary.folds)
    assert back.to_json() == summary.to_json()
    assert back.groups[0].thresholds["man"].fitted == 6
    assert "groups" not in summarise(summary.folds).to_json()


def test_tables_have_every_metric_of_every_group(summary):
    scores, gaps = group_scores(summary.groups), group_gaps(summary.groups)
    rows = scores[(scores["column"] == "gender") & (scores["group"] == "man")]
    assert set(rows["name"]) == {"AU01", "AU04", "AU12", "3 AUs"}
    assert {"f1", "auc", "ece", "f1_own_thresholds_gain"} <= set(rows["measure"])
    assert not rows.duplicated(["measure", "name"]).any()
    line = gaps.set_index(["column", "measure", "name"]).loc[("gender", "f1", "3 AUs")]
    value = scores.set_index(["column", "measure", "name", "group"])["value"]
    ends = [value["gender", "f1", "3 AUs", line[end]] for end in ("highest", "lowest")]
    assert line["gap"] == pytest.approx(ends[0] - ends[1])
    assert set(gaps["column"]) == {"gender"}  # of the other, one group alone has scores
    empty = group_scores(()), group_gaps(())
    assert [list(table) for table in empty] == [list(scores), list(gaps)]


def test_the_page_shows_the_groups_worst_first_and_who_is_not_known(summary):
    text = render_report(summary)
    page = Page(text)
    assert 'href="#groups"' in text
    assert "gender 12 of 12 tested subjects" in page.words
    assert "Not known: P11." in page.words
    assert "<b>light" in page.words
    names = [group.name for group in summary.groups[0].groups]
    rows = [cells for cells in page.rows if cells and cells[0] in names]
    assert [row[0] for row in rows[:2]] == names
    assert all(len(row) == 12 for row in rows[:2])
    (dark,) = [cells for cells in page.rows if cells and cells[0] == "dark"]
    assert dark[2:4] == ["too few", "too few"]
    gap = next(cells for cells in page.rows if cells and cells[0] == "largest gap")
    assert gap[2] == f"{summary.groups[0].mean_f1.gap.difference.value:+.3f}"
