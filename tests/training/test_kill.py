"""Real kills, at random times, of a training that spends much of its time saving."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.training.killed_run import run, weights_hash

ROOT = Path(__file__).parents[2]


def start(folder, threads, tmp):
    environment = {**os.environ, "TMPDIR": str(tmp)}
    command = [sys.executable, "-m", "tests.training.killed_run", str(folder), str(threads)]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    return process


def elsewhere(tmp_path):
    """A temporary folder on another file system, where there is one."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and os.access(memory, os.W_OK) else tmp_path


@pytest.fixture(scope="module")
def uninterrupted():
    started = time.monotonic()
    digest = weights_hash(run())
    return digest, time.monotonic() - started


def kill_three_times_and_finish(folder, tmp, uninterrupted, seed):
    digest, seconds = uninterrupted
    generator = random.Random(seed)
    kills = 0
    while kills < 3:
        # Other threads each time: a resumed run keeps the number it began with.
        process = start(folder, 1 if kills == 0 else 2, tmp)
        if kills == 0:
            while not (folder / "checkpoint.pt").exists() and process.poll() is None:
                time.sleep(0.002)
        time.sleep(generator.uniform(0.0, 0.6 * seconds))
        process.kill()
        process.wait()
        kills += 1
    process = start(folder, 2, tmp)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert output.strip() == digest
    names = {path.name for path in folder.iterdir()}
    assert names == {"checkpoint.pt", "checkpoint.pt.sha256", ".lock"}


def test_a_killed_training_ends_in_the_same_weights(tmp_path, uninterrupted):
    kill_three_times_and_finish(tmp_path, elsewhere(tmp_path), uninterrupted, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 21))
def test_twenty_killed_trainings_end_in_the_same_weights(tmp_path, uninterrupted, seed):
    kill_three_times_and_finish(tmp_path, elsewhere(tmp_path), uninterrupted, seed)


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 143), pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow)],
)
def test_a_signal_saves_and_has_its_own_exit_code(tmp_path, uninterrupted, number, code):
    process = start(tmp_path, 1, tmp_path)
    while not (tmp_path / "checkpoint.pt").exists():
        time.sleep(0.002)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == code
    assert weights_hash(run(tmp_path)) == uninterrupted[0]
