"""Resuming, refusing and surviving, with simulated faults."""

import errno
import logging
import os
import pickle
import random
import shutil
import signal
import threading
from pathlib import Path

import pytest
import torch

from action_units.config import NetworkSpec, Recipe
from action_units.errors import ArtifactError, ConfigurationError
from action_units.files import atomic_artifact, sha256_of
from action_units.locks import locked
from action_units.progress import Progress
from action_units.training import validation
from action_units.training.interruption import Interrupted
from action_units.training.job import TrainingJob
from action_units.training.launch import JobWritten
from action_units.training.state import Checkpoints, load_checkpoint, save_checkpoint
from action_units.training.validation import validation_scores
from tests.training.killed_run import weights_hash
from tests.training.test_train import LABELS, QUICK, quick

IDENTITY = {"network": {"width": 0.5}, "aus": [1, 4], "provenance": {"fold": 1}}


class Crash(Exception):
    pass


@pytest.fixture(scope="module")
def whole():
    return quick()


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    quick(checkpoint_folder=folder)
    return folder


@pytest.fixture
def finished(finished_run, tmp_path):
    """A copy of a finished training's folder."""
    return Path(shutil.copytree(finished_run, tmp_path, dirs_exist_ok=True))


def crash_after(monkeypatch, steps, action):
    """Call ``action`` when this many steps have been done."""
    done = []
    original = Progress.advance

    def advance(self, amount=1, note=""):
        done.append(1)
        original(self, amount, note)
        if len(done) == steps:
            action()

    monkeypatch.setattr(Progress, "advance", advance)


def crash():
    raise Crash


@pytest.mark.parametrize("seconds", [0.0, None])
@pytest.mark.parametrize("steps", [1, 8, 9, 23, 24])  # of 24, 8 an epoch
def test_a_crash_at_any_step_changes_nothing(monkeypatch, tmp_path, whole, steps, seconds):
    options = {"checkpoint_folder": tmp_path, "checkpoint_seconds": seconds}
    with monkeypatch.context() as patch:
        crash_after(patch, steps, crash)
        with pytest.raises(Crash):
            quick(**options)
    resumed = quick(**options)
    assert weights_hash(resumed) == weights_hash(whole)
    clocks = ["seconds", "faces_per_second"]
    assert resumed.curve.drop(columns=clocks).equals(whole.curve.drop(columns=clocks))
    assert resumed.model.provenance == whole.model.provenance


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("steps", [3, 8])
def test_sigterm_saves_and_exits(monkeypatch, tmp_path, whole, steps, number, caplog):
    with monkeypatch.context() as patch:
        crash_after(patch, steps, lambda: os.kill(os.getpid(), number))
        with pytest.raises(Interrupted) as stopped:
            quick(checkpoint_folder=tmp_path)
    assert stopped.value.code == 143
    assert f"after step {steps} of 24" in caplog.text
    with caplog.at_level(logging.INFO):
        assert weights_hash(quick(checkpoint_folder=tmp_path)) == weights_hash(whole)
    assert f"resumes after step {steps} of 24" in caplog.text
    assert signal.getsignal(number) is signal.SIG_DFL


@pytest.mark.parametrize("where", ["last step", "evaluation"])
def test_sigterm_at_the_very_end_is_not_forgotten(monkeypatch, tmp_path, where, caplog):
    recipe = Recipe(epochs=1, batch_size=20)

    def stop():
        os.kill(os.getpid(), signal.SIGTERM)

    def stopped_scores(*arguments):
        stop()
        return validation_scores(*arguments)

    with monkeypatch.context() as patch:
        if where == "last step":
            crash_after(patch, 8, stop)
        else:
            patch.setattr(validation, "validation_scores", stopped_scores)
        with pytest.raises(Interrupted) as stopped:
            quick(recipe, checkpoint_folder=tmp_path)
    assert stopped.value.code == 143
    assert "when its last step was done; its result is saved" in caplog.text
    with caplog.at_level(logging.INFO):
        quick(recipe, checkpoint_folder=tmp_path)
    assert "was finished before" in caplog.text


def test_a_second_interrupt_does_not_wait(monkeypatch, tmp_path):
    def twice():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    crash_after(monkeypatch, 3, twice)
    with pytest.raises(KeyboardInterrupt):
        quick(checkpoint_folder=tmp_path)


def test_it_trains_outside_the_main_thread(tmp_path, whole):
    results = []
    worker = threading.Thread(target=lambda: results.append(quick()))
    worker.start()
    worker.join()
    assert weights_hash(results[0]) == weights_hash(whole)


def test_a_finished_run_resumes_to_no_change(monkeypatch, finished, tmp_path, whole):
    before = {p: p.read_bytes() for p in tmp_path.iterdir()}
    crash_after(monkeypatch, 1, crash)  # a single step would raise
    again = quick(checkpoint_folder=tmp_path)
    assert weights_hash(again) == weights_hash(whole)
    checkpoint = tmp_path / "checkpoint.pt"
    assert checkpoint.read_bytes() == before[checkpoint]


def test_an_invalid_restart_deletes_nothing(finished, tmp_path):
    before = (tmp_path / "checkpoint.pt").read_bytes()
    with pytest.raises(ConfigurationError, match="restart is 'flase'; it must be true or"):
        quick(checkpoint_folder=tmp_path, restart="flase")
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


def test_a_restart_that_fails_late_deletes_nothing(finished, tmp_path):
    before = (tmp_path / "checkpoint.pt").read_bytes()
    impossible = Recipe(epochs=1, batch_size=20, unfreeze=(0,) * 9)
    with pytest.raises(ConfigurationError, match="unfreeze"):
        quick(impossible, checkpoint_folder=tmp_path, restart=True)
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


def test_restart_starts_over(tmp_path, whole, caplog):
    quick(Recipe(epochs=1, batch_size=20), checkpoint_folder=tmp_path)
    with pytest.raises(ArtifactError, match=r"recipe.epochs was 1 and is now 3.*restart=true"):
        quick(checkpoint_folder=tmp_path)
    with caplog.at_level(logging.INFO):
        result = quick(checkpoint_folder=tmp_path, restart=True)
    assert "Training starts over; to resume it later, leave restart out." in caplog.text
    assert weights_hash(result) == weights_hash(whole)


@pytest.mark.parametrize("call", [1, 2, 3, 4])
def test_a_full_disk_leaves_the_checkpoint_that_restart_replaces(
    monkeypatch, finished, tmp_path, call
):
    """The disk refuses at one of the flushes of the new training's first curve and save."""
    before = (tmp_path / "checkpoint.pt").read_bytes()
    calls = []
    original = os.fsync

    def fsync(descriptor):
        calls.append(1)
        if len(calls) >= call:
            raise OSError(errno.ENOSPC, "No space left on device")
        original(descriptor)

    options = {"checkpoint_folder": tmp_path, "checkpoint_seconds": None}
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with pytest.raises(ArtifactError, match=r"untouched. Free some space"):
            quick(**options, restart=True)
    assert (tmp_path / "checkpoint.pt").read_bytes() == before
    assert load_checkpoint(tmp_path, torch.load(tmp_path / "checkpoint.pt")["identity"])


def test_a_restart_killed_before_its_first_save_leaves_what_it_replaces(
    monkeypatch, finished, tmp_path
):
    before = (tmp_path / "checkpoint.pt").read_bytes()
    with monkeypatch.context() as patch:
        crash_after(patch, 3, crash)
        with pytest.raises(Crash):
            quick(checkpoint_folder=tmp_path, checkpoint_seconds=None, restart=True)
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


def test_a_job_for_other_processes_knows_the_checkpoint_that_it_replaces(tmp_path):
    path = save_checkpoint(tmp_path, IDENTITY, {"step": 1})
    with Checkpoints(tmp_path, IDENTITY, None) as checkpoints:
        old = checkpoints.sha256()
        assert old == sha256_of(path)
        assert checkpoints.load(old) is None
        assert checkpoints.load("another") == checkpoints.load() == {"step": 1}
        checkpoints.save({"step": 2})
        assert checkpoints.load(old) == {"step": 2}  # as after a restart by torchrun
    with pytest.raises(JobWritten) as written:
        quick(checkpoint_folder=tmp_path, devices="torchrun", restart=True)
    assert TrainingJob.read(written.value.folder).replaces == sha256_of(path)
    assert path.is_file()


def test_restart_replaces_a_damaged_checkpoint(tmp_path, whole):
    quick(checkpoint_folder=tmp_path)
    (tmp_path / "checkpoint.pt").write_bytes(b"damaged")
    assert weights_hash(quick(checkpoint_folder=tmp_path, restart=True)) == weights_hash(whole)


def test_a_checkpoint_of_something_else_is_refused_by_name(tmp_path):
    quick(QUICK, checkpoint_folder=tmp_path, provenance={"fold": 1})
    changed = LABELS.copy()
    changed[0, 0] ^= 1
    cases = [
        ({"provenance": {"fold": 2}}, "provenance.fold was 1 and is now 2"),
        ({"seed": 2}, "seed was 1 and is now 2"),
        ({"labels": changed}, "data_sha256 was"),
        ({"train_rows": range(159)}, "data_sha256 was"),
        ({"spec": NetworkSpec(width=0.25, image_size=32)}, "network.width was 0.5"),
    ]
    for arguments, sentence in cases:
        arguments = {"provenance": {"fold": 1}, **arguments}
        with pytest.raises(ArtifactError, match=f"another training.*{sentence}"):
            quick(QUICK, checkpoint_folder=tmp_path, **arguments)


@pytest.mark.parametrize("call", [1, 2, 3, 4, 5, 6, 10])
def test_a_full_disk_leaves_the_last_checkpoint(monkeypatch, tmp_path, whole, call):
    """The disk refuses at one of the flushes of the curve and the save of the first epochs."""
    calls = []
    original = os.fsync

    def fsync(descriptor):
        calls.append(1)
        if len(calls) == call:
            raise OSError(errno.ENOSPC, "No space left on device")
        original(descriptor)

    options = {"checkpoint_folder": tmp_path, "checkpoint_seconds": None}
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with pytest.raises(
            ArtifactError, match=r"(checkpoint\.pt|curve\.csv).*No space left on device"
        ):
            quick(**options)
    assert weights_hash(quick(**options)) == weights_hash(whole)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"checkpoint.pt", "checkpoint.pt.sha256", "curve.csv"}


def test_flipped_bits_are_refused(tmp_path):
    path = save_checkpoint(tmp_path, IDENTITY, {"weights": torch.arange(100.0)})
    whole = path.read_bytes()
    generator = random.Random(0)
    for _ in range(100):
        damaged = bytearray(whole)
        damaged[generator.randrange(len(whole))] ^= 1 << generator.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(ArtifactError, match=r"SHA-256 differs.*restart=True"):
            load_checkpoint(tmp_path, IDENTITY)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ArtifactError, match="SHA-256 differs"):
        load_checkpoint(tmp_path, IDENTITY)


class Trap:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize("container", ["pickle", "zip", "legacy", "nested"])
def test_a_malicious_pickle_is_never_executed(container, protocol, tmp_path):
    trap = Trap(tmp_path / "executed")
    with atomic_artifact(tmp_path / "checkpoint.pt") as file:
        if container == "pickle":
            pickle.dump(trap, file, protocol=protocol)
        elif container == "nested":
            content = {"schema": 1, "identity": IDENTITY, "state": {"step": trap}}
            torch.save(content, file, pickle_protocol=protocol)
        else:
            new = container == "zip"
            torch.save(trap, file, pickle_protocol=protocol, _use_new_zipfile_serialization=new)
    with pytest.raises(ArtifactError, match="not a checkpoint of this project"):
        load_checkpoint(tmp_path, IDENTITY)
    assert not (tmp_path / "executed").exists()


def test_a_checkpoint_of_another_schema_is_refused(tmp_path):
    with atomic_artifact(tmp_path / "checkpoint.pt") as file:
        torch.save({"schema": 99, "identity": IDENTITY, "state": {}}, file)
    with pytest.raises(ArtifactError, match="schema 99 and this version reads 1"):
        load_checkpoint(tmp_path, IDENTITY)


def test_nothing_saved_is_nothing_loaded(tmp_path):
    assert load_checkpoint(tmp_path, IDENTITY) is None
    (tmp_path / "checkpoint.pt.sha256").write_text("0" * 64 + "  checkpoint.pt\n")
    assert load_checkpoint(tmp_path, IDENTITY) is None


def test_a_folder_serves_one_run_at_a_time(tmp_path):
    with (
        locked(tmp_path),
        pytest.raises(ArtifactError, match=f"in use by process {os.getpid()} on"),
    ):
        quick(checkpoint_folder=tmp_path)
    with locked(tmp_path):
        pass


def test_what_a_killed_save_left_is_swept(tmp_path):
    orphans = {tmp_path / f".{name}.abc12345.part" for name in ("checkpoint.pt", "curve.csv")}
    for path in (*orphans, tmp_path / "other.txt"):
        path.touch()
    quick(QUICK, checkpoint_folder=tmp_path)
    left = set(tmp_path.iterdir())
    assert not orphans & left
    assert tmp_path / "other.txt" in left


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ArtifactError, match="cannot be written in"):
        quick(checkpoint_folder=tmp_path / "file")
