"""SIGKILL for a training: at random times, and aimed at the moment of a save.

Each attempt is a process of its own, forked from a server that has torch loaded already, so
that hundreds of kills take minutes. A training that ends before all its kills have come is
begun anew and does not count.
"""

import multiprocessing
import os
import random
import signal
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch

from action_units.errors import ArtifactError
from action_units.files import sha256_of, verify
from action_units.training.state import NAME
from tests.training.killed_run import weights_hash

_TEMPORARY = f".{NAME}*.*"
_KEPT = {NAME, f"{NAME}.sha256", "curve.csv"}

Train = Callable[[Path, int], Any]


@dataclass
class Tally:
    """What many killed runs came to."""

    runs: int = 0
    kills: int = 0
    in_a_save: int = 0
    identical: int = 0
    unreadable: int = 0
    orphans: int = 0
    changed_when_finished: int = 0

    def add(self, other: "Tally") -> None:
        for name in (field.name for field in fields(self)):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def flawless(self) -> bool:
        faults = self.unreadable + self.orphans + self.changed_when_finished
        return self.identical == self.runs and not faults

    def __str__(self) -> str:
        return (
            f"{self.runs} runs, {self.kills} kills ({self.in_a_save} within a save): "
            f"{self.identical} identical, {self.unreadable} unreadable checkpoints, "
            f"{self.orphans} orphans, {self.changed_when_finished} changed when finished"
        )


class Killer:
    """Kills and resumes trainings.

    Each start that goes on from a checkpoint asks for other threads: the weights at the end
    must be those that the threads of the first start give.
    """

    def __init__(self, train: Train, references: Mapping[int, str], seconds: float) -> None:
        """Prepare the server of processes.

        Args:
            train: Called with folder and threads, and picklable.
            references: The hash of an uninterrupted run's weights, by its threads.
            seconds: How long such a run takes with its saves.
        """
        self.train, self.references, self.seconds = train, references, seconds
        self._processes = multiprocessing.get_context("forkserver")
        # torch's optimisers import its compiler at first use: in the server, not in each start,
        # where it would take longer than most kills wait.
        self._processes.set_forkserver_preload(["torch._dynamo", "tests.training.killed_run"])

    def run(
        self, folder: Path, elsewhere: Path, kills: int, seed: int, threads: int = 1
    ) -> Tally:
        """Train to the end through ``kills`` kills.

        Args:
            folder: Of the checkpoint; empty.
            elsewhere: The run's TMPDIR; nothing may be left in it.
            kills: How many.
            seed: Of their times, and of the threads that are asked for later.
            threads: Of the first start.
        """
        generator = random.Random(seed)
        tally = self._try(folder, elsewhere, kills, threads, generator)
        while tally is None:
            for path in folder.iterdir():
                path.unlink()
            tally = self._try(folder, elsewhere, kills, threads, generator)
        return tally

    def _try(
        self,
        folder: Path,
        elsewhere: Path,
        kills: int,
        threads: int,
        generator: random.Random,
    ) -> Tally | None:
        """One run, or None where it ended before its last kill."""
        checkpoint = folder / NAME
        tally = Tally(runs=1)

        def start() -> Any:
            asked = generator.choice((1, 2, 3)) if checkpoint.exists() else threads
            process = self._processes.Process(
                target=_train_with, args=(self.train, folder, asked, elsewhere)
            )
            process.start()
            return process

        times = sorted(generator.uniform(0.0, self.seconds) for _ in range(kills))
        for delay in (b - a for a, b in zip([0.0, *times], times, strict=False)):
            process = start()
            time.sleep(delay)
            if generator.random() < 0.5:
                _await_save(folder, elsewhere, process)
                time.sleep(generator.uniform(0.0, 0.003))
            process.kill()
            process.join()
            if process.exitcode != -signal.SIGKILL:
                assert process.exitcode == 0, f"exit code {process.exitcode}"
                return None
            tally.kills += 1
            tally.in_a_save += any(folder.glob(_TEMPORARY))
            tally.unreadable += not _readable(checkpoint)
        process = start()
        process.join()
        assert process.exitcode == 0, f"exit code {process.exitcode}"
        left = {path.name for path in folder.iterdir()} - _KEPT
        tally.orphans = len(left) + len(list(elsewhere.iterdir()))
        finished = sha256_of(checkpoint)
        tally.identical = weights_hash(self.train(folder, 1)) == self.references[threads]
        tally.changed_when_finished = sha256_of(checkpoint) != finished
        return tally


def _train_with(train: Train, folder: Path, threads: int, elsewhere: Path) -> None:
    os.environ["TMPDIR"] = str(elsewhere)
    tempfile.tempdir = None
    train(folder, threads)


def other_file_system(folder: Path) -> Path:
    """A place for a TMPDIR: on another file system than ``folder``, where there is one."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and os.access(memory, os.W_OK) else folder


def _await_save(folder: Path, elsewhere: Path, process: Any) -> None:
    """Wait until a save has begun, wherever it writes first, or for a second."""
    patience = time.monotonic() + 1.0
    while process.is_alive() and time.monotonic() < patience:
        if any(folder.glob(_TEMPORARY)) or any(elsewhere.iterdir()):
            return
        time.sleep(0.0002)


def _readable(checkpoint: Path) -> bool:
    if not checkpoint.exists():
        return True  # killed before the first was there
    try:
        torch.load(verify(checkpoint), map_location="cpu", weights_only=True)
    except (ArtifactError, RuntimeError, ValueError, OSError):
        return False
    return True
