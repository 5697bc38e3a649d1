"""Tables in a folder: made once, made again when they must be, never half."""

import errno
import json
import os
import shutil

import cv2
import numpy as np
import pandas as pd
import pytest

from action_units.errors import ArtifactError, LabelError, UnusableFace
from action_units.evaluation.postprocessing.postprocessing import Postprocessing
from action_units.evaluation.postprocessing.thresholds import FittedThresholds
from action_units.locks import locked
from action_units.prediction import outputs as module
from action_units.prediction.classifier import Classifier, FoldPredictor
from action_units.prediction.draw import draw
from action_units.prediction.engine import Engine
from action_units.prediction.loading import load_classifier
from action_units.prediction.outputs import read_table, summary_table, write_tables
from action_units.prediction.predict import predict
from action_units.prediction.sources import open_source
from tests.prediction.conftest import AUS, scene, write_video


@pytest.fixture(scope="module")
def engine(run_folder):
    with Engine(load_classifier(run_folder, 1, device="cpu"), workers=2) as engine:
        yield engine


@pytest.fixture
def mixed(tmp_path, pictures):
    """Three pictures, one of them cut; two videos, one of them cut."""
    top = tmp_path / "in"
    top.mkdir()
    for name in ("a.png", "both.png"):
        shutil.copy(pictures / name, top)
    (top / "cut.png").write_bytes((pictures / "a.png").read_bytes()[:700])
    whole = write_video(top / "v.avi", [scene({0: 10 + n}) for n in range(4)])
    (top / "bad.avi").write_bytes(whole.read_bytes()[:5000])
    return top


def run(source, engine, out):
    return write_tables(open_source(source), engine, out)


def all_files(out):
    return {path.name: path.read_bytes() for path in out.iterdir()}


def test_each_part_has_its_tables_and_what_is_set_aside_is_listed(mixed, engine, tmp_path):
    out = tmp_path / "out"
    done = run(mixed, engine, out)
    wanted = {
        f"{name}.{s}" for name in ("photographs", "v") for s in ("csv", "parquet", "json")
    }
    assert set(all_files(out)) == wanted | {"quarantine.csv"}
    photographs = read_table(out / "photographs.parquet")
    assert photographs["image"].tolist() == ["a.png", "both.png", "both.png"]
    assert len(read_table(out / "v.csv")) == 4
    aside = pd.read_csv(out / "quarantine.csv")
    assert aside["reason"].tolist() == ["truncated", "damaged video"]
    assert "cut short" in aside["detail"][1]
    table = summary_table(done)
    assert table["frames"].tolist() == [2, 0, 4]
    assert table["faces"].tolist() == [3, 0, 4]
    assert table["set_aside"].tolist() == [1, 1, 0]
    record = json.loads((out / "v.json").read_text())
    assert record["model"] == engine.classifier.sha256
    assert record["frames_per_second"] == 20
    assert record["thresholds"] == {"AU01": 0.5, "AU04": 0.48, "AU12": 0.52}
    assert record["settings"]["crop"]["margin"] == 0.05


def test_a_second_run_does_nothing_and_says_the_same(mixed, engine, tmp_path, monkeypatch):
    out = tmp_path / "out"
    run(mixed, engine, out)
    before = all_files(out)
    monkeypatch.setattr(Engine, "photographs", None)
    (mixed / "bad.avi").unlink()
    done = run(mixed, engine, out)
    assert all(outcome.done_before for outcome in done)
    after = all_files(out)
    assert {n: c for n, c in after.items() if n != "quarantine.csv"} == {
        n: c for n, c in before.items() if n != "quarantine.csv"
    }
    assert pd.read_csv(out / "quarantine.csv")["reason"].tolist() == ["truncated"]


@pytest.mark.parametrize("what", ["source", "threshold", "faces", "table", "record"])
def test_what_has_changed_is_done_again(run_folder, engine, tmp_path, what):
    video = write_video(tmp_path / "v.avi", [scene({0: 10})] * 2)
    out = tmp_path / "out"
    run(video, engine, out)
    other = engine
    if what == "source":
        write_video(video, [scene({0: 10})] * 3)
    elif what == "threshold":
        member = engine.classifier.predictors[0]
        fitted = FittedThresholds((0.1,) * 3, (False,) * 3, (0.5,) * 3)
        changed = FoldPredictor("x", member.network, Postprocessing(fitted))
        other = Engine(Classifier([changed], engine.classifier.faces, "x", "another"))
    elif what == "faces":
        other = Engine(engine.classifier, "one")
    elif what == "table":
        (out / "v.csv").write_text("cut")
    else:
        (out / "v.json").write_text('{"format": 1')
    assert run(video, engine, out)[0].done_before == (what in ("threshold", "faces"))
    if other is not engine:
        with other:
            assert not run(video, other, out)[0].done_before
            assert run(video, other, out)[0].done_before
    if what == "source":
        assert len(read_table(out / "v.parquet")) == 3


def test_another_source_of_the_same_name_overwrites_nothing(engine, tmp_path):
    out = tmp_path / "out"
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        write_video(tmp_path / name / "v.avi", [scene({0: 10})] * 2)
    run(tmp_path / "x/v.avi", engine, out)
    first = (out / "v.csv").read_bytes()
    stem = run(tmp_path / "y/v.avi", engine, out)[0].stem
    assert stem.name.startswith("v-")
    assert (out / "v.csv").read_bytes() == first
    assert run(tmp_path / "x/v.avi", engine, out)[0].done_before
    assert run(tmp_path / "y/v.avi", engine, out)[0].done_before


def test_drawings_of_another_source_are_not_overwritten_either(engine, tmp_path):
    drawn = []
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "a.png"), scene({0: 10}))
        done = run(tmp_path / name, engine, tmp_path / "out")
        drawn += draw(done, annotate=True, timeline=False)
    assert drawn[0].name == "a.png_annotated.png"
    assert len(set(drawn)) == 2


def test_a_single_damaged_source_ends_in_its_sentence(mixed, engine, tmp_path):
    with pytest.raises(LabelError, match="cut short"):
        run(mixed / "bad.avi", engine, tmp_path / "out")
    with pytest.raises(UnusableFace, match="cut.png"):
        run(mixed / "cut.png", engine, tmp_path / "out")
    assert not list((tmp_path / "out").glob("*"))


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_end_in_the_middle_leaves_nothing_half_written(engine, tmp_path, monkeypatch, error):
    video = write_video(tmp_path / "v.avi", [scene({0: 10})] * 3)
    out = tmp_path / "out"
    run(video, engine, out)
    table = (out / "v.csv").read_bytes()
    write_video(video, [scene({0: 30})] * 3)
    advance = module.Progress.advance
    monkeypatch.setattr(module.Progress, "advance", lambda *_: (_ for _ in ()).throw(error))
    with pytest.raises(error):
        run(video, engine, out)
    monkeypatch.setattr(module.Progress, "advance", advance)
    assert (out / "v.csv").read_bytes() == table
    assert {p.name for p in out.iterdir()} == {"v.csv", "v.parquet", "v.json", "quarantine.csv"}
    assert not run(video, engine, out)[0].done_before
    assert run(video, engine, out)[0].done_before


def test_a_full_disk_leaves_the_tables_and_their_record(engine, tmp_path, monkeypatch):
    video = write_video(tmp_path / "v.avi", [scene({0: 10})] * 3)
    out = tmp_path / "out"
    run(video, engine, out)
    before = all_files(out)
    write_video(video, [scene({0: 30})] * 4)

    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(ArtifactError, match=r"untouched. Free some space"):
            run(video, engine, out)
    assert all_files(out) == before


@pytest.mark.parametrize("name", ["v.csv", "v.parquet"])
def test_a_flipped_bit_in_a_table_is_found_and_the_table_made_again(engine, tmp_path, name):
    video = write_video(tmp_path / "v.avi", [scene({0: 10})] * 3)
    out = tmp_path / "out"
    run(video, engine, out)
    whole = (out / name).read_bytes()
    (out / name).write_bytes(whole[:-2] + bytes([whole[-2] ^ 1]) + whole[-1:])
    assert not run(video, engine, out)[0].done_before
    assert (out / name).read_bytes() == whole


def test_a_folder_takes_the_tables_of_one_run_at_a_time(run_folder, tmp_path):
    video = write_video(tmp_path / "v.avi", [scene({0: 10})])
    with (
        locked(tmp_path / "out"),
        pytest.raises(ArtifactError, match=f"out is in use by process {os.getpid()} on"),
    ):
        predict(video, run_folder, fold=1, device="cpu", out=tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_a_disk_that_refuses_is_a_sentence(engine, tmp_path):
    video = write_video(tmp_path / "v.avi", [scene({0: 10})])
    (tmp_path / "file").write_text("x")
    with pytest.raises(ArtifactError, match="could not be written"):
        run(video, engine, tmp_path / "file" / "out")


def test_probabilities_are_numbers_in_range(engine, mixed, tmp_path):
    run(mixed, engine, tmp_path / "out")
    p = read_table(tmp_path / "out/v.parquet")[[f"AU{au:02d}_p" for au in AUS]].to_numpy()
    assert ((p > 0) & (p < 1)).all()
    assert p.dtype == np.float32
