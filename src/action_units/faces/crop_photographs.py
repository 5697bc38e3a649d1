"""From photographs, however they are kept, to a folder of crops and a table of them.

The work goes on where it was stopped, does only what is new, and neither the table nor
the bytes of a crop depend on how it was divided among processes.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from action_units.errors import LabelError, UnusableFace
from action_units.faces.crops import (
    COLUMNS,
    KILLED,
    KILLER,
    REPEATED,
    CropFolder,
    CropResult,
    CropWriter,
    FaceSettings,
    crop_result,
    cut,
    detector_of_thread,
)
from action_units.faces.folders import Folder, place
from action_units.faces.photographs.base import PhotographSource, Portion
from action_units.faces.quarantine import LEFT_OUT, printable
from action_units.faces.work.journal import Entry, Journal
from action_units.faces.work.shards import work_through
from action_units.faces.work.workers import Workers
from action_units.media.decoding import decode, left_out

FIRST = 1000
"""So many photographs must not all be unusable for other reasons than showing no face."""

_NO_FACE = "no face"  # the reason of detectors
_COLUMNS = (*COLUMNS, "photograph", "source_sha256")


def crop_photographs(
    source: PhotographSource,
    out: Folder | str,
    journal: Path | str,
    settings: FaceSettings | None = None,
    workers: Workers | None = None,
) -> CropResult:
    """Cut one face out of each photograph that has not been worked on yet.

    Args:
        source: The photographs.
        out: The folder of the crops; a path or a URL that fsspec serves.
        journal: The folder of this work's journal, on a disk.
        settings: How faces are found and cut out. Where they have changed since the
            last run, everything is done again, and the log says so.
        workers: Who does the work.

    Returns:
        Crops and quarantine of the whole source, however many runs it took.

    Raises:
        ArtifactError: The detector's model is missing, another run is at it, or a
            disk refused.
        LabelError: Not one of the first photographs, ``FIRST`` or a few more, is usable.
    """
    settings = settings or FaceSettings()
    portions = list(source.portions())
    with Journal.open(journal, settings.made_with()) as done:
        folder = CropFolder(out, done)
        folder.begin()
        job = CropPhotographs(str(out), settings)
        check = None if any(entry.rows for entry in done.done.values()) else _CheckFirst()
        work = work_through(portions, job, done, folder.has, workers, check=check)
        ids = [portion.id for portion in portions]
        if repeated := _repeated(done.done, ids):
            # One of each pair has overwritten the other; the first is made again.
            done.add(repeated)
            folder = CropFolder(out, done)
            work_through(portions, job, done, folder.has, workers)
        folder.finish(set(ids))
        return crop_result((done.done[name] for name in ids), _COLUMNS, work)


class _CheckFirst:
    """Stops the work where all photographs at the beginning are unusable."""

    def __init__(self) -> None:
        self._aside: list[list[str]] | None = []

    def __call__(self, entries: list[Entry]) -> None:
        """Look at what came of some photographs; raises LabelError."""
        if self._aside is None:
            return
        self._aside += [line for entry in entries for line in entry.set_aside]
        if any(entry.rows for entry in entries) or any(
            one[1] == _NO_FACE for one in self._aside
        ):
            self._aside = None
        elif len(self._aside) >= FIRST:
            counts = Counter(reason for _, reason, _, _ in self._aside).most_common(4)
            path, reason, detail, _ = self._aside[0]
            raise LabelError(
                path,
                f"{reason}: {detail}. Not one of the first {len(self._aside):,} photographs is "
                f"usable ({', '.join(f'{n:,} {reason}' for reason, n in counts)}); are these "
                "photographs, and whole?",
            )


@dataclass(frozen=True)
class CropPhotographs:
    """What a worker does with a shard of photographs.

    Attributes:
        out: The folder of the crops.
        settings: How faces are found and cut out.
    """

    out: str
    settings: FaceSettings

    def __call__(
        self,
        shard: tuple[Portion, ...],
        at: Callable[[str], None],
        skip: frozenset[str],
    ) -> list[Entry]:
        """Crop; see ``shards.Job``."""
        with CropWriter(place(self.out)) as writer:
            names: set[str] = set()
            return [self._crop_all(portion, writer, names, at, skip) for portion in shard]

    def _crop_all(
        self,
        portion: Portion,
        writer: CropWriter,
        names: set[str],
        at: Callable[[str], None],
        skip: frozenset[str],
    ) -> Entry:
        entry = Entry(portion.id, portion.stamp, [], [])
        for photograph in portion.photographs():
            at(photograph.place)
            name = photograph.stem + self.settings.crop.suffix
            content = b""
            try:
                if photograph.place in skip:
                    raise UnusableFace(KILLER, KILLED)
                if isinstance(photograph.content, UnusableFace):
                    raise photograph.content
                content = photograph.content
                if name in names:
                    raise UnusableFace(REPEATED, f"its crop would be another {name}")
                row, crop = self._crop(content, name)
            except UnusableFace as error:
                entry.set_aside.append(
                    [printable(photograph.place), error.reason, error.detail, _sha(content)]
                )
                continue
            names.add(name)
            writer.add(name, crop)
            entry.rows.append([*row, photograph.name, _sha(content)])
            if others := left_out(content):
                entry.set_aside.append(
                    [printable(photograph.place), LEFT_OUT, others, _sha(content)]
                )
        if any(line[1] == "unreadable" for line in entry.set_aside):
            # A disk or a network that fails now may not do so in the next run.
            entry = replace(entry, stamp="")
        return entry

    def _crop(self, content: bytes, name: str) -> tuple[list[Any], bytes]:
        pixels = decode(content, max_megapixels=self.settings.max_megapixels)
        face = detector_of_thread(self.settings.detector).best(pixels)
        return cut(pixels, face, name, self.settings)


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest() if content else ""


def _repeated(done: Mapping[str, Entry], ids: Sequence[str]) -> list[Entry]:
    """Of portions with a crop of the same name: the later without it, the first as not done."""
    names = Counter(row[0] for name in ids for row in done[name].rows)
    double = {name for name, count in names.items() if count > 1}
    del names
    if not double:
        return []
    owner: dict[str, str] = {}
    changed: dict[str, Entry] = {}
    for name in ids:
        entry = done[name]
        twice = [row for row in entry.rows if row[0] in owner]
        owner |= {row[0]: name for row in entry.rows if row[0] in double - owner.keys()}
        if twice:
            lost = [
                [printable(row[-2]), REPEATED, f"its crop would be another {row[0]}", row[-1]]
                for row in twice
            ]
            kept = [row for row in entry.rows if row not in twice]
            changed[name] = Entry(name, entry.stamp, kept, entry.set_aside + lost)
    for name in owner.values():
        entry = changed.get(name, done[name])
        changed[name] = Entry(name, "", entry.rows, entry.set_aside)
    return list(changed.values())
