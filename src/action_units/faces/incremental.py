"""Working through the chunks of an input: only what is new, in shards, with retries.

A *chunk* is the smallest part of the input that is known to be done or not: a photograph,
a part of an archive, a video. A *shard* is some chunks that one process works on together;
what a kill interrupts is redone by the shard.
"""

import logging
import os
import pickle
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Protocol, TypeVar

from action_units.errors import ArtifactError
from action_units.faces.journal import Entry, Journal
from action_units.faces.workers import WorkerDied, Workers, each
from action_units.files import temporary_folder
from action_units.progress import Progress

logger = logging.getLogger(__name__)

_LAST_SHARDS = 3  # for each worker at the end
_SMALLEST = 8  # pictures: a shard ends with a wait for the disk, as long as two pictures take
_MAX_DEATHS = 100  # in one shard, before the machine and not the pictures is the cause


class Chunk(Protocol):
    """A part of the input."""

    @property
    def id(self) -> str:
        """Its name, unique and the same in every run."""

    @property
    def fingerprint(self) -> str:
        """Differs where the bytes may have changed."""

    @property
    def weight(self) -> int:
        """About how many pictures it has."""


AnyChunk = TypeVar("AnyChunk", bound=Chunk)
Shard = tuple[AnyChunk, ...]
Job = Callable[[Shard[AnyChunk], Callable[[str], None], frozenset[str]], list[Entry]]
"""Does a shard. It is called with the shard, a function to call with each picture's path before
that is read, and the paths to quarantine unread because they crashed a process before."""


def work_through(
    chunks: Iterable[AnyChunk],
    job: Job[AnyChunk],
    journal: Journal,
    files_exist: Callable[[Entry], bool],
    workers: Workers | None = None,
    shard_weight: int = 128,
    unit: str = "photographs",
    *,
    check: Callable[[list[Entry]], None] | None = None,
) -> int:
    """Do every chunk that is not done, and record each shard when it is finished.

    A process that dies costs its shard one retry in a process of its own; the picture
    that crashes that one too is quarantined, and the shard continues without it.

    Args:
        chunks: All of the input; they are pickled.
        job: What is done with a shard; it is pickled.
        journal: What is done already; receives what is done here.
        files_exist: Whether the files of a done chunk still exist.
        workers: The processes that do the work.
        shard_weight: About how many pictures a shard has.
        unit: What a picture is called, in the plural, for the progress.
        check: Is called with the results of each shard, and raises to stop the work.

    Returns:
        How many pictures were worked on.

    Raises:
        ArtifactError: Processes die whatever they work on.
        ActionUnitsError: What the job raised.
    """
    new = 0
    lost: list[Shard[AnyChunk]] = []
    n_workers = (workers.count if workers else None) or os.cpu_count() or 1
    with TemporaryFile(dir=journal.path.parent) as queue:  # memory need not hold every chunk
        with journal.new_input() as add:
            for chunk in chunks:
                add(chunk.id)
                if not _is_done(chunk, journal, files_exist):
                    pickle.dump(chunk, queue)
                    new += chunk.weight
        queue.seek(0)
        shards = _shards(_unpickled(queue), new, shard_weight, n_workers)
        with Progress("Cropping", new, unit) as progress:

            def record(shard: Shard[AnyChunk], entries: list[Entry]) -> None:
                journal.add(entries)
                if check is not None:
                    check(entries)
                progress.advance(sum(chunk.weight for chunk in shard))

            with closing(each(_Task(job), shards, workers)) as results:
                for shard, entries in results:
                    if isinstance(entries, WorkerDied):
                        lost.append(shard)
                    else:
                        record(shard, entries)
            for shard in lost:
                record(shard, _retry(shard, job))
    return new


def _is_done(chunk: Chunk, journal: Journal, files_exist: Callable[[Entry], bool]) -> bool:
    entry = journal.get(chunk.id)
    return entry is not None and entry.fingerprint == chunk.fingerprint and files_exist(entry)


def _unpickled(queue: IO[bytes]) -> Iterator[Any]:
    with suppress(EOFError):
        while True:
            yield pickle.load(queue)  # noqa: S301 (an unnamed file, written above)


def _shards(
    chunks: Iterable[AnyChunk], left: int, weight: int, n_workers: int
) -> Iterator[Shard[AnyChunk]]:
    """Chunks by the shard; the last are small, so that all workers end at the same time."""
    parts = _LAST_SHARDS * n_workers
    smallest = min(_SMALLEST, left / parts)
    shard: list[AnyChunk] = []
    total = 0
    for chunk in chunks:
        shard.append(chunk)
        total += chunk.weight
        if total >= min(weight, max(smallest, left / parts)):
            yield tuple(shard)
            shard, left, total = [], left - total, 0
    if shard:
        yield tuple(shard)


@dataclass(frozen=True)
class _Task:
    """The job as a worker runs it."""

    job: Job  # type: ignore[type-arg]
    current: Path | None = None
    skip: frozenset[str] = frozenset()

    def __call__(self, shard: Shard) -> list[Entry]:  # type: ignore[type-arg]
        return self.job(shard, self._at, self.skip)

    def _at(self, path: str) -> None:
        """Record what is being read, for whoever finds this process dead."""
        if self.current is not None:
            self.current.write_text(path, "utf-8", "surrogateescape")


def _retry(shard: Shard[AnyChunk], job: Job[AnyChunk]) -> list[Entry]:
    """Do a shard whose process died in one of its own, and leave out what crashes it."""
    crashes: set[str] = set()
    with temporary_folder("action-units-shard") as folder:
        current = folder / "current"
        for _ in range(_MAX_DEATHS):
            current.write_text("")
            task = _Task(job, current, frozenset(crashes))
            [(_, entries)] = each(task, [shard], Workers(count=1))
            if not isinstance(entries, WorkerDied):
                return entries
            path = current.read_text("utf-8", "surrogateescape")
            if not path or path in crashes:
                break
            logger.warning("%s crashed the process that worked on it; it is quarantined", path)
            crashes.add(path)
    raise ArtifactError(
        f"the processes that work on {shard[0].id} and the next chunks crash, not because of "
        "one picture; is memory too small? Run again with fewer workers."
    )
