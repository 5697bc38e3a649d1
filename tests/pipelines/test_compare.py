"""Named runs: kept apart, never overwritten unasked, and set side by side."""

import pandas as pd
import pytest


@pytest.fixture(scope="module")
def two_runs(finished):
    """The finished project with a second run, fine-tuned for longer."""
    project, _ = finished
    before = project.bytes_of("data/0[678]*/tiny/main/**/*")
    project.kedro(
        "run", "--env", "tiny", "--pipelines", "pretrain,finetune,evaluate",
        "--to-nodes", "report.summarise", "--params", "run=longer,recipes.modern.finetune.epochs=3",
    )  # fmt: skip
    assert project.bytes_of("data/0[678]*/tiny/main/**/*") == before
    return project


def compare(project, *more, **options):
    return project.kedro("run", "--env", "tiny", "--pipelines", "compare", *more, **options)


def test_all_finished_runs_are_compared_with_the_first(two_runs):
    printed = compare(two_runs)
    assert "main against longer, 12 AUs: F1" in printed
    folder = two_runs.path / "data/08_reporting/tiny/comparisons/fg2020"
    table = pd.read_csv(folder / "comparison.csv", na_values="n/a")
    row = table[(table["measure"] == "f1") & (table["name"] == "12 AUs")].iloc[0]
    assert (row["run"], row["against"]) == ("main", "longer")
    for name, column in (("main", "value"), ("longer", "first")):
        path = two_runs.path / f"data/08_reporting/tiny/{name}/fg2020/summary.csv"
        summary = pd.read_csv(path, na_values="n/a")
        scores = summary[summary["name"] == "12 AUs"]
        assert row[column] == pytest.approx(scores["mean_of_folds"].iloc[0])
    assert row["difference"] == pytest.approx(row["value"] - row["first"])
    assert row["low"] <= row["difference"] <= row["high"]
    page = (folder / "comparison.html").read_text()
    assert "longer" in page
    assert "rendered" in page.lower()


def test_runs_are_chosen_by_name_and_the_first_is_the_reference(two_runs):
    printed = compare(two_runs, "--params", "runs=main:longer")
    assert "longer against main, 8 AUs: F1" in printed


@pytest.mark.parametrize(
    ("runs", "sentence"),
    [
        ("main:wide", "there is no run 'wide' to compare; finished are longer, main."),
        ("main", "two different runs or more can be compared"),
        ("main:main", "two different runs or more can be compared"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(two_runs, runs, sentence):
    printed = compare(two_runs, "--params", f"runs={runs}", fails=True)
    assert sentence in printed
    assert "Traceback" not in printed


def test_a_run_is_not_overwritten_by_another_recipe(two_runs):
    before = two_runs.bytes_of("data/06_models/tiny/longer/**/*.safetensors")
    printed = two_runs.kedro(
        "run", "--env", "tiny", "--pipelines", "finetune",
        "--params", "run=longer,recipes.modern.finetune.epochs=4", fails=True,
    )  # fmt: skip
    assert "epochs was 3 and is now 4" in printed
    assert two_runs.bytes_of("data/06_models/tiny/longer/**/*.safetensors") == before


def test_a_name_that_is_no_folder_name_is_refused(two_runs):
    printed = two_runs.kedro(
        "run", "--env", "tiny", "--pipelines", "evaluate", "--params", "run=../x", fails=True
    )
    assert "run is '../x'; it must be text of 1 to 64 letters" in printed
