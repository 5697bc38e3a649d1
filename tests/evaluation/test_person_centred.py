"""The scores of person-centred predictions: a line of their own wherever scores stand."""

import json
from dataclasses import replace

import numpy as np
import pytest

from action_units.errors import ConfigurationError
from action_units.evaluation.person_centred import score_person_centred
from action_units.evaluation.postprocessing.postprocessing import (
    fit_person_centred,
    fit_postprocessing,
)
from action_units.evaluation.predictions import Predictions
from action_units.evaluation.report.report import render_report
from action_units.evaluation.report.tables import latex_table, markdown_table, person_table
from action_units.evaluation.scores import score_folds
from action_units.evaluation.summary import RunSummary, summarise
from tests.evaluation.made_up import GROUPS, made_up_fold, made_up_predictions

AUS = (1, 4, 12, 25)


def off(subjects, seed):
    """Predictions in which each person's probabilities are off by a factor of odds."""
    table = made_up_predictions(subjects, frames=60, aus=AUS, seed=seed)
    p = np.clip(table.filter(like="_p").to_numpy(np.float64), 0.01, 0.99)
    random = np.random.default_rng([9, seed])
    own = np.exp(1.5 * random.normal(size=(len(subjects), len(AUS)))).repeat(60, axis=0)
    table[table.filter(like="_p").columns] = own * p / (1 - p + own * p)
    return Predictions.read(table, np.full(len(AUS), 0.5), AUS)


def folds():
    others = (("a1", "a2", "a3"), ("b1", "b2", "b3"), ("c1", "c2", "c3"))
    found = {}
    for fold, (known, tested) in enumerate(zip(others, GROUPS, strict=True), 1):
        validation, test = off(known, fold), off(tested, 10 + fold)
        found[fold] = validation, test, fit_postprocessing(validation, seed=4).apply(test)
    return found


FOLDS = folds()
SCORES = score_person_centred(FOLDS, seed=4)


@pytest.fixture(scope="module")
def summary():
    made = [made_up_fold(n, scratch=True, aus=AUS) for n in (1, 2, 3)]
    return replace(summarise(made), person_centred=SCORES)


def test_gains_are_paired_with_the_headline():
    centred = {
        fold: replace(
            fit_postprocessing(validation, seed=4),
            person_centred=fit_person_centred(validation, seed=4),
        ).apply_person_centred(test)
        for fold, (validation, test, _) in FOLDS.items()
    }
    ours = score_folds(centred, 4)
    headline = score_folds({fold: part[2] for fold, part in FOLDS.items()}, 4)
    for found, expected in ((SCORES.metrics, ours), (SCORES.gains, ours - headline)):
        assert found["f1"] == expected.scores()["f1"]
        assert found["auc"] == expected.scores()["auc"]
    gain = SCORES.gains["f1"].averages["4 AUs"].mean_of_folds
    assert gain.low > 0  # what was planted is found
    assert {one.quantile for one in SCORES.choices.values()} <= {0.25, 0.5}
    assert all(one.frames_without == 0 for one in SCORES.choices.values())


def test_people_with_few_frames_are_counted():
    validation, test, headline = FOLDS[1]
    rows = np.flatnonzero((test.subjects != GROUPS[0][0]) | (test.frames <= 5))
    short = {1: (validation, test.select(rows), headline.select(rows))}
    assert score_person_centred(short).choices[1].frames_without == 5


def test_a_validation_subject_is_not_tested():
    validation, test, headline = FOLDS[1]
    with pytest.raises(ConfigurationError, match="chosen on a1, who is tested on"):
        score_person_centred({1: (validation, validation, validation)})
    assert test.subjects[0] != "a1"
    del headline


def test_it_is_in_the_file_and_in_the_table_of_metrics(summary):
    content = json.loads(json.dumps(summary.to_json(), allow_nan=False))
    back = RunSummary.from_json(content, summary.folds)
    assert back.person_centred.choices == SCORES.choices
    assert back.to_json() == summary.to_json()
    table = summary.metrics_table().set_index(["model", "measure", "name"])
    line = table.loc[("person_centred", "f1", "AU12")]
    assert line["mean_of_folds"] == SCORES.metrics["f1"].aus[12].mean_of_folds.value


def test_the_headline_is_as_without_it(summary):
    bare = replace(summary, person_centred=None)
    assert "person_centred" not in bare.to_json()
    for name in ("measures", "gains", "warnings", "folds"):
        assert summary.to_json()[name] == bare.to_json()[name]
    assert summary.table().equals(bare.table())


def test_it_is_said_what_it_takes_wherever_it_stands(summary):
    page = render_report(summary)
    for part in ('id="person"', "This takes unlabelled test frames of the same person"):
        assert part in page
    assert "person-centred" not in render_report(replace(summary, person_centred=None))
    value = SCORES.metrics["f1"].averages["4 AUs"].mean_of_folds.value
    assert f"<dd>{value:.3f}</dd>" in page
    for text in (markdown_table(summary), latex_table(summary)):
        assert f"Mean of 4 AUs, person-centred {'|' if '|' in text else '&'}" in text
        assert f"{100 * value:.1f}" in text
        assert "all unlabelled test frames of the same person (transductive)" in text


def test_its_rows_have_as_many_cells_as_the_others(summary):
    lines = markdown_table(summary).splitlines()
    rows = [line.count(" | ") for line in lines if line.startswith("|")]
    assert len(set(rows)) == 1
    alone = replace(
        summarise([made_up_fold(1, aus=AUS)]), person_centred=score_person_centred(FOLDS)
    )
    rows = [line.count(" | ") for line in markdown_table(alone).splitlines() if line[:1] == "|"]
    assert len(set(rows)) == 1


def test_the_table_has_score_gain_and_choice(summary):
    table = person_table(summary)
    assert [row["au"] for row in table["aus"]] == ["AU01", "AU04", "AU12", "AU25"]
    cell = table["averages"][0]["cells"][0]
    assert cell["gain"] == SCORES.gains["f1"].averages["4 AUs"].mean_of_folds
    assert 0.1 <= table["reach"] <= 1
    assert f"{table['reach']:.1f}" == str(table["reach"])
    assert table["chosen"].startswith(("fold 1", "folds 1"))
    nothing = replace(SCORES.choices[1], strength=0.0)
    none = replace(SCORES, choices={1: nothing, 2: nothing})
    found = person_table(replace(summary, person_centred=none))
    assert found["chosen"] == "folds 1, 2, nothing is subtracted"
