"""Named runs: kept apart, never overwritten unasked, and set side by side."""

import shutil

import pandas as pd
import pytest


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


def compare(project, *more, **options):
    return project.run("--env", "tiny", "--pipelines", "compare", *more, **options)


def test_all_finished_runs_are_compared_with_the_first(two_runs):
    printed = compare(two_runs)
    assert "main against earlier, 12 AUs: F1" in printed
    folder = two_runs.path / "data/08_reporting/tiny/comparisons/fg2020"
    table = pd.read_csv(folder / "comparison.csv", na_values="n/a")
    row = table[(table["measure"] == "f1") & (table["name"] == "12 AUs")].iloc[0]
    assert (row["run"], row["against"]) == ("main", "earlier")
    for name, column in (("main", "value"), ("earlier", "first")):
        path = two_runs.path / f"data/08_reporting/tiny/{name}/fg2020/summary.csv"
        summary = pd.read_csv(path, na_values="n/a")
        scores = summary[summary["name"] == "12 AUs"]
        assert row[column] == pytest.approx(scores["mean_of_folds"].iloc[0])
    assert row["difference"] == pytest.approx(row["value"] - row["first"])
    assert row["low"] <= row["difference"] <= row["high"]
    page = (folder / "comparison.html").read_text()
    assert "earlier" in page
    assert "rendered" in page.lower()


def test_runs_are_chosen_by_name_and_the_first_is_the_reference(two_runs):
    printed = compare(two_runs, "--params", "runs=main:earlier")
    assert "earlier against main, 8 AUs: F1" in printed


@pytest.mark.parametrize(
    ("runs", "sentence"),
    [
        ("main:wide", "there is no run 'wide' to compare; finished are earlier, main."),
        ("main", "two different runs or more can be compared"),
        ("main:main", "two different runs or more can be compared"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(two_runs, runs, sentence):
    printed = compare(two_runs, "--params", f"runs={runs}", fails=True)
    assert sentence in printed
    assert "Traceback" not in printed


def test_a_run_is_not_overwritten_by_another_recipe(two_runs):
    before = two_runs.bytes_of("data/06_models/tiny/earlier/**/*.safetensors")
    printed = two_runs.run("--env", "tiny", "--pipelines", "finetune",
        "--params", "run=earlier,recipes.modern.finetune.epochs=3", fails=True,
    )  # fmt: skip
    assert "epochs was 2 and is now 3" in printed
    assert two_runs.bytes_of("data/06_models/tiny/earlier/**/*.safetensors") == before


def test_a_name_that_is_no_folder_name_is_refused(two_runs):
    printed = two_runs.run(
        "--env", "tiny", "--pipelines", "evaluate", "--params", "run=../x", fails=True
    )
    assert "run is '../x'; it must be text of 1 to 64 letters" in printed
