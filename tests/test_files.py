"""Whole files or none, and hashes that find every change."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from action_units.errors import ArtifactError
from action_units.files import atomic_artifact, atomic_write, manifest_of, verify, write_bytes


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "table.csv"
    write_bytes(path, b"old")
    with pytest.raises(RuntimeError), atomic_write(path) as file:
        file.write(b"new, but only half")
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file_and_names_the_path(tmp_path, monkeypatch):
    path = tmp_path / "table.csv"
    write_bytes(path, b"old")

    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        ArtifactError, match=r"table\.csv \(3 bytes\) could not be written.*No space left"
    ):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_temporary_file_is_in_the_same_folder(tmp_path):
    with atomic_write(tmp_path / "here" / "a.bin") as file:
        assert Path(file.name).parent == tmp_path / "here"


def test_permissions_are_those_of_an_ordinary_file(tmp_path):
    write_bytes(tmp_path / "a", b"")
    (tmp_path / "b").write_bytes(b"")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


@settings(max_examples=100, deadline=None)
@given(content=st.binary(min_size=1, max_size=200), data=st.data())
def test_every_flipped_bit_is_found(tmp_path_factory, content, data):
    path = tmp_path_factory.mktemp("flip") / "weights"
    with atomic_artifact(path) as file:
        file.write(content)
    assert verify(path).read_bytes() == content
    bit = data.draw(st.integers(0, 8 * len(content) - 1))
    damaged = bytearray(content)
    damaged[bit // 8] ^= 1 << bit % 8
    path.write_bytes(damaged)
    with pytest.raises(ArtifactError, match="SHA-256 differs"):
        verify(path)


def test_the_manifest_is_one_that_sha256sum_reads(tmp_path):
    with atomic_artifact(tmp_path / "weights") as file:
        file.write(b"abc")
    done = subprocess.run(
        ["sha256sum", "-c", "weights.sha256"], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0, done


def test_missing_file_and_missing_manifest_are_told_apart(tmp_path):
    path = tmp_path / "weights"
    with pytest.raises(ArtifactError, match="not there yet. `kedro run` makes it"):
        verify(path, "kedro run")
    path.write_bytes(b"abc")
    with pytest.raises(ArtifactError, match="no manifest"):
        verify(path)


WRITER = """
import sys
from pathlib import Path
from action_units.files import atomic_artifact
path, n = Path(sys.argv[1]), 0
while True:
    n += 1
    with atomic_artifact(path) as file:
        file.write(bytes([n % 256]) * 200_000)
"""


def test_a_kill_at_any_moment_leaves_an_artifact_that_verifies(tmp_path):
    path = tmp_path / "weights"
    for pause in (0.0, 0.003, 0.011, 0.017, 0.029):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)])
        while not path.exists():
            assert process.poll() is None
            time.sleep(0.001)
        time.sleep(pause)
        process.send_signal(signal.SIGKILL)
        process.wait()
        content = verify(path).read_bytes()
        assert len(content) == 200_000
        assert len(set(content)) == 1
    assert manifest_of(path).is_file()
