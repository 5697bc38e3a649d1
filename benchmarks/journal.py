"""The memory and time that the journal of done work takes: ``python -m benchmarks.journal``.

Photographs that exist by name only are "cropped" in this process: nothing is read, detected or
written except the journal. A first run records all, a second finds all done, and a third, with
other settings, lists all crops as stale. The table of crops that a real run returns, 0.2 KB
a photograph, is not made here.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from action_units.faces.incremental import work_through
from action_units.faces.journal import NAME, Entry, Journal
from action_units.faces.workers import Workers

SHARD = (
    4096  # photographs; with 128, as in a real run, waits for the disk take most of the time
)


@dataclass(frozen=True, slots=True)
class Photograph:
    """A chunk of one photograph."""

    id: str
    fingerprint: str
    weight: int = 1


def photographs(count: int) -> Iterator[Photograph]:
    """Chunks with names, sizes and times as a folder of the web set has them."""
    for number in range(count):
        name = f"m.{number // 60:07x}/{number % 60:02d}-FaceId-0.jpg"  # sorted, as sources do
        yield Photograph(name, f"{40_000 + number % 9999}-17{number:017d}")


def crop(
    shard: tuple[Photograph, ...], at: Callable[[str], None], skip: frozenset[str]
) -> list[Entry]:
    """What cropping records of each photograph."""
    entries = []
    for photograph in shard:
        at(photograph.id)
        name = photograph.id.replace("/", "_")
        digest = f"{hash(name) % 2**64:064x}"
        row = [
            name,
            5400,
            "(0,0,128,128)",
            "(-12,34,250,250)",
            0.0,
            0.9123,
            photograph.id,
            digest,
        ]
        entries.append(Entry(photograph.id, photograph.fingerprint, [row], []))
    return entries


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photographs", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where the journal is written")
    arguments = parser.parse_args()
    count = arguments.photographs
    print(f"{count:,} photographs; before the first, {_peak():.0f} MiB")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for run, settings in (("all new", 1), ("all done", 1), ("other settings", 2)):
            start = time.perf_counter()
            with Journal.open(folder, {"settings": settings}) as journal:
                if settings == 1:
                    work_through(
                        photographs(count), crop, journal, lambda entry: True, Workers(0), SHARD
                    )
                    found = sum(1 for _ in journal.entries()) + len(journal.repeated())
                else:
                    found = sum(1 for _ in journal.stale())
            assert found == count
            seconds = time.perf_counter() - start
            size = (Path(folder) / NAME).stat().st_size
            print(
                f"{run}: {seconds / count * 1e6:.1f} µs a photograph, peak memory "
                f"{_peak():.0f} MiB, journal {size / count:.0f} bytes a photograph",
                flush=True,
            )


def _peak() -> float:
    """The largest memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
