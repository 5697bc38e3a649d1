"""Mean of folds and pooled figures against an independent computation."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from action_units.evaluation import bootstrap, scores
from action_units.facs.action_units import DISFA_AUS, EIGHT_AUS, au_column
from tests.evaluation.made_up import GROUPS, made_up_predictions

ABSENT = {1: [5], 2: [5, 12], 3: [5, 12, 20]}
"""AUs that no test subject of a fold shows: 5 nowhere, 12 in fold 1 alone."""


def predictions_of(fold: int, skill: float = 0.4) -> pd.DataFrame:
    # Folds of different size and skill, so that the mean of folds is not the pooled figure.
    return made_up_predictions(
        GROUPS[fold - 1], 30 * fold, seed=fold, skill=skill / fold, absent=ABSENT[fold]
    )


def people_of(table: pd.DataFrame) -> bootstrap.SubjectCounts:
    columns = [au_column(au) for au in DISFA_AUS]
    hat = table[[f"{column}_p" for column in columns]].to_numpy() >= 0.5
    return bootstrap.subject_counts(table[columns].to_numpy(), hat, table["subject"])


def run(skill: float = 0.4) -> dict[int, bootstrap.SubjectCounts]:
    return {fold: people_of(predictions_of(fold, skill)) for fold in (1, 2, 3)}


def naive_f1(table: pd.DataFrame, au: int) -> float:
    y = table[au_column(au)].to_numpy()
    hat = table[f"{au_column(au)}_p"].to_numpy() >= 0.5
    y, hat = y[y >= 0], hat[y >= 0]
    return float(f1_score(y, hat)) if y.any() else math.nan


def mean(values: list[float]) -> float:
    """The mean of what is defined, written out."""
    known = [value for value in values if not math.isnan(value)]
    return math.fsum(known) / len(known) if known else math.nan


def test_mean_of_folds_and_pooled_are_each_computed_their_own_way():
    found = scores.score(run(), DISFA_AUS, seed=0)
    folds = {fold: predictions_of(fold) for fold in (1, 2, 3)}
    pool = pd.concat(folds.values())
    for au in DISFA_AUS:
        line, own = found.aus[au], {f: naive_f1(table, au) for f, table in folds.items()}
        assert line.by_fold == pytest.approx(own, abs=1e-12, nan_ok=True)
        expected = mean(list(own.values()))
        assert line.mean_of_folds.value == pytest.approx(expected, abs=1e-12, nan_ok=True)
        pooled = naive_f1(pool, au)
        assert line.pooled.value == pytest.approx(pooled, abs=1e-12, nan_ok=True)
        assert (line.defined, line.possible) == (
            sum(not math.isnan(v) for v in own.values()),
            3,
        )
        if line.defined > 1:
            assert abs(line.mean_of_folds.value - line.pooled.value) > 1e-4
    for name, members in {"8 AUs": EIGHT_AUS, "12 AUs": DISFA_AUS}.items():
        line = found.averages[name]
        own = {f: mean([naive_f1(t, au) for au in members]) for f, t in folds.items()}
        assert line.by_fold == pytest.approx(own, abs=1e-12)
        assert line.mean_of_folds.value == pytest.approx(mean(list(own.values())), abs=1e-12)
        pooled = mean([naive_f1(pool, au) for au in members])
        assert line.pooled.value == pytest.approx(pooled, abs=1e-12)
        assert abs(line.mean_of_folds.value - line.pooled.value) > 1e-3


def test_averages_tell_over_how_many_they_run():
    averages = scores.score(run(), DISFA_AUS, seed=0).averages
    # Not defined: AU05 in three folds, AU12 in two, AU20 in one.
    assert (averages["12 AUs"].defined, averages["12 AUs"].possible) == (30, 36)
    assert (averages["8 AUs"].defined, averages["8 AUs"].possible) == (22, 24)


def test_intervals_cover_the_figures_and_follow_the_seed():
    first, again, other = (scores.score(run(), DISFA_AUS, seed=s) for s in (0, 0, 1))
    assert json.dumps(first.to_json()) == json.dumps(again.to_json())
    assert first.averages["12 AUs"].pooled.low != other.averages["12 AUs"].pooled.low
    for line in [*first.aus.values(), *first.averages.values()]:
        for estimate in (line.mean_of_folds, line.pooled):
            if line.defined:
                assert estimate.low <= estimate.value <= estimate.high, line.name
            else:
                assert np.isnan([estimate.value, estimate.low, estimate.high]).all()


def test_an_au_that_one_person_shows_has_no_interval():
    people = run()
    c = people[1].counts
    lonely = DISFA_AUS.index(12)  # in fold 1 alone
    for part in (c.tp, c.fn):
        part[1:, lonely] = 0
    line = scores.score(people, DISFA_AUS, seed=0).aus[12]
    assert not math.isnan(line.pooled.value)
    assert np.isnan([line.pooled.low, line.mean_of_folds.high]).all()


def test_the_floor_calls_everything_positive():
    found = scores.floor(run(), DISFA_AUS)
    folds = {fold: predictions_of(fold) for fold in (1, 2, 3)}
    for au in DISFA_AUS:
        floors = []
        for table in folds.values():
            y = table[au_column(au)]
            y = y[y >= 0]
            floors.append(f1_score(y, np.ones(len(y))) if y.any() else math.nan)
        value = found.aus[au].mean_of_folds.value
        assert value == pytest.approx(mean(floors), abs=1e-12, nan_ok=True)
        assert math.isnan(found.aus[au].mean_of_folds.low)


def test_differences_are_paired():
    ours, other = run(0.6), run(0.2)
    by_au, by_average = scores.paired_differences(ours, other, DISFA_AUS, seed=0)
    first, second = (scores.score(people, DISFA_AUS, 0) for people in (ours, other))
    for au in DISFA_AUS:
        apart = first.aus[au].mean_of_folds.value - second.aus[au].mean_of_folds.value
        assert by_au[au].value == pytest.approx(apart, abs=1e-12, nan_ok=True)
    for name, estimate in by_average.items():
        one, two = (s.averages[name].mean_of_folds for s in (first, second))
        assert estimate.value == pytest.approx(one.value - two.value, abs=1e-12)
        assert 0 < estimate.low < estimate.value < estimate.high
    assert by_au[5].to_json() == {"value": None, "low": None, "high": None}


def test_what_makes_a_subject_hard_for_both_does_not_widen_the_difference():
    people = run()
    same = scores.paired_differences(people, people, DISFA_AUS, seed=0)
    for estimate in [*same[0].values(), *same[1].values()]:
        values = [v for v in estimate.to_json().values() if v is not None]
        assert values in ([], [0.0, 0.0, 0.0])


def test_the_folds_draw_apart_from_each_other():
    part = run()[1]
    twice = scores.score({1: part, 2: part}, DISFA_AUS, seed=0).averages["12 AUs"]
    once = scores.score({1: part}, DISFA_AUS, seed=0).averages["12 AUs"]
    assert twice.mean_of_folds.value == pytest.approx(once.mean_of_folds.value)
    # Two independent draws average out: were they one, the interval would be as wide.
    widths = [e.high - e.low for e in (twice.mean_of_folds, once.mean_of_folds)]
    assert widths[0] < 0.85 * widths[1]


def test_json_has_null_for_what_is_undefined():
    content = json.loads(
        json.dumps(scores.score(run(), DISFA_AUS, 0).to_json(), allow_nan=False)
    )
    assert content["aus"]["5"]["pooled"] == {"value": None, "low": None, "high": None}
    assert content["aus"]["12"]["by_fold"]["2"] is None
    assert content["averages"]["8 AUs"]["defined"] == 22
