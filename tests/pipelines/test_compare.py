"""Named runs: kept apart, never overwritten unasked, and set side by side."""

import shutil

import pandas as pd
import pytest

from action_units.datasets.folds import EvaluatedFold
from action_units.errors import ConfigurationError
from action_units.pipelines.comparison.nodes import compare_runs
from tests.evaluation.made_up import GROUPS, made_up_fold, made_up_predictions


@pytest.fixture(scope="module")
def two_runs(finished, tmp_path_factory):
    """The finished project with a second run, whose probabilities are calibrated."""
    project = finished[0].copy(tmp_path_factory.mktemp("two") / "runs")
    for layer in ("06_models", "07_model_output", "08_reporting"):
        folder = project.path / f"data/{layer}/tiny"
        shutil.copytree(folder / "main", folder / "earlier")
    before = project.bytes_of("data/0[678]*/tiny/main/**/*")
    project.run(
        "--env", "tiny", "--pipelines", "evaluate", "--to-nodes", "report.summarise",
        "--params", "run=earlier,evaluation.treatment=temperature",
    )  # fmt: skip
    assert project.bytes_of("data/0[678]*/tiny/main/**/*") == before
    return project


def test_all_finished_runs_are_compared_with_the_first(two_runs):
    printed = two_runs.run("--env", "tiny", "--pipelines", "compare")
    assert "main against earlier, 12 AUs: F1" in printed
    folder = two_runs.path / "data/08_reporting/tiny/comparisons/disfa/fg2020"
    table = pd.read_csv(folder / "comparison.csv", na_values="n/a")
    row = table[(table["measure"] == "f1") & (table["name"] == "12 AUs")].iloc[0]
    assert (row["run"], row["against"]) == ("main", "earlier")
    for name, column in (("main", "value"), ("earlier", "first")):
        path = two_runs.path / f"data/08_reporting/tiny/{name}/disfa/fg2020/summary.csv"
        summary = pd.read_csv(path, na_values="n/a")
        scores = summary[summary["name"] == "12 AUs"]
        assert row[column] == pytest.approx(scores["mean_of_folds"].iloc[0])
    assert row["difference"] == pytest.approx(row["value"] - row["first"])
    assert row["low"] <= row["difference"] <= row["high"]
    page = (folder / "comparison.html").read_text()
    assert "earlier" in page
    assert "rendered" in page.lower()


def made_up_run(skill):
    table = made_up_predictions(GROUPS[0], seed=1, skill=skill)
    return lambda: {1: EvaluatedFold(made_up_fold(1), {"finetuned": table}, {}, {})}


RUNS = {"earlier": made_up_run(0.2), "main": made_up_run(0.6), "wide": made_up_run(0.4)}


def test_runs_are_chosen_by_name_and_the_first_is_the_reference(caplog):
    caplog.set_level("INFO")
    table, _ = compare_runs(RUNS, "main:earlier", 0)
    assert set(zip(table["run"], table["against"], strict=True)) == {("earlier", "main")}
    assert "earlier against main, 12 AUs: F1 -" in caplog.text


@pytest.mark.parametrize(
    ("runs", "sentence"),
    [
        (
            "main:short",
            "run 'short' does not exist or is not finished; finished are earlier, main, wide.",
        ),
        ("main", "two different runs or more can be compared"),
        ("main:main", "two different runs or more can be compared"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(runs, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        compare_runs(RUNS, runs, 0)


def test_a_run_is_not_overwritten_by_another_recipe(copied):
    project = copied
    before = project.bytes_of("data/06_models/tiny/main/**/*.safetensors")
    printed = project.run("--env", "tiny", "--pipelines", "finetune",
        "--params", "recipes.modern.finetune.epochs=3", fails=True,
    )  # fmt: skip
    assert "epochs was 2 and is now 3" in printed
    assert project.bytes_of("data/06_models/tiny/main/**/*.safetensors") == before


def test_a_name_that_is_no_folder_name_is_refused(empty_project):
    printed = empty_project.run(
        "--env", "tiny", "--pipelines", "evaluate", "--params", "run=../x", fails=True
    )
    assert "run is '../x'; it must be text of 1 to 64 letters" in printed
