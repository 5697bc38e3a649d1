"""A person withdraws: what was made of their pictures, and what runs afterwards."""

import re

import pandas as pd
import pytest

from tests.pipelines.conftest import Project

LAYERS = ("02_*", "03_*", "04_*", "07_*", "08_*")


@pytest.fixture
def project(copied: Project) -> Project:
    """The finished project, to be changed."""
    return copied


def _withdraw(project: Project, person: str, *, fails: bool = False) -> str:
    return project.run("--env", "tiny", "--pipeline", "withdraw", "--params", f"person={person}",
        fails=fails,
    )  # fmt: skip


def _traces(project: Project, pattern: str) -> list[str]:
    """Files of the products, and texts and tables in them, in which a person is found."""
    found = []
    for layer in LAYERS:
        for path in sorted((project.path / "data").glob(f"{layer}/**/*")):
            if not path.is_file():
                continue
            if path.suffix == ".parquet":
                content = pd.read_parquet(path).to_csv()
            else:
                content = path.read_bytes().decode("utf-8", "replace")
            if re.search(pattern, path.name) or re.search(pattern, content):
                found.append(str(path.relative_to(project.path)))
    return found


def test_a_subject_is_removed_everywhere_and_stays_out(project):
    raw = project.bytes_of("data/01_raw/tiny/disfa/**/*")
    assert _traces(project, "SN010")
    printed = _withdraw(project, "SN010")

    assert _traces(project, "SN010") == []
    assert project.bytes_of("data/01_raw/tiny/disfa/**/*") == raw
    assert "14 raw files of SN010 are yours to delete" in printed
    # SN010 is tested in fold 2 of fg2020, and trains or validates in the others.
    trained = {
        f"fold{fold}/{network}" for fold in (1, 3) for network in ("finetuned", "scratch")
    }
    named = set(re.findall(r"fg2020/(fold\d/\w+)\.safetensors was trained with", printed))
    assert named == trained
    source = "data/01_raw/tiny/disfa/Videos_RightCamera/RightVideoSN001_comp.avi"
    refused = project.run("--env", "tiny", "--pipeline", "predict", "--params", f"source={source},fold=1",
        fails=True,
    )  # fmt: skip
    assert "made with the data of a person who has withdrawn (SN010, on" in refused

    project.run("--env", "tiny", "--pipeline", "preprocess")
    assert {trace.split("/")[-1] for trace in _traces(project, "SN010")} == {
        "cropping.csv",
        "disfa+web.csv",
    }
    rows = pd.read_csv(project.path / "data/08_reporting/tiny/quarantine/disfa/cropping.csv")
    assert rows[rows["path"] == "SN010"]["reason"].tolist() == ["excluded"]
    project.run("--env", "tiny", "--pipeline", "finetune", "--params", "fold=1")
    assert not list(
        project.path.glob("data/06_models/tiny/main/disfa/fg2020/fold1/*.withdrawn")
    )


def test_an_identity_is_removed_and_its_pretrained_models_are_refused(project):
    people = pd.read_csv(project.path / "data/06_models/tiny/main/pretrained_people.csv")
    name = people["identity"].iloc[0]
    assert _traces(project, re.escape(name))
    printed = _withdraw(project, name)
    assert _traces(project, re.escape(name)) == []
    assert not (project.path / "data/08_reporting/tiny/main/audit.html").exists()
    # Other tests may have trained further runs in the project.
    marked = r"tiny/main/((?:disfa/fg2020/fold\d/)?\w+)\.safetensors was trained with"
    assert set(re.findall(marked, printed)) == {
        "pretrained",
        *(f"disfa/fg2020/fold{fold}/finetuned" for fold in (1, 2, 3)),
    }
    project.run("--env", "tiny", "--pipeline", "preprocess")
    assert _traces(project, re.escape(name)) == []
    # From scratch the network never saw the web set.
    assert not list(
        project.path.glob("data/06_models/tiny/main/disfa/fg2020/*/scratch*.withdrawn")
    )


def test_somebody_unknown_is_refused_and_not_listed(project):
    printed = _withdraw(project, "SN0010", fails=True)
    assert "person='SN0010': no face, crop or raw file of this name" in printed
    assert "SN010" in printed.split("did you mean")[1]
    assert not (project.path / "data/01_raw/tiny/withdrawn.csv").exists()
