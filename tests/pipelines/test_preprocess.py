"""Preprocessing of a person's own raw data: again, with exclusions, and refused."""

import json
import os
import re
import shutil
import sys

import pandas as pd
import pytest

from action_units.config import DisfaSampleConfig, Parameters, WebSampleConfig
from action_units.datasets.raw import RawFolderDataset
from action_units.datasets.verified import WithdrawnDataset
from action_units.errors import ActionUnitsError
from action_units.hooks import check_recordings
from action_units.sample.disfa import write_disfa_sample
from action_units.sample.layout import MARKER
from action_units.sample.web import write_web_sample
from tests.pipelines.conftest import make_project
from tests.test_config import configured

SUBJECTS = ("SN001", "SN002", "SN003", "SN008", "SN010", "SN029")  # each fold tests some
QUICK = "threads=1,face_size=32,preprocess.crop.max_size=64"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with raw data of its own: photographs by identity, and DISFA."""
    project = make_project(tmp_path_factory.mktemp("raw"))
    raw = project.path / "data" / "01_raw"
    write_web_sample(raw / "web", WebSampleConfig(photographs=60, identities=20), workers=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("action_units.sample.disfa.SUBJECTS", SUBJECTS)
        write_disfa_sample(raw / "disfa", DisfaSampleConfig(frames_per_subject=24), workers=1)
    for name in ("web", "disfa"):
        (raw / name / MARKER).unlink()
    return project


def table(project, name):
    path = next(project.path.glob(f"data/*/raw/{name}"))
    return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)


def preprocess(project, more="", **options):
    params = QUICK + more
    return project.run(
        "--env", "raw", "--pipeline", "preprocess", "--params", params, **options
    )


def test_a_second_run_only_checks_and_changes_nothing(project):
    preprocess(project)
    before = project.bytes_of("data/0[34]*/raw/**/*")
    assert any(name.endswith("fold3_test.csv") for name in before)
    printed = preprocess(project)
    assert "144 of 144 frames had been done before" in printed
    assert "60 of 60 photographs had been done before" in printed
    assert "Cropping" not in printed
    assert project.bytes_of("data/0[34]*/raw/**/*") == before
    faces = table(project, "web/table-*.parquet")
    assert {"AU01", "AU01_r", "score", "photograph"} <= set(faces)
    coded = table(project, "disfa/table-*.parquet")
    assert coded["AU12_r"].between(0, 5).all()
    assert ((coded["AU12_r"] >= 2) == (coded["AU12"] == 1)).all()


def test_exclusions_keep_their_rows_and_reasons(project):
    conf = project.path / "conf" / "raw" / "parameters_data.yml"
    conf.write_text(
        "coded_sets:\n  disfa:\n    exclude:\n"
        "    - {subject: SN029, frames: 2-4, reason: bad landmarks}\n"
        "    - {subject: SN010, reason: withdrew}\n"
        "web_sets:\n  web:\n    sample: {n: 20, per_identity: 2, even_gender: true}\n"
    )
    try:
        preprocess(project)
    finally:
        conf.unlink()
    frames = table(project, "disfa_frames.parquet")
    assert len(frames) == 5 * 24
    marked = frames[(frames["subject"] == "SN029") & frames["frame"].between(2, 4)]
    assert set(marked["reason"]) == {"excluded: bad landmarks"}
    lost = table(project, "disfa_lost_frames.csv").set_index("subject")
    assert lost.loc["SN029", "excluded"] == 3
    faces = table(project, "disfa/table-*.parquet")
    assert "SN010" not in set(faces["subject"])
    quarantine = table(project, "quarantine/disfa/cropping.csv")
    assert "the whole subject: withdrew" in set(quarantine["detail"])
    web = table(project, "web/table-*.parquet")
    train = web[web["split"] == "train"]
    assert len(train) == 20
    assert train["gender"].sum() == 10
    assert train.groupby("subject").size().max() <= 2
    assert not set(train["subject"]) & set(web[web["split"] == "test"]["subject"])


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (
            ",coded_sets.disfa.camera=Left",
            "no video is there; expected LeftVideoSN001.*coded_sets.disfa.camera=Right",
        ),
        (",web_sets.web.sample.n=9000", "9000|9,000"),
    ],
)
def test_what_cannot_be_is_one_sentence(project, more, sentence):
    printed = preprocess(project, more, fails=True)
    assert "Traceback" not in printed
    last = [line for line in printed.splitlines() if line.startswith("Error: ")]
    assert len(last) == 1
    assert pd.Series(last).str.contains(sentence).all()


def test_without_annotations_it_says_what_to_run(project):
    csv = project.path / "data" / "01_raw" / "web" / "openface.csv"
    csv.rename(csv.with_suffix(".away"))
    try:
        printed = preprocess(project, fails=True)
    finally:
        csv.with_suffix(".away").rename(csv)
    assert "FaceLandmarkImg" in printed
    assert "Traceback" not in printed


PROGRAM = """#!{python} -SE
import csv, os, sys
given = sys.argv[1:]
photographs = [given[k + 1] for k, argument in enumerate(given) if argument == "-f"]
out = given[given.index("-out_dir") + 1]
with open({annotations!r}, newline="") as file:
    rows = {{row["image"]: row for row in csv.DictReader(file, skipinitialspace=True)}}
for photograph in photographs:
    stem = os.path.splitext(os.path.basename(photograph))[0]
    open(os.path.join(out, stem + "_of_details.txt"), "w").close()
    row = rows.get(os.path.basename(os.path.realpath(photograph)))
    if row is not None and int(float(row["success"])):
        names = ["face", "confidence", *(name for name in row if name.startswith("AU"))]
        with open(os.path.join(out, stem + ".csv"), "w") as file:
            print(*names, sep=", ", file=file)
            print("0", *(row[name] for name in names[1:]), sep=", ", file=file)
"""


@pytest.fixture
def three(project, tmp_path):
    """A project of three of the subjects, under names that people's disks have."""
    few = make_project(tmp_path / "three")
    raw, own = (each.path / "data/01_raw" for each in (project, few))
    shutil.copytree(raw / "web", own / "web")
    for subject in ("SN001", "SN002", "SN003"):
        for part in (
            f"Videos_RightCamera/RightVideo{subject}_comp.avi",
            f"ActionUnit_Labels/{subject}",
        ):
            to = own / "disfa" / part.replace("Videos", "Video")
            to.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if (raw / "disfa" / part).is_dir() else shutil.copy)(
                raw / "disfa" / part, to
            )
    return few


def shorten(labels):
    for path in labels.iterdir():
        path.write_text(path.read_text().rstrip().rpartition("\n")[0])


def test_three_subjects_are_enough_and_what_lies_beside_them_is_named(three):
    disfa = three.path / "data/01_raw/disfa"
    shutil.copytree(disfa / "ActionUnit_Labels/SN001", disfa / "ActionUnit_Labels/SN001 2")
    (disfa / "Video_RightCamera/RightVideoSN001_comp (1).avi").touch()
    shorten(disfa / "ActionUnit_Labels/SN002")
    printed = preprocess(three, fails=True)
    assert "Traceback" not in printed
    assert "Cropping" not in printed  # not even the photographs, which come first
    assert "24 frames are in the file, but 23 have labels" in printed
    assert "frame_count_tolerance: 1 in the set's entry of coded_sets" in printed
    way = "coded_sets.disfa.frame_count_tolerance=1"
    printed = preprocess(three, f",{way}")
    assert "Skipped 2 files or folders next to the recordings and label files" in printed
    assert "ActionUnit_Labels/SN001 2" in printed
    frames = table(three, "disfa_frames.parquet")
    assert frames.groupby("subject").size().to_dict() == {"SN001": 24, "SN002": 23, "SN003": 24}
    assert "no label" in set(table(three, "quarantine/disfa/cropping.csv")["reason"])
    assert "fold3_test.csv is not written: the data has no subject of it" in printed
    written = {path.name for path in three.path.glob("data/03_primary/raw/disfa/*.csv")}
    assert written == {"fold1_train.csv", "fold1_test.csv", "fold2_train.csv",
                       "fold2_test.csv", "fold3_train.csv"}  # fmt: skip


@pytest.mark.parametrize(
    ("spoil", "parameters", "folds", "words"),
    [
        (lambda d: (d / "ActionUnit_Labels/SN002/SN002_au12.txt").unlink(), {}, (),
         r"SN002_au12\.txt: the label file of this AU is missing"),
        (lambda d: shutil.rmtree(d / "ActionUnit_Labels"), {}, (), "no subject's label folder"),
        (lambda d: shorten(d / "ActionUnit_Labels/SN001"), {}, (), "frame_count_tolerance: 1"),
        (lambda d: (d / "Video_RightCamera/RightVideoSN003_comp.avi").write_bytes(b"RIFF"), {},
         (), r"RightVideoSN003_comp\.avi"),
        (lambda d: None, {"exclude": [{"subject": "SN004", "reason": "x"}]}, (),
         "coded_sets.disfa.exclude names SN004"),
        (lambda d: None, {"exclude": [{"subject": "SN001", "frames": "9-99", "reason": "x"}]},
         (), "SN001 has frames 1 to 24"),
        (lambda d: None, {"camera": "Left"}, (), "coded_sets.disfa.camera=Right"),
        (lambda d: None, {}, (1, 2, 3), "fold=1,finetune.validation_subjects=1"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_known_before_the_first_node(three, spoil, parameters, folds, words):
    disfa = three.path / "data/01_raw/disfa"
    given = configured()
    raw = RawFolderDataset(path=str(disfa))
    withdrawn = WithdrawnDataset(filepath=str(three.path / "data/withdrawn.csv")).load()
    check_recordings(Parameters.read(given), "disfa", raw.load(), withdrawn, ())
    spoil(disfa)
    given["coded_sets"]["disfa"] |= parameters
    changed = Parameters.read(given)
    with pytest.raises(ActionUnitsError, match=words):
        check_recordings(changed, "disfa", raw.load(), withdrawn, folds)


@pytest.mark.slow
def test_disfa_alone_goes_from_recordings_to_a_report(three):
    shutil.rmtree(three.path / "data/01_raw/web")
    shutil.copy(three.path / "conf/tiny/parameters_recipes.yml", three.path / "conf/local")
    said = three.run("--env", "raw", "--params", QUICK, fails=True)
    alone = f"{QUICK},pretraining=false"
    assert f"or do without by `kedro run --env raw --params {alone}`" in said
    said = three.run("--env", "raw", "--params", alone, fails=True)
    assert "Cropping" not in said
    way = re.search(r"add `(fold=1,\S*?)`", said)[1]
    three.run("--env", "raw", "--params", f"{alone},{way}")
    folder = three.path / "data/08_reporting/raw/main/disfa/fg2020"
    fold = json.loads((folder / "fold1/evaluation.json").read_text())
    assert {part: len(who) for part, who in fold["subjects"].items()} == {
        "train": 1, "validation": 1, "test": 1
    }  # fmt: skip
    assert fold["subjects"]["test"] == ["SN002"]
    assert fold["models"]["finetuned"]["provenance"]["stage"] == "scratch"
    assert "from random weights" in (folder / "report.html").read_text()
    assert "from random weights" in (folder / "model_card.md").read_text()


@pytest.mark.slow
def test_openface_s_program_is_run_where_it_is_configured(project):
    preprocess(project)
    labels = project.bytes_of("data/03_primary/raw/web/*_label.csv")
    csv = project.path / "data" / "01_raw" / "web" / "openface.csv"
    away, program = csv.with_suffix(".away"), project.path / "FaceLandmarkImg"
    csv.rename(away)
    program.write_text(PROGRAM.format(python=sys.executable, annotations=str(away)))
    program.chmod(0o755)
    try:
        preprocess(project, f",preprocess.openface.binary={program}")
        again = preprocess(project, f",preprocess.openface.binary={program}")
    finally:
        away.rename(csv)
    assert project.bytes_of("data/03_primary/raw/web/*_label.csv") == labels
    assert "60 of 60 photographs had been done before" in again


@pytest.mark.slow
def test_the_left_camera_is_taken_where_it_is_asked_for(project):
    disfa = project.path / "data" / "01_raw" / "disfa"
    (disfa / "Videos_LeftCamera").mkdir()
    for path in (disfa / "Videos_RightCamera").iterdir():
        os.link(path, disfa / "Videos_LeftCamera" / path.name.replace("Right", "Left"))
    preprocess(project, ",coded_sets.disfa.camera=Left")
    faces = table(project, "disfa/table-*.parquet")
    assert faces["image"].str.startswith("LeftVideoSN").all()
    assert len(faces) > 6 * 20
    crops = project.path / "data/03_primary/raw/disfa"
    assert not list(crops.glob("RightVideo*.jpg"))


def test_equal_names_in_two_sets_are_refused_before_a_face_is_cropped(three):
    own = three.path / "conf/local/parameters_data.yml"
    own.parent.mkdir(exist_ok=True)
    own.write_text(
        "coded_sets:\n  twin: {reader: disfa, media: data/01_raw/disfa, protocol: fg2020}\n"
    )
    printed = three.run(
        "--env", "raw", "--pipeline", "preprocess", "--params",
        f"coded=disfa+twin,pretraining=false,{QUICK}", fails=True,
    )  # fmt: skip
    assert "disfa and twin both have a subject 'SN001'" in printed
    assert not list(three.path.glob("data/03_primary/raw/*"))
