"""Whose picture a path leads to, and what keeps withdrawn people out."""

import json
import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from action_units.errors import ArtifactError, ConfigurationError
from action_units.faces.journal import Entry, Journal, forget
from action_units.faces.store import FaceStore
from action_units.files import atomic_artifact, mark_withdrawn, verify, write_many
from action_units.locks import RUN_LOCK, locked
from action_units.media.photographs import Photograph
from action_units.models.model_files import save_model
from action_units.training.features import FeatureStore
from action_units.withdrawal import (
    REMEMBERED,
    Layers,
    People,
    WithoutPeople,
    check_person,
    withdraw,
)
from tests.conftest import PROJECT
from tests.export.synthetic import synthetic_model
from tests.test_config import configured


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("SN010", "RightVideoSN010_00000012.jpg"),
        ("SN010", "Videos_LeftCamera/LeftVideoSN010_comp.avi"),
        ("SN010", "ActionUnit_Labels/SN010/SN010_au1.txt"),
        ("SN010", "SN010"),
        ("m.0d27_dy", "m.0d27_dy_84-FaceId-0.jpg"),
        ("m.0d27_dy", "/photographs/m.0d27_dy/84-FaceId-0.jpg"),
        ("Adriana Lima", "Adriana=20Lima_66352541923574-FaceId-0.jpg"),
        ("Adriana Lima", "Adriana Lima/my photo.png"),
        ("train/p0", "train~p0_66352541923574-FaceId-0.jpg"),
        ("train/p0", "train/p0/1.jpg"),
        ("train~p0", "train/p0/1.jpg"),
        ("anna", "anna.jpg"),
        ("anna", "anna_0-FaceId-0.jpg"),
    ],
)
def test_a_persons_own_path_is_found(name, path):
    assert People.named(name).appear_in(path)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("SN001", "RightVideoSN0010_00000012.jpg"),
        ("SN010", "RightVideoSN011_00000010.jpg"),
        ("anna", "anna_b/1.jpg"),
        ("anna", "joanna_1-FaceId-0.jpg"),
        ("anna", "/home/anna/study/data/web/photographs/bob/1.jpg"),
        ("m.0d27", "m.0d27_dy_84-FaceId-0.jpg"),
        ("p0", "p01/1.jpg"),
    ],
)
def test_another_persons_path_is_not(name, path):
    assert not People.named(name).appear_in(path)


class _Source:
    def __init__(self, *chunks):
        self._chunks = chunks

    def chunks(self):
        return iter(self._chunks)


class _Chunk:
    fingerprint, weight = "", 1

    def __init__(self, name, *stems):
        self.id, self._stems = name, stems

    def photographs(self):
        return (Photograph(s, s, s, b"") for s in self._stems)


def layers_in(folder: Path) -> Layers:
    """Empty layers."""
    made = {field.name: folder / field.name for field in fields(Layers)}
    made["crops"] = folder / "primary" / "web"
    for path in made.values():
        path.mkdir()
    del made["crops"]
    return Layers(**made)


def test_a_part_of_a_name_is_refused(tmp_path):
    layers, raw = layers_in(tmp_path), tmp_path / "raw"
    for person in ("train/p0", "test/p0", "Ann Bo"):
        (raw / "photographs" / person).mkdir(parents=True)
        (raw / "photographs" / person / "1.jpg").touch()
    assert check_person("p0", layers, raw, []) == "p0"  # nothing is made of either yet
    for person in ("train~p0", "test~p0", "Ann=20Bo"):
        (layers.primary / "web" / f"{person}_7-FaceId-0.jpg").touch()
    with pytest.raises(ConfigurationError, match="give one of them whole: test/p0, train/p0"):
        check_person("p0", layers, raw, [])
    for name in ("train/p0", "train~p0", "Ann Bo", "Ann=20Bo"):
        assert check_person(name, layers, raw, []) == name


def test_what_was_predicted_of_the_person_is_deleted(tmp_path):
    layers = layers_in(tmp_path)
    run = (
        layers.predictions / "Adriana Lima" / "disfa" / "fg2020"
    )  # a run may be called as a person is
    of_her = (
        "web~Adriana Lima~1.jpg_annotated.png", "Adriana Lima.csv",
        "Adriana Lima_annotated.webm", "Adriana Lima_timeline_face2.png",
        "Adriana=20Lima_7-FaceId-0.jpg_annotated.png",
    )  # fmt: skip
    others = ("web~Ann~1.jpg_annotated.png", "Ann_timeline.png", "Ann.json")
    (run / "predicted").mkdir(parents=True)
    for name in (*of_her, *others):
        (run / "predicted" / name).write_text("{}")
    (run / "predicted" / "photographs.json").write_text('{"aside": ["web/Adriana Lima/2.jpg"]}')
    sources = run / "predicted" / "sources.csv"
    sources.write_text("source,table\n/x/Adriana Lima.mp4,/y/1.csv\n/x/Ann.mp4,/y/2.csv\n")
    assert withdraw("Adriana Lima", layers, "2026-01-01")
    assert {path.name for path in run.rglob("*.*")} == {*others, "sources.csv"}
    assert sources.read_text() == "source,table\n/x/Ann.mp4,/y/2.csv\n"


def test_scores_that_count_the_person_are_deleted_with_tests_on_their_set(tmp_path):
    layers = layers_in(tmp_path)
    labels = pd.DataFrame({"image": ["a.jpg", "b.jpg"], "subject": ["P1", "P2"], "AU12": 0})
    faces = np.full((2, 16, 16), 7, np.uint8)
    FaceStore(faces, labels, (12,)).save(layers.features / "studio")
    kept, gone = [
        layers.reports / "main/disfa/fg2020" / folder / "report.html"
        for folder in ("on_bp4d", "on_studio")
    ]
    for page in (kept, gone):
        page.parent.mkdir(parents=True)
        page.write_text("<p>a page</p>")
    withdraw("P2", layers, "2024-05-01")
    assert kept.is_file()
    assert not gone.parent.exists()


def test_features_of_the_persons_sets_are_deleted(tmp_path):
    layers = layers_in(tmp_path)
    labels = pd.DataFrame({"image": ["a.jpg", "b.jpg"], "subject": ["P1", "P2"], "AU12": 0})
    FaceStore(np.full((2, 16, 16), 7, np.uint8), labels, (12,)).save(layers.features / "studio")
    folders = [
        layers.predictions / f"main/{coded}/folds/fold1/features"
        for coded in ("bp4d", "bp4d+studio", "studio")
    ]
    for folder in folders:
        FeatureStore(np.zeros((2, 3), np.float16), labels.iloc[:0]).save(folder)
    assert withdraw("P2", layers, "2024-05-01")
    assert [folder.exists() for folder in folders] == [True, False, False]


@pytest.mark.parametrize("who", ["P2", "P9"])
def test_what_repeated_runs_read_again_is_deleted_with_the_person(tmp_path, who):
    layers = layers_in(tmp_path)
    labels = pd.DataFrame({"image": ["a.jpg", "b.jpg"], "subject": ["P1", "P2"], "AU12": 0})
    FaceStore(np.full((2, 16, 16), 7, np.uint8), labels, (12,)).save(layers.features / "studio")
    folders = [
        layers.predictions / name for name in ("main/remembered", "other/a/folds/remembered")
    ]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "held_out.npz").write_bytes(b"of many people")
    withdraw(who, layers, "2024-05-01")
    assert [folder.exists() for folder in folders] == 2 * [who != "P2"]
    catalog = (PROJECT / "conf/base/catalog.yml").read_text()
    paths = re.findall(r"^\w+_memory:\n.*\n  path: .*/(\w+)$", catalog, re.MULTILINE)
    assert paths == [REMEMBERED, REMEMBERED]


@pytest.mark.parametrize("subject", ["P2", "studio/P2"])
def test_thresholds_fitted_on_the_person_are_deleted(tmp_path, subject):
    layers = layers_in(tmp_path)
    fold = layers.models / "main/studio/folds/fold1"
    fold.mkdir(parents=True)
    for name, fitted_on in (("finetuned", [subject]), ("scratch", ["P21"])):
        path = fold / f"{name}_thresholds.json"
        path.write_text(json.dumps({"12": {"threshold": 0.5}, "fitted_on": fitted_on}))
    withdraw("P2", layers, "2024-05-01")
    assert [path.name for path in fold.iterdir()] == ["scratch_thresholds.json"]


def test_a_subject_is_removed_from_all_sets_that_have_the_name(tmp_path):
    """Also where crops are called otherwise, and where several sets are trained as one."""
    layers = layers_in(tmp_path)
    for name in ("a", "b"):
        people = ["P1", "P2"] if name == "a" else ["P3", "P4"]
        images = [f"{name}{who}_x_00000001.jpg" for who in people]
        table = pd.DataFrame({"image": images, "subject": people, "AU12": np.int8(1)})
        (layers.primary / name).mkdir()
        for image in images:
            (layers.primary / name / image).touch()
        table.to_parquet(layers.primary / f"{name}_frames.parquet")
        table.to_parquet(layers.primary / name / "labels.parquet")
        FaceStore(np.zeros((2, 8, 8), np.uint8), table, (12,)).save(layers.features / name)
        journal = layers.intermediate / name / "cropping"
        with Journal.open(journal, {}) as opened:
            rows = [[image, who] for image, who in zip(images, people, strict=True)]
            opened.add([Entry(who, "1", [], [[image, "no face", "", ""]])
                        for image, who in rows])  # fmt: skip
        quarantine = layers.reports / "quarantine" / name / "cropping.csv"
        quarantine.parent.mkdir(parents=True)
        quarantine.write_text("path,reason\n" + "".join(f"{i},no face\n" for i in images))
    lost = layers.reports / "a+b_lost_frames.csv"
    lost.write_text("subject,frames,lost\na/P1,1,0\nb/P3,1,0\n")
    trained = {
        "a/own/fold1": ["P2"],
        "b/own/fold1": ["P3"],
        "a+b/own/fold1": ["a/P1"],
        "a+b/own/fold2": ["a/P2"],
    }
    for place, subjects in trained.items():
        of_run = {
            "train": subjects,
            "validation": [],
            "test": ["a/P1" if "+" in place else "P1"],
        }
        model = synthetic_model(
            subjects=of_run if not place.startswith("b") else {"train": subjects}
        )
        save_model(model, layers.models / "main" / place / "finetuned.safetensors")
        (layers.models / "main/checkpoints" / f"{place}_finetuned").mkdir(parents=True)
        (layers.reports / "main" / place).mkdir(parents=True)
        (layers.reports / "main" / place / "evaluation.json").write_text("{}")

    assert check_person("P1", layers, tmp_path / "raw", []) == "P1"
    done = withdraw("P1", layers, "2026-01-01")
    assert [str(path.relative_to(layers.models)) for path in done.models] == [
        "main/a+b/own/fold1/finetuned.safetensors"
    ]
    crops = {path.name for path in layers.primary.glob("*/*.jpg")}
    assert crops == {"aP2_x_00000001.jpg", "bP3_x_00000001.jpg", "bP4_x_00000001.jpg"}
    assert set(FaceStore.open(layers.features / "a").subjects) == {"P2"}
    assert set(FaceStore.open(layers.features / "b").subjects) == {"P3", "P4"}
    for name, kept in (("a", ["P2"]), ("b", ["P3", "P4"])):
        with Journal.open(layers.intermediate / name / "cropping", {}) as opened:
            assert [who for who in ("P1", "P2", "P3", "P4") if opened.get(who)] == kept
        rows = pd.read_csv(layers.reports / "quarantine" / name / "cropping.csv")["path"]
        assert rows.tolist() == [f"{name}{who}_x_00000001.jpg" for who in kept]
        frames = pd.read_parquet(layers.primary / f"{name}_frames.parquet")
        assert frames["subject"].tolist() == kept
    assert pd.read_csv(lost)["subject"].tolist() == ["b/P3"]
    # Every score of a set with the person counts the person.
    reports = {path.parts[-4] for path in layers.reports.rglob("evaluation.json")}
    states = {path.parts[-3] for path in (layers.models / "main/checkpoints").rglob("fold*_*")}
    assert reports == states == {"b"}


def test_a_removal_is_refused_while_a_run_is_at_work(tmp_path):
    layers = layers_in(tmp_path)
    crop = layers.primary / "web" / "anna_1-FaceId-0.jpg"
    crop.touch()
    with locked(layers.models / "main", name=RUN_LOCK):
        with pytest.raises(ArtifactError, match="models/main is in use by"):
            withdraw("anna", layers, "2026-01-01")
        assert crop.exists()
    assert withdraw("anna", layers, "2026-01-01")
    assert not crop.exists()


def test_photographs_of_the_withdrawn_reach_no_worker():
    source = _Source(
        _Chunk("anna/1.jpg", "anna_1-FaceId-0"),
        _Chunk("all.tar", "anna_2-FaceId-0", "bob_1-FaceId-0"),
    )
    chunks = list(WithoutPeople(source, People.named("anna")).chunks())
    assert [chunk.id for chunk in chunks] == ["all.tar"]
    assert [one.stem for one in chunks[0].photographs()] == ["bob_1-FaceId-0"]


def test_a_journal_forgets_whatever_it_was_made_with(tmp_path):
    with Journal.open(tmp_path, {"margin": 0}) as journal:
        journal.add([Entry("a", "1", [["anna_1-FaceId-0.jpg"]], []), Entry("b", "1", [], [])])
    anna = People.named("anna")
    drop = lambda e: None if any(anna.appear_in(row[0]) for row in e.rows) else e  # noqa: E731
    assert forget(tmp_path, drop) == 1
    assert forget(tmp_path, drop) == 0
    with Journal.open(tmp_path, {"margin": 0}) as journal:
        assert (journal.get("a"), journal.get("b")) == (None, Entry("b", "1", [], []))


def test_a_marked_artifact_is_refused_until_it_is_made_again(tmp_path):
    path = tmp_path / "model.safetensors"

    def write() -> None:
        with atomic_artifact(path) as file:
            file.write(b"weights")

    write()
    mark_withdrawn(path, "SN010, on 2026-01-01")
    with pytest.raises(ArtifactError, match=r"withdrawn \(SN010, on 2026-01-01\)"):
        verify(path)
    write()
    assert verify(path) == path
    mark_withdrawn(path, "SN010, on 2026-01-01")
    write_many(tmp_path, {path.name: b"weights"})
    assert verify(path) == path


def test_packing_leaves_the_withdrawn_out(tmp_path):
    from action_units.config import Parameters
    from action_units.datasets.crops import CropSet
    from action_units.errors import LabelError
    from action_units.pipelines.preprocessing.nodes import pack

    table = pd.DataFrame({"image": ["a.jpg"], "subject": ["SN010"], "AU01": [1]})
    withdrawn = pd.DataFrame({"person": ["SN010"], "date": ["2026-01-01"]})
    settings = Parameters.read(configured()).preprocess
    with pytest.raises(LabelError, match="the table is empty"):
        pack(CropSet(tmp_path, table, "x"), tmp_path / "store", withdrawn, 32, settings, 1)
