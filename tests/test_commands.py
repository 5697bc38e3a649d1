"""The command ``action-units``."""

import subprocess
import sys

import pandas as pd
import pytest
from click.testing import CliRunner

from action_units import commands
from action_units.commands import main
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


@pytest.mark.parametrize("command", [[], ["predict"], ["live"], ["export"]])
def test_help_has_a_sentence_and_an_example_and_is_quick(command):
    script = "import sys; from action_units.commands import main\ntry: main()\nfinally: print('imported:', *sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script, *command, "--help"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    text, imported = done.stdout.split("imported:")
    assert "Usage:" in text
    assert "data/06_models" in text or "--model PLACE" in text
    assert not set(imported.split()) & HEAVY


def test_predict_writes_tables_and_names_them(models, photographs, tmp_path):
    done = invoke("predict", photographs, "--model", models, "--fold", 2, "--out", tmp_path)
    assert done.exit_code == 0, done.output
    assert f"{tmp_path}/photographs.parquet: 4 faces, 4 pictures" in done.stdout
    assert len(pd.read_csv(tmp_path / "photographs.csv")) == 5
    assert pd.read_csv(tmp_path / "quarantine.csv").empty


def test_what_is_set_aside_makes_the_exit_code_one(models, photographs, tmp_path):
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
    video = write_video(tmp_path / "v.avi", [scene({0: 10 + n}) for n in range(4)])
    done = invoke(
        "predict",
        video,
        "--model",
        models,
        "--out",
        tmp_path / "o",
        "--annotate",
        "--timeline",
    )
    assert done.exit_code == 0, done.output
    assert {"v_annotated.webm", "v_timeline.png"} <= {
        p.name for p in (tmp_path / "o").iterdir()
    }
    done = invoke(
        "predict",
        photographs / "both.png",
        "--model",
        models,
        "--out",
        tmp_path / "p",
        "--annotate",
    )
    assert done.exit_code == 0, done.output
    assert (tmp_path / "p/both.png_annotated.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["gone.avi"], "gone.avi: nothing is there; expected a picture"),
        ([".", "--fold", "7"], "no model is there; expected a run's folder with fold7"),
        ([".", "--device", "tpu"], "device 'tpu' is not there"),
        ([".", "--workers", "0"], "workers=0 must be a whole number from 1"),
        (
            [".", "--min-confidence", "3"],
            "score is 3.0; it must be a number above 0 and below 1",
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


def test_ctrl_c_is_said_and_has_its_own_code(models, photographs, monkeypatch, tmp_path):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("action_units.prediction.folder.predict_into", stopped)
    done = invoke("predict", photographs, "--model", models, "--out", tmp_path)
    assert done.exit_code == 130
    assert "nothing is half-written" in done.stderr


def test_a_missing_extra_is_named():
    missing = commands._missing(ModuleNotFoundError("no", name="fastapi"), "live")
    assert "pip install 'action-units[live]'" in str(missing)
    ours = ModuleNotFoundError("no", name="action_units.live.server")
    assert commands._missing(ours, "live") is ours


def test_run_hands_its_arguments_to_kedro(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "action_units", "run", "--help"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "--params" in done.stdout
    assert "--pipeline" in done.stdout


def test_a_run_outside_of_a_project_is_exported_with_the_card_that_is_named(tmp_path):
    from tests.export.made_up import write_run as write_evaluated

    run = write_evaluated(tmp_path / "somewhere/run")
    arguments = ("export", run, "--out", tmp_path / "out", "--no-onnx")
    done = invoke(*arguments)
    assert done.exit_code == 2
    assert "`--card model_card.md`" in done.stderr
    (tmp_path / "model_card.md").write_text("# Card of mine\n\n## Training and test data\n")
    done = invoke(*arguments, "--card", tmp_path / "model_card.md")
    assert done.exit_code == 0, done.output
    assert "# Card of mine" in (tmp_path / "out/README.md").read_text()
