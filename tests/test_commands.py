"""The command ``action-units``."""

import json
import shutil
import subprocess
import sys
from collections import Counter

import fsspec
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

from action_units import hints
from action_units.commands import main
from action_units.prediction.outputs import read_table
from tests.prediction.conftest import scene, write_pictures, write_run, write_video

HEAVY = {"torch", "pandas", "cv2", "kedro", "matplotlib"}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    return write_pictures(tmp_path_factory.mktemp("photographs"))


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


HELP = """
import sys
from action_units.commands import main
for command in ([], ["predict"], ["live"], ["export"]):
    print("command:", *command)
    main([*command, "--help"], standalone_mode=False)
print("imported:", *sys.modules)
"""


def test_help_has_a_sentence_and_an_example_and_is_quick():
    command = [sys.executable, "-c", HELP]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    text, imported = done.stdout.split("imported:")
    for help_text in text.split("command:")[1:]:
        assert "Usage:" in help_text
        assert "data/06_models" in help_text or "--model PLACE" in help_text
    assert not set(imported.split()) & HEAVY


def test_predict_writes_tables_and_names_them(models, photographs, tmp_path):
    done = invoke("predict", photographs, "--model", models, "--fold", 2, "--out", tmp_path)
    assert done.exit_code == 0, done.output
    assert f"{tmp_path}/photographs.parquet: 4 faces, 4 pictures" in done.stdout
    assert len(pd.read_csv(tmp_path / "photographs.csv")) == 5
    assert pd.read_csv(tmp_path / "quarantine.csv").empty


def test_a_quarantined_picture_makes_the_exit_code_one(models, photographs, tmp_path):
    (tmp_path / "in").mkdir()
    whole = (photographs / "a.png").read_bytes()
    (tmp_path / "in/a.png").write_bytes(whole)
    (tmp_path / "in/cut.png").write_bytes(whole[:500])
    out = tmp_path / "out"
    arguments = ("predict", tmp_path / "in", "--model", models, "--out", out)
    for _ in range(2):
        done = invoke(*arguments)
        assert done.exit_code == 1, done.output
    assert pd.read_csv(out / "quarantine.csv")["reason"].tolist() == ["truncated"]


def test_pictures_are_drawn_on_request(models, photographs, tmp_path):
    video = write_video(tmp_path / "v.avi", [scene({0: 10 + n}) for n in range(2)])
    out = tmp_path / "out"
    options = ("--model", models, "--fold", 1, "--out", out, "--annotate", "--timeline")
    done = invoke("predict", video, photographs / "both.png", *options)
    assert done.exit_code == 0, done.output
    names = {path.name for path in out.iterdir()}
    assert {"v_annotated.webm", "v_timeline.png"} <= names
    assert any(name.endswith("both.png_annotated.png") for name in names)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["gone.avi"], "gone.avi: nothing is there; expected a picture"),
        ([".", "--fold", "7"], "no model was found; expected a run's folder with fold7"),
        ([".", "--device", "tpu"], "device is 'tpu'; it must be"),
        ([".", "--workers", "0"], "workers=0 must be a whole number from 1"),
        (
            [".", "--min-confidence", "3"],
            "min_confidence: detector.score is 3.0; it must be a number above 0 and below 1",
        ),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_exit_code_two(
    models,
    photographs,
    monkeypatch,
    arguments,
    sentence,
):
    monkeypatch.chdir(photographs)
    done = invoke("predict", *arguments, "--model", models)
    assert done.exit_code == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.output
    assert done.stdout == ""


def test_ctrl_c_ends_with_a_line_and_its_own_code(models, photographs, monkeypatch, tmp_path):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("action_units.prediction.predict.write_tables", stopped)
    done = invoke("predict", photographs, "--model", models, "--out", tmp_path)
    assert done.exit_code == 130
    assert "nothing is half-written" in done.stderr


def test_run_hands_its_arguments_to_kedro(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hints, "program", "kedro run")  # which the command changes
    done = invoke("run", "--help")
    assert done.exit_code == 0, done.output
    assert "--params" in done.stdout
    assert "--pipeline" in done.stdout
    assert hints.program == "action-units run"


def test_a_run_outside_of_a_project_is_exported_with_the_card_that_is_named(tmp_path):
    from tests.export.synthetic import write_run as write_evaluated

    run = write_evaluated(tmp_path / "somewhere/run")
    arguments = ("export", run, "--out", tmp_path / "out", "--no-onnx")
    done = invoke(*arguments)
    assert done.exit_code == 2
    assert "`--card model_card.md`" in done.stderr
    (tmp_path / "model_card.md").write_text("# Card of mine\n\n## Training and test data\n")
    done = invoke(*arguments, "--card", tmp_path / "model_card.md")
    assert done.exit_code == 0, done.output
    assert "# Card of mine" in (tmp_path / "out/README.md").read_text()


def test_several_sources_and_urls_are_taken(models, photographs, tmp_path, monkeypatch):
    store = fsspec.filesystem("memory")
    store.pipe("/predicted/a.png", (photographs / "a.png").read_bytes())
    monkeypatch.setenv("HOME", str(tmp_path))
    video = write_video(tmp_path / "v.avi", [scene({0: 10})] * 2)
    sources = ("~/v.avi", photographs / "b.png", "memory://predicted/a.png", "gone.mp4")
    done = invoke("predict", *sources, "--model", models, "--fold", 1, "--out", "~/out")
    assert done.exit_code == 1, done.output
    assert video.is_file()
    assert "2 faces, 2 pictures" in done.stdout
    assert (tmp_path / "out/v.parquet").is_file()
    set_aside = pd.read_csv(tmp_path / "out/quarantine.csv")
    assert set_aside["path"].tolist() == ["gone.mp4"]


@pytest.mark.parametrize("option", ["--out", "--model"])
def test_an_empty_path_is_not_the_current_folder(models, tmp_path, monkeypatch, option):
    monkeypatch.chdir(tmp_path)
    done = invoke("predict", "x.jpg", "--model", models, "--out", "out", option, "")
    assert done.exit_code == 2
    assert f"Invalid value for '{option}': the path is empty." in done.output


def test_a_file_in_place_of_the_folder_is_a_sentence(models, photographs, tmp_path):
    (tmp_path / "out").write_text("mine")
    source = photographs / "a.png"
    done = invoke("predict", source, "--model", models, "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert (
        f"{tmp_path}/out cannot be written in (File exists). There is a file where a folder is"
        in (done.stderr)
    )
    assert (tmp_path / "out").read_text() == "mine"


def test_names_of_any_kind_are_predicted_and_drawn(models, photographs, tmp_path):
    names = ["=1\n+1", "$a\t_{$", "x" * 250, "é" * 125]
    (tmp_path / "in").mkdir()
    write_video(tmp_path / "v.avi", [scene({0: 10 + n}) for n in range(2)])
    for name in names:
        shutil.copy(photographs / "a.png", tmp_path / f"in/{name}.png")
        shutil.copy(tmp_path / "v.avi", tmp_path / f"in/{name}.avi")
    out = tmp_path / "out"
    options = ("--model", models, "--fold", 1, "--out", out, "--annotate", "--timeline")
    done = invoke("predict", tmp_path / "in", *options)
    assert done.exit_code == 0, done.output
    drawn = [path for path in out.iterdir() if "_annotated" in path.name]
    assert Counter(path.suffix for path in drawn) == {".png": 4, ".webm": 4}
    assert all(path.stat().st_size > 500 for path in drawn)
    assert len(list(out.glob("*_timeline.png"))) == 4
    table = read_table(out / "photographs.csv")
    assert sorted(table["image"]) == sorted(f"{name}.png" for name in names)
    before = {path: path.stat().st_mtime_ns for path in out.glob("*.csv")}
    assert invoke("predict", tmp_path / "in", *options[:6]).exit_code == 0
    del before[out / "quarantine.csv"]
    assert all(path.stat().st_mtime_ns == made for path, made in before.items())


def test_a_moving_picture_is_quarantined_with_what_was_left_out(models, tmp_path, caplog):
    frames = [Image.fromarray(scene({0: 10 + n})) for n in range(5)]
    (tmp_path / "in").mkdir()
    frames[0].save(tmp_path / "in/x.gif", save_all=True, append_images=frames[1:])
    options = ("--model", models, "--fold", 1, "--out")
    for source in (tmp_path / "in", tmp_path / "in/x.gif"):
        out = tmp_path / f"out{source.suffix}"
        done = invoke("predict", source, *options, out)
        assert done.exit_code == 1, done.output
        assert "Quarantined: 1 pictures left out" in caplog.text
        name = "x" if source.suffix else "photographs"
        assert len(read_table(out / f"{name}.csv")) == 1
        (row,) = json.loads((out / f"{name}.json").read_text())["set_aside"]
        assert row[1:3] == ["pictures left out", "the first of 5 pictures was taken"]
