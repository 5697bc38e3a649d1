"""The whole study on the very small sample: killed, resumed, repeated, and a person withdraws."""

import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

STUDY = "data/06_models/tiny/main/checkpoints/study"
REPORTS = "data/08_reporting/tiny/main/disfa/fg2020/study"
TINY = ("--env", "tiny", "--pipeline", "study", "--params", "study.workers=2")


@pytest.mark.slow
def test_a_study_is_killed_resumed_and_repeated_with_the_same_result(copied, tmp_path):
    whole = copied.copy(tmp_path / "whole")
    printed = whole.run(*TINY)
    assert "25 trainings (4 pre-trainings and 21 on coded subjects), 25 to do, about" in printed
    assert "2 processes" in printed
    assert "The study: open" in printed

    for _ in range(2):
        process = subprocess.Popen(
            [sys.executable, "-m", "kedro", "run", *TINY],
            cwd=copied.path,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        before = len(list((copied.path / STUDY).glob("*/result.json")))
        deadline = time.monotonic() + 300
        while len(list((copied.path / STUDY).glob("*/result.json"))) < before + 4:
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    left = copied.run(*TINY)
    assert "25 trainings" in left
    assert "25 to do" not in left

    def results(project):
        return project.bytes_of(f"{STUDY}/**/*") | project.bytes_of(f"{REPORTS}/**/*")

    expected = results(whole)
    assert results(copied) == expected
    assert {name.rpartition("/")[2] for name in project_files(expected, STUDY)} == {
        *("people.csv", "result.json", "pretrained.safetensors"),
        "pretrained.safetensors.sha256",
    }
    assert "25 trainings (4 pre-trainings and 21 on coded subjects), 0 to do." in copied.run(
        *TINY
    )
    assert results(copied) == expected

    # A coded subject is in no pre-training.
    printed = copied.run("--env", "tiny", "--pipeline", "withdraw", "--params", "person=SN010")
    for path in (copied.path / STUDY).glob("*/people.csv"):
        assert "SN010" not in set(pd.read_csv(path)["subject"])
    assert len(list((copied.path / STUDY).glob("*/pretrained.safetensors"))) == 4
    assert not (copied.path / REPORTS).exists()
    identity = pd.read_csv(
        next((copied.path / STUDY).glob("*/pretrained*")).parent / "people.csv"
    )
    person = identity["subject"].iloc[-1]
    copied.run("--env", "tiny", "--pipeline", "withdraw", "--params", f"person={person}")
    for path in (copied.path / STUDY).glob("*/people.csv"):
        assert person not in set(pd.read_csv(path)["subject"])


def project_files(contents, folder):
    return [name for name in contents if name.startswith(folder)]


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ("pretraining=false", "pretraining is false, but the study is about pre-training"),
        ("fold=4", "fold is 4, but protocol 'fg2020' has the folds 1 to 3"),
        ("study.factor=1", "study.factor is 1; it must be a number above 1 and at most 100"),
    ],
    ids=["pretraining", "fold", "factor"],
)
def test_what_no_study_can_do_is_refused_in_one_line(finished, params, sentence):
    printed = finished[0].run(
        "--env", "tiny", "--pipeline", "study", "--params", params, fails=True
    )
    assert sentence in " ".join(printed.split())
    assert "Traceback" not in printed
