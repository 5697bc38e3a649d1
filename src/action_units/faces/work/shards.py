"""Working through portions of the input: what is new, in shards, with retries.

A *portion* is the smallest part of the input that is known to be done or not: a
photograph, a stretch of an archive, a video. A *shard* is some portions that one
process works on in one go; what a kill interrupts is redone by the shard.
"""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from action_units.errors import ArtifactError
from action_units.faces.work.journal import Entry, Journal
from action_units.faces.work.workers import WorkerDied, Workers, each
from action_units.files import temporary_folder
from action_units.progress import Progress

logger = logging.getLogger(__name__)

_LAST_SHARDS = 3  # for each worker at the end
_SMALLEST = 8  # pictures: a shard ends with a wait for the disk, as long as two pictures take
_MOST_DEATHS = 100  # in one shard, before the machine and not the pictures is to blame


class Portion(Protocol):
    """A part of the input."""

    @property
    def id(self) -> str:
        """Its name, unique and the same in every run."""

    @property
    def stamp(self) -> str:
        """Differs where the bytes may have changed."""

    @property
    def weight(self) -> int:
        """About how many pictures it has."""


AnyPortion = TypeVar("AnyPortion", bound=Portion)
Shard = tuple[AnyPortion, ...]
Job = Callable[[Shard[AnyPortion], Callable[[str], None], frozenset[str]], list[Entry]]
"""Does a shard: gets it, a function to be told each picture's place before it is touched,
and the places to set aside untouched because they killed a process before."""


@dataclass(frozen=True)
class Work:
    """What there was to do.

    Attributes:
        new: Pictures that were worked on.
        old: Pictures that had been done before.
    """

    new: int
    old: int


def work_through(
    portions: Sequence[AnyPortion],
    job: Job[AnyPortion],
    journal: Journal,
    is_there: Callable[[Entry], bool],
    workers: Workers | None = None,
    shard_weight: int = 128,
    unit: str = "photographs",
    *,
    check: Callable[[list[Entry]], None] | None = None,
) -> Work:
    """Do every portion that is not done, and note each shard when it is finished.

    A process that dies costs its shard one retry in a process of its own; the picture
    that kills that one too is set aside by name, and the shard goes on without it.

    Args:
        portions: All of the input.
        job: What is done with a shard; it is pickled.
        journal: What is done already; gets what is done here.
        is_there: Whether the files of a done portion still are.
        workers: Who does the work.
        shard_weight: About how many pictures a shard has.
        unit: What a picture is called, in the plural, for the progress.
        check: Is shown what each shard gave, and raises where it is no use to go on.

    Raises:
        ArtifactError: Processes die whatever they work on.
        ActionUnitsError: What the job raised.
    """
    todo = [portion for portion in portions if not _is_done(portion, journal, is_there)]
    new = sum(portion.weight for portion in todo)
    work = Work(new, sum(portion.weight for portion in portions) - new)
    died: list[Shard[AnyPortion]] = []
    hands = (workers.count if workers else None) or os.cpu_count() or 1
    with Progress("Cropping", new, unit) as progress:

        def note(shard: Shard[AnyPortion], entries: list[Entry]) -> None:
            journal.add(entries)
            if check is not None:
                check(entries)
            progress.advance(sum(portion.weight for portion in shard))

        shards = _shards(todo, shard_weight, hands)
        with closing(each(_Task(job), shards, workers)) as results:
            for shard, entries in results:
                if isinstance(entries, WorkerDied):
                    died.append(shard)
                else:
                    note(shard, entries)
        for shard in died:
            note(shard, _alone(shard, job))
    return work


def _is_done(portion: Portion, journal: Journal, is_there: Callable[[Entry], bool]) -> bool:
    entry = journal.done.get(portion.id)
    return entry is not None and entry.stamp == portion.stamp and is_there(entry)


def _shards(
    portions: Sequence[AnyPortion], weight: int, hands: int
) -> Iterator[Shard[AnyPortion]]:
    """Portions by the shard; the last shards are small, so that all hands end together."""
    left = sum(portion.weight for portion in portions)
    parts = _LAST_SHARDS * hands
    smallest = min(_SMALLEST, left / parts)
    shard: list[AnyPortion] = []
    total = 0
    for portion in portions:
        shard.append(portion)
        total += portion.weight
        if total >= min(weight, max(smallest, left / parts)):
            yield tuple(shard)
            shard, left, total = [], left - total, 0
    if shard:
        yield tuple(shard)


@dataclass(frozen=True)
class _Task:
    """The job as a worker runs it."""

    job: Job  # type: ignore[type-arg]
    marker: Path | None = None
    skip: frozenset[str] = frozenset()

    def __call__(self, shard: Shard) -> list[Entry]:  # type: ignore[type-arg]
        return self.job(shard, self._at, self.skip)

    def _at(self, place: str) -> None:
        """Leave word of what is being worked on, for whoever finds this process dead."""
        if self.marker is not None:
            self.marker.write_text(place, "utf-8", "surrogateescape")


def _alone(shard: Shard[AnyPortion], job: Job[AnyPortion]) -> list[Entry]:
    """Do a shard whose process died in one of its own, and leave out what kills it."""
    killers: set[str] = set()
    with temporary_folder("action-units-shard") as folder:
        marker = folder / "at"
        for _ in range(_MOST_DEATHS):
            marker.write_text("")
            task = _Task(job, marker, frozenset(killers))
            [(_, entries)] = each(task, [shard], Workers(count=1))
            if not isinstance(entries, WorkerDied):
                return entries
            place = marker.read_text("utf-8", "surrogateescape")
            if not place or place in killers:
                break
            logger.warning("%s killed the process that worked on it; it is set aside", place)
            killers.add(place)
    raise ArtifactError(
        f"the processes that work on {shard[0].id} and what follows it die, though not of one "
        "picture; is there too little memory? Run again with fewer workers."
    )
