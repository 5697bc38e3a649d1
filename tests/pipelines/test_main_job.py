"""The main job, shrunk: every pipeline, alone and together, as a user types it."""

import json
import re

import pandas as pd
import pytest

from action_units.labels.action_units import DISFA_AUS
from action_units.labels.folds import FG2020

REPORTING = "data/08_reporting/tiny/main/disfa/fg2020"


def test_the_run_ends_by_naming_the_report(finished):
    project, printed = finished
    page = project.path / REPORTING / "report.html"
    assert page.is_file()
    assert printed.strip().endswith(f"open {page}")


def test_the_report_links_to_the_audit_of_labels_of_people_held_out(finished):
    project, printed = finished
    report = project.path / REPORTING / "report.html"
    (link,) = re.findall(r'<a href="([^"#]+)">', report.read_text())
    page = (report.parent / link).resolve()
    assert f"Web labels to look at: open {page}" in printed
    people = pd.read_csv(project.path / "data/06_models/tiny/main/pretrained_people.csv")
    held_out = people[people["split"] == "test"]
    table = pd.read_csv(page.with_suffix(".csv"))
    assert set(table["identity"]) <= set(held_out["identity"])
    assert table.groupby("au").size().between(12, 24).all()
    assert f"{held_out['photographs'].sum()} photographs" in page.read_text()


def test_the_samples_people_are_reported_by_group(finished):
    project, _ = finished
    known = pd.read_csv(
        project.path / "data/01_raw/tiny/disfa/groups.csv", keep_default_na=False
    )
    scores = pd.read_csv(project.path / REPORTING / "groups.csv", keep_default_na=False)
    for column in known.columns.drop("subject"):
        own = scores[(scores["column"] == column) & (scores["measure"] == "f1")]
        sizes = own.drop_duplicates("group").set_index("group")["subjects"]
        assert sizes.to_dict() == known[column].value_counts().to_dict()
    page = (project.path / REPORTING / "report.html").read_text()
    assert "skin tone <span>27 of 27 tested subjects</span>" in page
    assert "### By group" in (project.path / REPORTING / "model_card.md").read_text()


def test_each_fold_reports_every_au_as_csv_and_json(finished):
    project, _ = finished
    for fold in (1, 2, 3):
        folder = project.path / REPORTING / f"fold{fold}"
        for variant in ("finetuned", "scratch"):
            table = pd.read_csv(folder / f"{variant}_au_report.csv", na_values="n/a")
            assert tuple(table["au"]) == DISFA_AUS
            wanted = (
                "support prevalence threshold precision recall f1 balanced_accuracy auc "
                "average_precision floor_f1"
            )
            assert set(wanted.split()) <= set(table)
        found = json.loads((folder / "evaluation.json").read_text())
        assert found["fold"] == fold
        assert found["rendered"] is True
        assert {"finetuned", "scratch"} == set(found["models"])


def test_test_subjects_are_the_protocols_and_nobody_else_was_learned_from(finished):
    project, _ = finished
    for fold in (1, 2, 3):
        path = project.path / f"data/06_models/tiny/main/disfa/fg2020/fold{fold}/subjects.json"
        split = json.loads(path.read_text())
        assert set(split["test"]) == set(FG2020.test_subjects(fold))
        assert not set(split["test"]) & set(split["train"] + split["validation"])
        predictions = pd.read_parquet(
            project.path
            / f"data/07_model_output/tiny/main/disfa/fg2020/fold{fold}/finetuned_predictions.parquet"
        )
        assert set(predictions["subject"]) == set(split["test"])


def test_the_interchange_format_is_the_papers(finished):
    project, _ = finished
    folder = project.path / "data/03_primary/tiny"
    web = (folder / "web/train_label.csv").read_text().splitlines()
    assert re.fullmatch(r'm\.\w+_\d+-FaceId-\d\.jpg,"\(0,0,\d+,\d+\)",[01](,[01]){18}', web[0])
    disfa = (folder / "disfa/fold1_test.csv").read_text().splitlines()
    assert re.fullmatch(r'RightVideoSN\d{3}_\d{8}\.jpg,"\(0,0,\d+,\d+\)"(,[01]){12}', disfa[0])


def test_a_fold_alone_is_trained_to_the_same_bytes_as_in_the_full_run(copied):
    project = copied
    before = project.bytes_of("data/06_models/**/*.safetensors")
    for path in (project.path / "data/06_models/tiny/main/disfa/fg2020/fold3").glob(
        "*.safetensors*"
    ):
        path.unlink()
    # The option's old name, which Kedro deprecates and users know; tests below use the new one.
    project.run("--env", "tiny", "--pipeline", "finetune", "--params", "fold=3,restart=true")
    assert project.bytes_of("data/06_models/**/*.safetensors") == before


@pytest.mark.slow
def test_a_fold_alone_writes_the_same_reports_as_in_the_full_run(copied):
    project = copied
    before = _reports(project)
    for path in (project.path / REPORTING / "fold3").iterdir():
        if "curve" not in path.name:  # those are fine-tuning's
            path.unlink()
    project.run("--env", "tiny", "--pipelines", "evaluate", "--params", "fold=3")
    after = _reports(project)
    assert before.keys() == after.keys()
    different = [name for name in before if before[name] != after[name]]
    # Training curves hold the time that each epoch took, and so does what quotes them.
    assert all(re.search(r"curve|evaluation|html|sha256", name) for name in different), (
        different
    )


def _reports(project):
    return project.bytes_of(f"{REPORTING}/**/*")


@pytest.mark.slow
def test_another_protocol_has_files_of_its_own(copied):
    project = copied
    before = project.bytes_of("data/0[678]*/tiny/main/disfa/fg2020/**/*")
    project.run("--env", "tiny", "--pipelines", "finetune,evaluate",
        "--params", "fold=2,protocol=standard",
    )  # fmt: skip
    assert project.bytes_of("data/0[678]*/tiny/main/disfa/fg2020/**/*") == before
    summary = json.loads(
        (project.path / "data/08_reporting/tiny/main/disfa/standard/summary.json").read_text()
    )
    assert summary["protocol"] == "standard"
    assert summary["folds"] == [2]
    assert "1 of 3 folds" in summary["warnings"][0]


def test_a_finished_run_runs_again_to_no_change_and_trains_nothing(copied):
    project = copied
    before = project.bytes_of("data/06_models/tiny/main/*.safetensors")
    printed = project.run("--env", "tiny", "--pipelines", "pretrain")
    assert "finished before" in printed
    assert project.bytes_of("data/06_models/tiny/main/*.safetensors") == before


def test_only_what_is_missing_is_made_and_the_user_told_what_that_means(copied):
    project = copied
    page = project.path / REPORTING / "report.html"
    page.unlink()
    before = {path: of for path, of in project.state().items() if "data" in path.parts}
    printed = project.run("--env", "tiny", "--only-missing-outputs")
    assert "--only-missing-outputs takes what earlier runs have left as it is" in printed
    assert "fold1.predict_finetuned" not in printed
    assert page.is_file()
    after = project.state()
    kept = [path for path in before if path.suffix in (".safetensors", ".parquet")]
    assert len(kept) > 20
    assert all(after[path] == before[path] for path in kept)


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ("protocol=x", r"protocol is 'x'; it must be one of bp4d, fg2020,"),
        ("device=tpu", r"device.*tpu"),
    ],
)
def test_a_wrong_parameter_is_refused_in_a_sentence(finished, params, sentence):
    project, _ = finished
    printed = project.run(
        "--env", "tiny", "--pipelines", "finetune", "--params", params, fails=True
    )
    assert re.search(sentence, printed), printed
    assert "Traceback" not in printed


def test_a_pipeline_before_its_inputs_names_them_and_the_command(empty_project):
    printed = empty_project.run(
        "--env", "tiny", "--pipelines", "finetune", "--params", "fold=3", fails=True
    )
    assert "data/06_models/tiny/main/pretrained.safetensors; `kedro run --pipeline" in printed
    assert "`kedro run --pipeline pretrain --env tiny" in printed
    assert "data/04_feature/tiny/disfa" in printed
    assert "`kedro run --pipeline preprocess --env tiny`" in printed
    assert "Traceback" not in printed


def test_all_that_is_made_is_its_owners_alone_and_nothing_temporary_stays(finished):
    project, _ = finished
    made = [project.path / "data", *(project.path / "data").rglob("*")]
    assert len(made) > 500
    assert [path for path in made if path.stat().st_mode & 0o077] == []
    temporary = [path for path in made if path.suffix == ".part" or path.name.endswith(".lock")]
    assert temporary == []
