"""Mean of folds, pooled scores and paired differences against independent computations."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter
from sklearn.metrics import f1_score, roc_auc_score

from action_units.evaluation import bootstrap, metrics
from action_units.evaluation.predictions import Predictions
from action_units.evaluation.scores import (
    BootstrapScores,
    Estimate,
    MetricScores,
    ScoreLine,
    bootstrap_scores,
    score_folds,
)
from action_units.evaluation.subject_statistics import (
    SubjectCounts,
    SubjectStatistics,
    pool_subjects,
    subject_counts,
)
from action_units.labels.action_units import DISFA_AUS, EIGHT_AUS, au_column
from tests.evaluation.made_up import GROUPS, made_up_predictions

ABSENT = {1: [5], 2: [5, 12], 3: [5, 12, 20]}
"""AUs that no test subject of a fold shows: 5 nowhere, 12 in fold 1 alone."""


def predictions_of(fold: int, skill: float = 0.4) -> pd.DataFrame:
    # Folds of different size and skill, so that the mean of folds is not the pooled figure.
    return made_up_predictions(
        GROUPS[fold - 1], 30 * fold, seed=fold, skill=skill / fold, absent=ABSENT[fold]
    )


def people_of(table: pd.DataFrame) -> SubjectCounts:
    columns = [au_column(au) for au in DISFA_AUS]
    hat = table[[f"{column}_p" for column in columns]].to_numpy() >= 0.5
    return subject_counts(table[columns].to_numpy(), hat, table["subject"])


def run(skill: float = 0.4) -> dict[int, SubjectCounts]:
    return {fold: people_of(predictions_of(fold, skill)) for fold in (1, 2, 3)}


def scored(people: dict[int, SubjectCounts], seed: int = 0) -> BootstrapScores:
    """From counts alone, as they lie on disk."""
    folds = {fold: SubjectStatistics(part) for fold, part in people.items()}
    pool = SubjectStatistics(pool_subjects(list(people.values())))
    return bootstrap_scores(folds, pool, DISFA_AUS, seed)


def f1_of(people: dict[int, SubjectCounts], seed: int = 0) -> MetricScores:
    return scored(people, seed).scores()["f1"]


def f1_apart(ours: dict[int, SubjectCounts], other: dict[int, SubjectCounts]) -> MetricScores:
    return (scored(ours) - scored(other)).scores()["f1"]


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
    found = f1_of(run())
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
    averages = f1_of(run()).averages
    # Not defined: AU05 in three folds, AU12 in two, AU20 in one.
    assert (averages["12 AUs"].defined, averages["12 AUs"].possible) == (30, 36)
    assert (averages["8 AUs"].defined, averages["8 AUs"].possible) == (22, 24)


def test_intervals_cover_the_figures_and_follow_the_seed():
    first, again, other = (f1_of(run(), s) for s in (0, 0, 1))
    assert str(first) == str(again)
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
    line = f1_of(people).aus[12]
    assert not math.isnan(line.pooled.value)
    assert line.pooled.why == "no interval: fewer than two subjects show it"
    assert line.pooled.n_resamples < 1000  # resamples without this person are dropped
    assert np.isnan([line.pooled.low, line.mean_of_folds.high]).all()


def test_the_floor_calls_everything_positive():
    found = scored(run()).scores()["floor_f1"]
    folds = {fold: predictions_of(fold) for fold in (1, 2, 3)}
    for au in DISFA_AUS:
        floors = []
        for table in folds.values():
            y = table[au_column(au)]
            y = y[y >= 0]
            floors.append(f1_score(y, np.ones(len(y))) if y.any() else math.nan)
        value = found.aus[au].mean_of_folds.value
        assert value == pytest.approx(mean(floors), abs=1e-12, nan_ok=True)


def test_differences_are_paired():
    ours, other = run(0.6), run(0.2)
    apart = f1_apart(ours, other)
    first, second = f1_of(ours), f1_of(other)
    for au in DISFA_AUS:
        for kind in ("mean_of_folds", "pooled"):
            values = (getattr(found.aus[au], kind).value for found in (first, second))
            expected = next(values) - next(values)
            found = getattr(apart.aus[au], kind).value
            assert found == pytest.approx(expected, abs=1e-12, nan_ok=True)
    for name, line in apart.averages.items():
        one, two = (s.averages[name].mean_of_folds for s in (first, second))
        estimate = line.mean_of_folds
        assert estimate.value == pytest.approx(one.value - two.value, abs=1e-12)
        assert 0 < estimate.low < estimate.value < estimate.high
    assert math.isnan(apart.aus[5].mean_of_folds.value)
    assert apart.aus[5].mean_of_folds.why == "no positive frame"


def test_the_interval_of_a_difference_is_that_of_the_same_resamples_of_both():
    ours, other = run(0.6), run(0.2)
    drawn = []
    for people in (ours, other):
        folds = []
        for fold, part in people.items():
            times = bootstrap.resample(3, [0, fold])
            folds.append(SubjectStatistics(part).weighted(times)["f1"][:, 0])
        drawn.append(np.mean(folds, axis=0))
    low, high = np.quantile(drawn[0] - drawn[1], [0.025, 0.975])
    found = f1_apart(ours, other).aus[1].mean_of_folds
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-12)
    assert found.n_resamples == 1000


def test_what_makes_a_subject_hard_for_both_does_not_widen_the_difference():
    people = run()
    for line in f1_apart(people, people).lines:
        for estimate in (line.mean_of_folds, line.pooled):
            values = [estimate.value, estimate.low, estimate.high]
            assert values == [0.0] * 3 or np.isnan(values).all()


def test_a_difference_runs_over_what_is_defined_for_both():
    people = run()
    c = people[1].counts
    never = metrics.Confusion(tp=0 * c.tp, fp=0 * c.fp, fn=c.support, tn=c.tn + c.fp)
    shy = {**people, 1: SubjectCounts(people[1].subjects, never)}  # no precision in fold 1
    apart = (scored(people) - scored(shy)).scores()["precision"].aus[1].mean_of_folds
    assert apart.value == apart.low == apart.high == 0.0


def test_pooled_figures_of_ranks_are_of_all_frames_together():
    tables = {fold: predictions_of(fold) for fold in (1, 2, 3)}
    answers = {fold: Predictions.read(table, [0.5] * 12) for fold, table in tables.items()}
    found = score_folds(answers).scores()["auc"].aus[1]
    auc = {}
    for fold, table in tables.items():
        kept = table[table["AU01"] >= 0]
        auc[fold] = roc_auc_score(kept["AU01"], kept["AU01_p"].astype(float))
    whole = pd.concat(tables.values())
    kept = whole[whole["AU01"] >= 0]
    assert found.by_fold == pytest.approx(auc, abs=1e-12)
    assert found.mean_of_folds.value == pytest.approx(np.mean(list(auc.values())), abs=1e-12)
    pooled = roc_auc_score(kept["AU01"], kept["AU01_p"].astype(float))
    assert found.pooled.value == pytest.approx(pooled, abs=1e-12)
    assert found.pooled.value != pytest.approx(found.mean_of_folds.value, abs=1e-4)
    assert found.pooled.low < found.pooled.value < found.pooled.high


def test_the_folds_draw_apart_from_each_other():
    part = run()[1]
    twice = f1_of({1: part, 2: part}).averages["12 AUs"]
    once = f1_of({1: part}).averages["12 AUs"]
    assert twice.mean_of_folds.value == pytest.approx(once.mean_of_folds.value)
    # Two independent draws average out: were they one, the interval would be as wide.
    widths = [e.high - e.low for e in (twice.mean_of_folds, once.mean_of_folds)]
    assert widths[0] < 0.85 * widths[1]


def test_the_folds_that_have_no_figure_say_why():
    line = f1_of(run()).aus[12]
    assert line.why == {2: "no positive frame", 3: "no positive frame"}
    assert math.isnan(line.by_fold[2])
    nowhere = f1_of(run()).aus[5].pooled
    assert (nowhere.why, nowhere.n_resamples) == ("no positive frame", 0)


LINES = TypeAdapter(MetricScores)


def test_scores_make_the_round_trip_through_json():
    known, undefined = Estimate(0.5, 0.4, 0.6, 990), Estimate(math.nan, why="no positive frame")
    line = ScoreLine("AU12", {1: 0.5, 2: math.nan}, known, undefined, 1, 2, {2: "no reason"})
    scores = MetricScores({12: line}, {"12 AUs": line})
    text = json.dumps(LINES.dump_python(scores, mode="json", by_alias=True), allow_nan=False)
    content = json.loads(text)
    assert content["aus"]["12"]["pooled"] == {
        "value": None,
        "low": None,
        "high": None,
        "kept": 0,
        "why": "no positive frame",
    }
    back = LINES.validate_python(content)
    assert str(back) == str(scores)
    assert back.lines[0].by_fold[1] == 0.5
    assert [line.name for line in back.lines] == ["AU12", "AU12"]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.1, 0.2, True),
        (-0.2, -0.1, True),
        (-0.1, 0.1, False),
        (0.0, 0.1, False),
        (math.nan, math.nan, False),
    ],
)
def test_an_interval_excludes_zero_or_not(low, high, expected):
    assert Estimate(0.1, low, high).excludes_zero is expected
