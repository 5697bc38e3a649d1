"""A run on two coded sets: the scores of each by itself, and of both together."""

import json

import pandas as pd
import pytest

from action_units.evaluation.fold import FoldEvaluation, evaluate_predictions
from action_units.evaluation.report.report import render_report
from action_units.evaluation.report.tables import latex_table, markdown_table
from action_units.evaluation.sets import with_sets
from action_units.evaluation.summary import RunSummary, summarise
from action_units.labels.action_units import au_columns
from action_units.tracking import metrics_of
from tests.evaluation.made_up import made_up_predictions, thresholds_at
from tests.evaluation.report.test_report import Page

AUS = (1, 4, 7, 12)
CODED = {"disfa": (1, 4, 12), "studio": (4, 7, 12)}
TESTED = {
    1: {"disfa": "AB", "studio": "KL"},
    2: {"disfa": "CD", "studio": "MN"},
    3: {"disfa": "EF"},
}


def table_of(fold: int, skill: float) -> pd.DataFrame:
    """Predictions of a fold's subjects: each set has its AUs, and names that are in both."""
    parts = []
    for name, letters in TESTED[fold].items():
        subjects = [f"{name}/S{letter}" for letter in letters]
        part = made_up_predictions(subjects, frames=15, aus=AUS, seed=fold, skill=skill)
        for au in set(AUS) - set(CODED[name]):
            part[f"AU{au:02d}"] = -1
        origin = "rendered" if name == "studio" else "disfa"
        parts.append(part.assign(set=name, origin=origin))
    return pd.concat(parts, ignore_index=True)


def fold_of(number: int, tables) -> FoldEvaluation:
    models = {
        name: evaluate_predictions(table, thresholds_at(0.4, len(AUS)), seed=(number,))
        for name, table in tables.items()
    }
    return FoldEvaluation(
        number, "both", False, ("t",), ("v",), tuple(sorted(set(tables["finetuned"]["subject"]))),
        **models,
    )  # fmt: skip


def run_of(predictions):
    folds = [
        fold_of(fold, {name: tables[fold] for name, tables in predictions.items()})
        for fold in predictions["finetuned"]
    ]
    return summarise(folds, predictions=predictions)


@pytest.fixture(scope="module")
def predictions():
    skills = {"finetuned": 0.5, "scratch": 0.2}
    return {name: {n: table_of(n, skill) for n in TESTED} for name, skill in skills.items()}


@pytest.fixture(scope="module")
def summary(predictions):
    return with_sets(run_of(predictions), predictions)


def test_each_set_has_its_aus_its_subjects_and_its_folds(summary):
    assert summary.aus == AUS
    assert {name: one.aus for name, one in summary.sets.items()} == CODED
    studio = summary.sets["studio"]
    assert [fold.fold for fold in studio.folds] == [1, 2]
    assert (studio.n_folds, summary.sets["disfa"].n_folds) == (2, 3)
    assert studio.folds[0].test == ("studio/SK", "studio/SL")
    assert (studio.rendered, summary.rendered) == (True, False)
    assert studio.folds[0].finetuned.au_table["threshold"].tolist() == [0.4] * 3


def rows_of(predictions, name):
    """The predictions of one set, in the folds that have some."""
    return {
        network: {
            fold: rows
            for fold, table in tables.items()
            if len(rows := table[table["set"] == name])
        }
        for network, tables in predictions.items()
    }


def test_a_sets_scores_are_those_of_its_rows_alone(summary, predictions):
    expected = run_of(rows_of(predictions, "studio")).metrics_table()
    found = summary.sets["studio"].metrics_table()
    of_aus = found["name"].str.startswith("AU")
    coded = expected["name"].isin(found["name"][of_aus])
    pd.testing.assert_frame_equal(
        found[of_aus].reset_index(drop=True), expected[coded].reset_index(drop=True)
    )
    assert list(summary.sets["studio"].gains["f1"].averages) == ["3 AUs"]


def test_one_set_alone_adds_nothing(predictions):
    own = rows_of(predictions, "disfa")
    whole = run_of(own)
    assert with_sets(whole, own) is whole
    bare = {
        name: {n: table.drop(columns="set") for n, table in tables.items()}
        for name, tables in own.items()
    }
    assert with_sets(whole, bare) is whole
    assert "set" not in whole.table()
    assert "sets" not in whole.to_json()
    assert 'id="sets"' not in render_report(whole)


def test_it_makes_the_round_trip(summary):
    content = json.loads(json.dumps(summary.to_json(), allow_nan=False))
    back = RunSummary.from_json(content, summary.folds)
    assert back.to_json() == summary.to_json()
    assert latex_table(back) == latex_table(summary)


def test_tables_name_the_set(summary):
    for table in (summary.table(), summary.metrics_table()):
        assert table.columns[0] == "set"
        assert table["set"].unique().tolist() == ["all", "disfa", "studio"]
        studio = table[table["set"] == "studio"]
        assert set(studio["name"]) == {"AU04", "AU07", "AU12", "3 AUs"}
        assert studio["fold3"].isna().all()
    logged = metrics_of(summary.metrics_table())
    assert logged["studio.finetuned.f1.3 AUs"] != logged["finetuned.f1.4 AUs"]
    assert len([name for name in logged if ".f1." in name]) == 6


def test_papers_get_a_table_of_each_set(summary):
    latex, markdown = latex_table(summary), markdown_table(summary)
    assert latex.count(r"\begin{table}") == 3
    for name in ("All sets together", "disfa", "studio"):
        assert f"caption{{{name}: F1" in latex
        assert f"\n{name}: F1" in markdown
    assert "Rendered faces" in markdown.partition("\nstudio: ")[2]


def test_the_page_has_a_section_of_each_set(summary):
    text = render_report(summary)
    page = Page(text)
    assert "studio 4 test subjects, 3 AUs, rendered faces" in page.words
    assert "disfa 6 test subjects, 3 AUs" in page.words
    named = [cells[0] for cells in page.rows if cells]
    assert sum(name.startswith("AU07") for name in named) == 1 + 1 + 2 * 3  # all, studio, folds
    assert 'href="#sets"' in text


def unscored(table):
    table = table.copy()
    table.loc[table["set"] == "studio", au_columns(AUS)] = -1
    return table


def test_a_set_that_is_scored_for_no_learned_au_is_left_out(predictions):
    tables = {
        name: {n: unscored(table) for n, table in parts.items()}
        for name, parts in predictions.items()
    }
    assert list(with_sets(run_of(tables), tables).sets) == ["disfa"]
