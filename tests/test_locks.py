"""One process a folder, on disks with locks and without."""

import errno
import fcntl
import os
import socket
import subprocess
import sys
import threading

import pytest

from action_units.errors import ArtifactError
from action_units.locks import locked

HOLDER = """
import fcntl, os, sys, time
from action_units.locks import locked
if sys.argv[2] != "0":
    def flock(*_):
        raise OSError(int(sys.argv[2]), os.strerror(int(sys.argv[2])))
    fcntl.flock = flock
with locked(sys.argv[1]):
    print("ready", flush=True)
    time.sleep(60)
"""
ERRORS = [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL]


@pytest.fixture
def holder(tmp_path):
    processes = []

    def start(number=0):
        command = [sys.executable, "-W", "ignore", "-c", HOLDER, str(tmp_path), str(number)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        processes.append(process)
        assert process.stdout.readline() == b"ready\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()


def without_locks(monkeypatch, number):
    def flock(_descriptor, _operation):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)


def test_the_error_names_process_and_host_and_a_lock_ends_with_its_process(tmp_path, holder):
    process = holder()
    message = f"{tmp_path} is in use by process {process.pid} on {socket.gethostname()}; wait"
    with pytest.raises(ArtifactError, match=message), locked(tmp_path):
        pass
    process.kill()
    process.wait()
    with locked(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]
    assert not list(tmp_path.iterdir())


def test_threads_of_one_process_are_kept_apart_too(tmp_path):
    with locked(tmp_path):
        found = []

        def second():
            try:
                with locked(tmp_path):
                    pass
            except ArtifactError as error:
                found.append(str(error))

        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert f"in use by process {os.getpid()} on" in found[0]


@pytest.mark.filterwarnings("ignore:flock not supported")
@pytest.mark.parametrize("number", ERRORS)
def test_a_disk_without_locks_is_not_in_use(tmp_path, monkeypatch, number):
    without_locks(monkeypatch, number)
    for _ in range(2):
        with locked(tmp_path):
            assert not list(tmp_path.glob("*.part"))


@pytest.mark.filterwarnings("ignore:flock not supported")
@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS])
def test_a_disk_without_locks_still_serves_one_process(tmp_path, monkeypatch, holder, number):
    process = holder(number)
    without_locks(monkeypatch, number)
    with (
        pytest.raises(ArtifactError, match=f"in use by process {process.pid} on"),
        locked(tmp_path),
    ):
        pass
    process.kill()
    process.wait()
    with locked(tmp_path):
        pass


def test_waiting_ends_with_the_other_process(tmp_path, holder):
    process = holder()
    threading.Timer(0.3, process.kill).start()
    with locked(tmp_path, wait=True):
        assert process.wait() == -9


@pytest.mark.parametrize(
    ("number", "sentence"),
    [(errno.EROFS, "mounted read-only"), (errno.ENOSPC, "Free some space")],
)
def test_a_disk_that_refuses_is_not_in_use(tmp_path, monkeypatch, number, sentence):
    def mkdir(*_arguments, **_options):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "mkdir", mkdir)
    with (
        pytest.raises(ArtifactError, match=f"cannot be written in.*{sentence}"),
        locked(tmp_path / "new"),
    ):
        pass
