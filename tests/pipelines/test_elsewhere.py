"""From another folder than the project's."""

from pathlib import Path

import pandas as pd
import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import DatasetError


def catalog_of(project):
    bootstrap_project(project.path)
    with KedroSession.create(project.path, env="tiny") as session:
        return session.load_context().catalog


@pytest.fixture
def from_elsewhere(copied, tmp_path_factory, monkeypatch):
    """The finished project's catalog, as a script in another folder opens it."""
    folder = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(folder)
    yield copied, catalog_of(copied)
    assert list(folder.iterdir()) == []


def test_folds_and_runs_are_found_with_their_predictions(from_elsewhere):
    project, catalog = from_elsewhere
    folds = catalog.load("evaluated_folds")
    assert sorted(folds) == [1, 2, 3]
    wanted = pd.read_parquet(
        project.path
        / "data/07_model_output/tiny/main/disfa/fg2020/fold2/scratch_raw_predictions.parquet"
    )
    pd.testing.assert_frame_equal(folds[2].raw["scratch"], wanted)
    runs = catalog.load("evaluated_runs")
    assert sorted(runs["main"]()[3].predictions) == ["finetuned", "scratch"]


def test_missing_predictions_are_an_error_by_name(from_elsewhere):
    project, catalog = from_elsewhere
    folder = project.path / "data/07_model_output/tiny/main/disfa/fg2020/fold1"
    for file, stage in (
        ("finetuned_predictions", "evaluate"),
        ("scratch_raw_predictions", "evaluate"),
        ("finetuned_validation_predictions", "finetune"),
    ):
        path = folder / f"{file}.parquet"
        aside = path.rename(path.with_suffix(".aside"))
        with pytest.raises(DatasetError, match=f"{path} is not there yet.*--pipeline {stage}"):
            catalog.load("evaluated_folds")
        aside.rename(path)


def test_a_run_from_a_folder_within_reads_and_writes_the_same_files(copied):
    project = copied
    summary = "data/08_reporting/tiny/main/disfa/fg2020/summary.csv"
    before = project.bytes_of(summary)
    (project.path / summary).unlink()
    (project.path / "notebooks").mkdir(exist_ok=True)
    project.run("--env", "tiny", "--pipelines", "evaluate", "--nodes", "report.summarise",
        within="notebooks",
    )  # fmt: skip
    assert project.bytes_of(summary) == before
    assert not (project.path / "notebooks/data").exists()


def test_a_path_that_is_typed_there_counts_from_there(copied):
    project = copied
    video = sorted((project.path / "data/01_raw/tiny/disfa/Videos_RightCamera").iterdir())[0]
    printed = project.run("--env", "tiny", "--pipelines", "predict", "--params",
        f"source={video.name},fold=3", within=str(video.parent),
    )  # fmt: skip
    assert f"Predictions: {project.path}" in printed.replace("\n", "")
    folder = project.path / "data/07_model_output/tiny/main/disfa/fg2020/predicted"
    assert Path(pd.read_csv(folder / "sources.csv")["source"][0]) == video
