"""Commands that signals end: exit codes, one line, nothing left running or lying about."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = """
import os, sys, time, click
from action_units.files import temporary_folder
from action_units.signals import orderly_end

@click.command()
def command():
    with orderly_end(), temporary_folder("faces"):
        open(os.path.join(os.environ["TMPDIR"], "plain"), "w").close()
        print("ready", flush=True)
        time.sleep(60)

command()
"""


def start(program, folder, *arguments, **options):
    process = subprocess.Popen(
        [*options.pop("before", []), sys.executable, "-c", program, *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "TMPDIR": str(folder)}, **options,
    )  # fmt: skip
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize(
    ("number", "code", "line"),
    [
        (signal.SIGINT, 130, "Stopped by Ctrl-C; "),
        (signal.SIGTERM, 143, "Stopped by a signal; "),
        (signal.SIGHUP, 143, "Stopped by a signal; "),
    ],
)
def test_a_signal_ends_a_command_in_one_line_and_leaves_nothing(tmp_path, number, code, line):
    process = start(COMMAND, tmp_path)
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == code
    assert errors.startswith(line)
    assert errors.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["plain"]
    assert (tmp_path / "plain").stat().st_mode & 0o777 == 0o600  # by the umask


def test_nohup_holds(tmp_path):
    process = start(COMMAND, tmp_path, before=["nohup"])
    process.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    assert process.poll() is None
    process.terminate()
    assert process.wait(timeout=30) == 143


WORK = """
import os, sys, time
from action_units.faces.workers import Workers, each
from action_units.signals import orderly_end

def task(folder):
    open(os.path.join(folder, str(os.getpid())), "w").close()
    time.sleep(60)

if __name__ == "__main__":
    print("ready", flush=True)
    with orderly_end():
        for _ in each(task, [sys.argv[1]] * 4, Workers(2)):
            pass
"""


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL]
)
@pytest.mark.parametrize("to_all", [True, False])
def test_workers_end_with_their_run_in_the_middle_of_a_task(tmp_path, number, to_all):
    """To all: as a terminal sends Ctrl-C, and its own end, to every process of its group."""
    if to_all and number in (signal.SIGTERM, signal.SIGKILL):
        pytest.skip("no terminal sends it")
    script = tmp_path / "work.py"
    script.write_text(WORK)
    (tmp_path / "workers").mkdir()
    process = subprocess.Popen(
        [sys.executable, script, tmp_path / "workers"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    while len(list((tmp_path / "workers").iterdir())) < 2:
        assert process.poll() is None
        time.sleep(0.02)
    (os.killpg if to_all else os.kill)(process.pid, number)
    _, errors = process.communicate(timeout=30)  # which the workers hold open, too
    expected = {signal.SIGINT: 130, signal.SIGKILL: -9}.get(number, 143)
    assert process.returncode == expected
    if number in (signal.SIGINT, signal.SIGTERM):  # nobody reads a terminal that is closed
        assert errors.count("\n") == 1
    for worker in (tmp_path / "workers").iterdir():
        status = Path("/proc", worker.name, "stat")
        assert not status.exists() or ") Z" in status.read_text()
