"""The authors' layout: their label files, crops under their names, no detection."""

import json
import shutil

import pandas as pd
import pytest
from benchmarks.real_labels import fill

TINY = ["--env", "paper_tiny"]


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    """The environment `paper` at a size for tests, on a subset of the real label files."""
    from tests.conftest import REAL_LABELS
    from tests.pipelines.conftest import make_project

    if not REAL_LABELS.is_dir():
        pytest.skip("the real label files are not beside the project")
    project = make_project(tmp_path_factory.mktemp("paper"))
    conf = project.path / "conf"
    shutil.copytree(conf / "paper", conf / "paper_tiny")
    shutil.copy(conf / "tiny/parameters_recipes.yml", conf / "paper_tiny")
    with (conf / "paper_tiny/parameters.yml").open("a") as file:
        file.write("\nface_size: 32\n")
    fill(REAL_LABELS, project.path / "data/01_raw", every=400, test_every=200, workers=2)
    printed = project.run(
        *TINY, "--params", "recipe=modern,fold=1,finetune.also_from_scratch=false"
    )
    return project, printed


def test_the_whole_job_runs_on_it_without_detection(paper):
    project, printed = paper
    assert "crop_photographs" not in printed
    report = project.path / "data/08_reporting/paper/main/disfa/fg2020/report.html"
    assert report.is_file()
    predictions = pd.read_parquet(
        project.path
        / "data/07_model_output/paper/main/disfa/fg2020/fold1/finetuned_predictions.parquet"
    )
    assert set(predictions["subject"]) == {
        f"SN{number:03d}" for number in (2, 5, 6, 7, 12, 13, 16, 18, 26)
    }


def test_labels_in_the_report_are_the_files_own(paper, real_labels):
    project, _ = paper
    evaluation = json.loads(
        (
            project.path / "data/08_reporting/paper/main/disfa/fg2020/fold1/evaluation.json"
        ).read_text()
    )
    files = pd.read_csv(real_labels / "fold1_test.csv.gz", header=None)
    tested = pd.read_parquet(
        project.path
        / "data/07_model_output/paper/main/disfa/fg2020/fold1/finetuned_predictions.parquet"
    )
    chosen = files[files[0].isin(tested["image"])]
    support = [row["support"] for row in evaluation["models"]["finetuned"]["aus"]]
    assert support == chosen.iloc[:, 2:].sum().tolist()


def test_a_subject_on_both_sides_stops_the_run_with_file_and_line(paper):
    project, _ = paper
    folder = project.path / "data/01_raw/fine_tune_images"
    train = folder / "fold1_train.csv"
    content = train.read_text()
    line = (folder / "fold1_test.csv").read_text().splitlines()[0]
    train.write_text(content + line + "\n")
    try:
        printed = project.run(*TINY, "--pipelines", "preprocess", fails=True)
    finally:
        train.write_text(content)
    assert "fold1_test.csv, line" in printed or "fold1_train.csv, line" in printed, printed
    assert "subject" in printed
    assert "Traceback" not in printed


def test_a_missing_crop_is_set_aside_and_the_run_goes_on(paper):
    project, _ = paper
    folder = project.path / "data/01_raw/fine_tune_images"
    image = (folder / "fold1_test.csv").read_text().split(",")[0]
    crop = (folder / image).read_bytes()
    (folder / image).write_bytes(b"<html>404</html>")
    try:
        project.run(*TINY, "--pipelines", "preprocess")
    finally:
        (folder / image).write_bytes(crop)
    table = pd.read_csv(project.path / "data/08_reporting/paper/quarantine/disfa/packing.csv")
    assert [row.endswith(image) for row in table["path"]] == [True]
