"""Whole files or none, and hashes that find every change."""

import errno
import fcntl
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from action_units.errors import ArtifactError, ConfigurationError
from action_units.files import (
    SHARE,
    atomic_artifact,
    atomic_write,
    manifest_of,
    reading,
    reserve,
    sweep,
    temporary_folder,
    verify,
    write_bytes,
    write_many,
)
from action_units.locks import locked


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


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
@pytest.mark.parametrize(
    ("shared", "file", "folder"),
    [(None, 0o600, 0o700), ("group", 0o660, 0o770), ("everyone", 0o644, 0o755)],
)
def test_new_files_are_their_owners_alone_whatever_the_umask(
    tmp_path, monkeypatch, mask, shared, file, folder
):
    monkeypatch.delenv(SHARE, raising=False)
    if shared:
        monkeypatch.setenv(SHARE, shared)
    tmp_path.chmod(0o711)
    before = os.umask(mask)
    try:
        write_bytes(tmp_path / "a" / "b" / "one", b"")
        write_many(tmp_path / "c", {"two": b"", "three": b""})
        with atomic_artifact(tmp_path / "d" / "four") as opened:
            opened.write(b"x")
        with locked(tmp_path / "e"):
            found = {path: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    finally:
        os.umask(before)
    assert len(found) == 11
    assert {mode for path, mode in found.items() if path.is_file()} == {file}
    assert {mode for path, mode in found.items() if path.is_dir()} == {folder}
    assert tmp_path.stat().st_mode & 0o777 == 0o711


def test_an_unknown_audience_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv(SHARE, "all")
    with pytest.raises(ConfigurationError, match=f"{SHARE} is 'all'; it must be group or"):
        write_bytes(tmp_path / "a", b"")


def refuses(monkeypatch, name, number, when=lambda *_: True):
    """Have a call of the operating system fail."""
    original = getattr(os, name)

    def call(*arguments, **options):
        if when(*arguments):
            raise OSError(number, os.strerror(number))
        return original(*arguments, **options)

    monkeypatch.setattr(os, name, call)


def is_folder(descriptor):
    return stat.S_ISDIR(os.fstat(descriptor).st_mode)


@pytest.mark.parametrize(
    ("name", "numbers", "when"),
    [
        ("fsync", (errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.ENOSYS), is_folder),
        ("fsync", (errno.EINVAL, errno.ENOTSUP), lambda *_: True),
        ("chmod", (errno.EPERM, errno.ENOTSUP), lambda *_: True),
    ],
)
def test_files_are_written_on_a_disk_that_lacks_a_function(
    tmp_path, monkeypatch, name, numbers, when
):
    for number in numbers:
        folder = tmp_path / str(number)
        with monkeypatch.context() as patch:
            refuses(patch, name, number, when)
            write_bytes(folder / "a", b"one")
            write_many(folder, {"b": b"two"})
            with locked(folder):
                assert (folder / "a").read_bytes() + (folder / "b").read_bytes() == b"onetwo"


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, "Free some space"),
        (errno.EDQUOT, "free some space"),
        (errno.EFBIG, "ulimit -f"),
        (errno.EIO, "check it before"),
        (errno.EROFS, "mounted read-only"),
        (errno.EACCES, "change the permissions"),
        (errno.ENAMETOOLONG, "choose a shorter one"),
    ],
)
@pytest.mark.parametrize("many", [False, True])
def test_each_refusal_of_a_disk_has_its_own_advice(
    tmp_path, monkeypatch, number, sentence, many
):
    write_bytes(tmp_path / "a", b"old")
    refuses(monkeypatch, "fsync", number, lambda descriptor: not is_folder(descriptor))
    with pytest.raises(ArtifactError, match=sentence) as refused:
        write_many(tmp_path, {"a": b"new"}) if many else write_bytes(tmp_path / "a", b"new")
    full = number in (errno.ENOSPC, errno.EDQUOT)
    assert ("ree some space" in str(refused.value)) == full
    assert (tmp_path / "a").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("letter", ["x", "é", "語", "😀"])
def test_a_name_of_255_bytes_is_written(tmp_path, letter):
    name = letter * (255 // len(letter.encode()))
    write_bytes(tmp_path / name, b"one")
    assert (tmp_path / name).read_bytes() == b"one"


HOLDER = """
import sys, time
from action_units.files import atomic_write, temporary_folder
with temporary_folder("frames", sys.argv[1]) as folder, atomic_write(sys.argv[1] + "/a") as file:
    (folder / "video.webm").write_bytes(b"a face")
    file.write(b"half")
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("locks", [True, False])
def test_what_a_killed_process_left_is_swept_and_a_running_ones_is_not(
    tmp_path, monkeypatch, locks
):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"ready\n"
    (tmp_path / ".mine.settings").touch()
    (tmp_path / ".gitignore").touch()
    if not locks:
        refuses_locks(monkeypatch)
    sweep(tmp_path)
    parts = list(tmp_path.glob("*.part"))
    assert len(parts) == 2
    process.kill()
    process.wait()
    if not locks:
        sweep(tmp_path)
        assert len(list(tmp_path.glob("*.part"))) == 2
        for path in parts:
            os.utime(path, (0, 0))
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".gitignore", ".mine.settings"]


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS])
def test_room_is_taken_on_a_disk_that_cannot_reserve_it(tmp_path, monkeypatch, number):
    refuses(monkeypatch, "posix_fallocate", number)
    with open(tmp_path / "a", "w+b") as file:
        reserve(file.fileno(), (1 << 20) + 3)
    assert (tmp_path / "a").stat().st_blocks * 512 >= (1 << 20) + 3
    assert (tmp_path / "a").stat().st_size == (1 << 20) + 3


def test_an_upload_of_a_killed_live_page_goes_with_the_next_start(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    upload = tmp_path / ".action-units-live.abcd1234.part" / "upload"
    upload.parent.mkdir()
    upload.write_bytes(b"a face")
    others = tmp_path / ".other.abcd1234.part"
    others.mkdir()
    with (
        temporary_folder("action-units-live") as first,
        temporary_folder("action-units-live") as second,
    ):
        assert first.stat().st_mode & 0o777 == 0o700
        assert set(tmp_path.iterdir()) == {first, second, others}
    assert list(tmp_path.iterdir()) == [others]


def refuses_locks(monkeypatch, number=errno.ENOLCK):
    def flock(_descriptor, _operation):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)


@settings(max_examples=40, deadline=None)
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


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"\xff\xfe\x00", b"{}", b"abc  file.txt\n", b"A" * 64]
)
def test_a_damaged_manifest_is_named(tmp_path, content):
    path = tmp_path / "file.txt"
    with atomic_artifact(path) as file:
        file.write(b"whole")
    manifest_of(path).write_bytes(content)
    with pytest.raises(
        ArtifactError, match=r"file\.txt cannot .* file\.txt\.sha256 is damaged"
    ):
        verify(path)
    with atomic_artifact(path) as file:  # and making it again helps
        file.write(b"again")
    assert verify(path).read_bytes() == b"again"


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ValueError("line 1\nline 2"), r"is damaged and cannot be read \(line 1 line 2\)"),
        (KeyError("faces"), r"is damaged and cannot be read \('faces'\)"),
        (RecursionError(), r"is damaged and cannot be read \(RecursionError\)"),
        (OSError(5, "Input/output error"), r"cannot be read \(Input/output error\)"),
        (ArtifactError("the treatment has no part"), r"index\.json: the treatment has no part"),
    ],
)
def test_the_error_of_a_reader_names_the_file(tmp_path, error, sentence):
    path = tmp_path / "index.json"
    with pytest.raises(ArtifactError, match=sentence) as caught, reading(path, "`kedro run`"):
        raise error
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_manifest_is_one_that_sha256sum_reads(tmp_path):
    with atomic_artifact(tmp_path / "weights") as file:
        file.write(b"abc")
    done = subprocess.run(
        ["sha256sum", "-c", "weights.sha256"], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0, done


def test_a_missing_file_and_a_missing_manifest_have_different_errors(tmp_path):
    path = tmp_path / "weights"
    with pytest.raises(ArtifactError, match="not there yet. `kedro run` makes it"):
        verify(path, "`kedro run`")
    path.write_bytes(b"abc")
    with pytest.raises(ArtifactError, match="manifest .* is not beside it"):
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
