"""What is done already, in a file that only grows.

Each line is the CRC-32 of a JSON value, and the value: first what the work is done with,
then portions as they are finished. A kill in mid-line leaves a torn last line, which is
cut off; a line whose sum is wrong is passed over, and what it told of is done again.
When a setting changes, a new heading makes everything above it void, except as the
list of files that are no longer wanted.
"""

import json
import logging
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from action_units.differences import differences
from action_units.errors import ArtifactError
from action_units.files import advice, atomic_write, set_mode, sync
from action_units.locks import locked

logger = logging.getLogger(__name__)

NAME = "journal.jsonl"
_FORMAT = 2  # raised whenever the same pictures would be cropped or refused differently


@dataclass(frozen=True)
class Entry:
    """A portion of the input that is done.

    Attributes:
        id: The portion.
        fingerprint: Of the input that it was made from.
        rows: Plain values of each crop that came of it.
        quarantined: Path, reason, detail and SHA-256 of each picture that gave none.
    """

    id: str
    fingerprint: str
    rows: list[list[Any]]
    quarantined: list[list[str]]

    def plain(self) -> list[Any]:
        """As JSON has it."""
        return [self.id, self.fingerprint, self.rows, self.quarantined]


class Entries(Mapping[str, Entry]):
    """Entries by their portions, held as JSON text: a third of what objects would take."""

    def __init__(self) -> None:
        self._texts: dict[str, bytes] = {}

    def __getitem__(self, name: str) -> Entry:
        """The entry of a portion, made anew at each call."""
        return Entry(name, *json.loads(self._texts[name]))

    def __iter__(self) -> Iterator[str]:
        """The portions, in the order in which they were first done."""
        return iter(self._texts)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._texts)

    def put(self, entry: Entry) -> None:
        """Add an entry, or replace its portion's."""
        self._texts[entry.id] = _text(entry.plain()[1:])

    def keep(self, names: set[str]) -> None:
        """Drop all others."""
        self._texts = {name: text for name, text in self._texts.items() if name in names}


class Journal:
    """The done portions of one piece of work, on disk and in memory."""

    def __init__(self, folder: Path, made_with: Mapping[str, Any]) -> None:
        """Use ``Journal.open``, which also locks the folder."""
        self.path = folder / NAME
        self.heading = {"format": _FORMAT, "made_with": json.loads(json.dumps(made_with))}
        self.done = Entries()
        self.void: list[Entry] = []  # their crops may still lie about
        self.changed: list[str] = []

    @classmethod
    @contextmanager
    def open(cls, folder: Path | str, made_with: Mapping[str, Any]) -> Iterator[Self]:
        """Lock the folder and read what is done.

        Args:
            folder: The journal's own, on a local or shared disk.
            made_with: Every setting that the results depend on, as plain values.

        Raises:
            ArtifactError: Another run is at it, or the disk refused.
        """
        with locked(folder):
            journal = cls(Path(folder), made_with)
            journal._read()
            yield journal

    def add(self, entries: Iterable[Entry]) -> None:
        """Note portions as done, on disk before this returns.

        Raises:
            ArtifactError: The disk refused.
        """
        entries = list(entries)
        self._append([entry.plain() for entry in entries])
        for entry in entries:
            self._take(entry)

    def tidy(self, wanted: Iterable[str], kept: Sequence[Entry] = ()) -> None:
        """Forget portions that are no longer wanted, and what is void.

        Args:
            wanted: The portions of now.
            kept: Of what is void, that whose crops stay, so that a later run finds them.
        """
        keep = set(wanted)
        if len(kept) == len(self.void) and keep >= self.done.keys():
            return
        self.done.keep(keep)
        self.void = list(kept)
        with atomic_write(self.path) as file:
            if kept:
                file.write(_line(self.heading | {"made_with": None}))
            for entry in kept:
                file.write(_line([entry.plain()]))
            file.write(_line(self.heading))
            for entry in self.done.values():
                file.write(_line([entry.plain()]))

    def _read(self) -> None:
        lines = self._whole_lines()
        damaged = 0
        current = False
        for number, line in enumerate(lines):
            value = _value(line)
            if value is None:
                damaged += 1
                # Below a heading that cannot be read nobody knows what a portion was made with.
                current = current and number > 0
            elif isinstance(value, dict):
                current = value == self.heading
                if not current:
                    self.changed = list(
                        differences(value.get("made_with"), self.heading["made_with"])
                    )
                    if value.get("format") != _FORMAT:
                        self.changed.append("pictures are read and refused otherwise now")
                self.void.extend(self.done.values())
                self.done = Entries()
            else:
                for plain in value:
                    entry = Entry(*plain)
                    if current:
                        self._take(entry)
                    else:
                        self.void.append(entry)
        if damaged:
            logger.warning(
                "%s: %d damaged lines; what they told of is done again", self.path, damaged
            )
        if current:
            self.changed = []
        else:
            self._append(self.heading)

    def _take(self, entry: Entry) -> None:
        if entry.id in self.done:
            self.void.append(self.done[entry.id])
        self.done.put(entry)

    def _whole_lines(self) -> list[bytes]:
        """All lines; a torn last one is cut off, on disk too."""
        try:
            content = self.path.read_bytes()
            whole = content.rfind(b"\n") + 1
            if whole < len(content):
                os.truncate(self.path, whole)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ArtifactError(
                f"{self.path} cannot be read ({error.strerror}); mend its permissions, or "
                "delete it to do everything again."
            ) from error
        return content[:whole].splitlines()

    def _append(self, value: Any) -> None:
        line = _line(value)
        whole = self.path.stat().st_size if self.path.exists() else 0
        try:
            with open(self.path, "ab") as file:
                set_mode(self.path)
                file.write(line)
                file.flush()
                sync(file.fileno())
        except OSError as error:
            if self.path.exists():
                os.truncate(self.path, whole)
            raise ArtifactError(
                f"{self.path} could not be written ({len(line):,} bytes: "
                f"{error.strerror or error}); what it held before is safe. {advice(error)}"
            ) from error


def forget(folder: Path, change: Callable[[Entry], Entry | None]) -> int:
    """Change or drop entries of a journal that nobody has open, whatever they were made with.

    Args:
        folder: The journal's own; the caller has locked it.
        change: Gives what is left of an entry; None where nothing is.

    Returns:
        How many entries were changed or dropped.

    Raises:
        ArtifactError: The disk refused; the journal is as it was.
    """
    path = folder / NAME
    if not path.is_file():
        return 0
    changed, lines = 0, []
    for line in path.read_bytes().splitlines():
        value = _value(line)
        if isinstance(value, list):
            entries = [Entry(*plain) for plain in value]
            left = [change(entry) for entry in entries]
            changed += sum(a != b for a, b in zip(entries, left, strict=True))
            lines.append(_line([entry.plain() for entry in left if entry is not None]))
        elif value is not None:
            lines.append(_line(value))
    if changed:
        with atomic_write(path) as file:
            file.writelines(lines)
    return changed


def _text(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode()


def _line(value: Any) -> bytes:
    text = _text(value)
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _value(line: bytes) -> Any:
    """What a line holds; None where its sum is wrong."""
    total, _, text = line.partition(b" ")
    try:
        return json.loads(text) if int(total, 16) == zlib.crc32(text) else None
    except ValueError:
        return None
