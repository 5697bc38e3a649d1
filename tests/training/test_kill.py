"""Real kills, at random times, of a training that spends much of its time saving."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.training.killed_run import run, weights_hash
from tests.training.killing import Killer, other_file_system

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def uninterrupted():
    return weights_hash(run())


@pytest.fixture(scope="module")
def killer(uninterrupted, tmp_path_factory):
    started = time.monotonic()
    run(tmp_path_factory.mktemp("timed"))
    return Killer(run, {1: uninterrupted}, time.monotonic() - started)


@pytest.fixture
def elsewhere(tmp_path):
    with TemporaryDirectory(dir=other_file_system(tmp_path)) as folder:
        yield Path(folder)


def test_a_killed_training_ends_in_the_same_weights(tmp_path, elsewhere, killer):
    tally = killer.run(tmp_path, elsewhere, kills=3, seed=0)
    assert tally.flawless, tally
    assert tally.kills == 3


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 21))
def test_twenty_killed_trainings_end_in_the_same_weights(tmp_path, elsewhere, killer, seed):
    tally = killer.run(tmp_path, elsewhere, kills=3, seed=seed)
    assert tally.flawless, tally
    assert tally.kills == 3


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 143), pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow)],
)
def test_a_signal_saves_and_has_its_own_exit_code(tmp_path, uninterrupted, number, code):
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.training.killed_run", str(tmp_path), "1"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    while not (tmp_path / "checkpoint.pt").exists():
        time.sleep(0.002)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == code
    assert weights_hash(run(tmp_path)) == uninterrupted
