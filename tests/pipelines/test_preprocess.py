"""Preprocessing of a person's own raw data: again, with exclusions, and refused."""

import os
import sys

import pandas as pd
import pytest

from action_units.faces.sample.disfa import write_disfa_sample
from action_units.faces.sample.layout import MARKER
from action_units.faces.sample.web import write_web_sample
from tests.pipelines.conftest import make_project

QUICK = "threads=1,face_size=32,preprocess.crop.max_size=64"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with raw data of its own: photographs by identity, and DISFA."""
    project = make_project(tmp_path_factory.mktemp("raw"))
    raw = project.path / "data" / "01_raw"
    write_web_sample(raw / "web", {"photographs": 60, "identities": 20}, workers=1)
    write_disfa_sample(raw / "disfa", {"frames_per_subject": 24}, workers=1)
    for name in ("web", "disfa"):
        (raw / name / MARKER).unlink()
    return project


def table(project, name):
    path = next(project.path.glob(f"data/*/raw/{name}"))
    return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)


def preprocess(project, more="", **options):
    params = QUICK + more
    return project.kedro(
        "run", "--env", "raw", "--pipeline", "preprocess", "--params", params, **options
    )


def test_a_second_run_only_checks_and_changes_nothing(project):
    preprocess(project)
    before = project.bytes_of("data/0[34]*/raw/**/*")
    assert any(name.endswith("fold3_test.csv") for name in before)
    printed = preprocess(project)
    assert "648 of 648 frames had been done before" in printed
    assert "60 of 60 photographs had been done before" in printed
    assert "Cropping" not in printed
    assert project.bytes_of("data/0[34]*/raw/**/*") == before
    faces = table(project, "web_faces/table-*.parquet")
    assert {"AU01", "AU01_r", "score", "photograph"} <= set(faces)
    coded = table(project, "disfa_faces/table-*.parquet")
    assert coded["AU12_r"].between(0, 5).all()
    assert ((coded["AU12_r"] >= 2) == (coded["AU12"] == 1)).all()


def test_exclusions_keep_their_rows_and_reasons(project):
    conf = project.path / "conf" / "raw" / "parameters_preprocess.yml"
    conf.write_text(
        "preprocess:\n  disfa:\n    exclude:\n"
        "    - {subject: SN029, frames: 2-4, reason: bad landmarks}\n"
        "    - {subject: SN010, reason: withdrew}\n"
        "  web:\n    sample: {n: 20, per_identity: 2, even_gender: true}\n"
    )
    try:
        preprocess(project)
    finally:
        conf.unlink()
    frames = table(project, "disfa_frames.parquet")
    assert len(frames) == 26 * 24
    marked = frames[(frames["subject"] == "SN029") & frames["frame"].between(2, 4)]
    assert set(marked["reason"]) == {"excluded: bad landmarks"}
    lost = table(project, "disfa_lost_frames.csv").set_index("subject")
    assert lost.loc["SN029", "excluded"] == 3
    faces = table(project, "disfa_faces/table-*.parquet")
    assert "SN010" not in set(faces["subject"])
    quarantine = table(project, "quarantine/disfa.csv")
    assert "the whole subject: withdrew" in set(quarantine["detail"])
    web = table(project, "web_faces/table-*.parquet")
    train = web[web["split"] == "train"]
    assert len(train) == 20
    assert train["gender"].sum() == 10
    assert train.groupby("subject").size().max() <= 2
    assert not set(train["subject"]) & set(web[web["split"] == "test"]["subject"])


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (",preprocess.disfa.camera=Left", "no video is there; expected LeftVideoSN001"),
        (",preprocess.detector.name=hog", "detector name='hog' is unknown"),
        (",cluster.engine=slurm", "engine='slurm' is unknown: choose local, dask"),
        (",preprocess.web.sample.n=9000", "9000|9,000"),
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


@pytest.mark.slow
def test_openface_s_program_is_run_where_it_is_configured(project):
    preprocess(project)
    labels = project.bytes_of("data/03_primary/raw/pre_train_images/*_label.csv")
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
    assert project.bytes_of("data/03_primary/raw/pre_train_images/*_label.csv") == labels
    assert "60 of 60 photographs had been done before" in again


@pytest.mark.slow
def test_the_left_camera_is_taken_where_it_is_asked_for(project):
    disfa = project.path / "data" / "01_raw" / "disfa"
    (disfa / "Videos_LeftCamera").mkdir()
    for path in (disfa / "Videos_RightCamera").iterdir():
        os.link(path, disfa / "Videos_LeftCamera" / path.name.replace("Right", "Left"))
    preprocess(project, ",preprocess.disfa.camera=Left")
    faces = table(project, "disfa_faces/table-*.parquet")
    assert faces["image"].str.startswith("LeftVideoSN").all()
    assert len(faces) > 27 * 20
    crops = project.path / "data/03_primary/raw/fine_tune_images"
    assert not list(crops.glob("RightVideo*.jpg"))
