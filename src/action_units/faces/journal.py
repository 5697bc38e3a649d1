"""What is done already: a SQLite database, so that memory does not grow with the input.

``entries`` are the chunks that are done with the present settings, ``input`` are the chunks of
the present input in their order, and ``outdated`` are crops of other settings or of earlier
inputs whose files may still exist. A finished shard is one transaction; a kill or a power cut
loses at most the last one. A row with a wrong checksum is dropped, and its chunk is done again.

The folder's own lock keeps other processes out, so SQLite takes none: network disks often lack
them. They lack shared memory too, so a rollback journal replaces the write-ahead log.
"""

import json
import logging
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from action_units.errors import ArtifactError
from action_units.files import set_mode
from action_units.fingerprint import changes, plain
from action_units.locks import locked

logger = logging.getLogger(__name__)

NAME = "journal.sqlite"
_FORMER_NAME = "journal.jsonl"
_FORMAT = 2  # raised whenever the same pictures would be cropped or refused differently
_CACHE = 32 << 10  # KiB of memory
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_TABLES = """
CREATE TABLE IF NOT EXISTS made_from (record TEXT);
CREATE TABLE IF NOT EXISTS input (position INTEGER PRIMARY KEY, id TEXT);
CREATE INDEX IF NOT EXISTS input_ids ON input (id);
CREATE TABLE IF NOT EXISTS entries (id TEXT PRIMARY KEY, fingerprint TEXT, rows TEXT,
    quarantined TEXT, checksum INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outdated (id TEXT, rows TEXT, checksum INTEGER);
DELETE FROM entries
    WHERE checksum IS NOT crc32(CAST(id || fingerprint || rows || quarantined AS BLOB));
DELETE FROM outdated WHERE checksum IS NOT crc32(CAST(id || rows AS BLOB));

CREATE TEMPORARY VIEW crops AS
    SELECT entries.id, json_extract(value, '$[0]') AS name FROM entries, json_each(rows);
CREATE TEMPORARY VIEW outdated_crops AS
    SELECT outdated.id, json_extract(value, '$[0]') AS name FROM outdated, json_each(rows);
CREATE TEMPORARY VIEW without_crops AS
    SELECT id FROM input JOIN entries USING (id) WHERE rows = '[]';
CREATE TEMPORARY TABLE stale (name TEXT PRIMARY KEY) WITHOUT ROWID;
"""
_ADD = (
    "INSERT OR REPLACE INTO entries"
    " VALUES (?1, ?2, ?3, ?4, crc32(CAST(?1 || ?2 || ?3 || ?4 AS BLOB)))"
)
_OUTDATE = (
    "INSERT INTO outdated SELECT id, rows, crc32(CAST(id || rows AS BLOB)) FROM entries"
    " WHERE rows != '[]'"
)
_ADD_OUTDATED = "INSERT INTO outdated VALUES (?1, ?2, crc32(CAST(?1 || ?2 AS BLOB)))"
_ALL = (
    "SELECT 'entries', id, id, fingerprint, rows, quarantined FROM entries"
    " UNION ALL SELECT 'outdated', rowid, id, '', rows, '[]' FROM outdated"
)
_ENTRIES = "SELECT id, fingerprint, rows, quarantined FROM entries"
# Outdated crops of a chunk that gave none this time stay until it gives some or leaves the
# input: a wrong setting may have quarantined it.
_STALE = (
    "DELETE FROM stale",
    "INSERT OR IGNORE INTO stale SELECT name FROM outdated_crops"
    " WHERE id NOT IN (SELECT id FROM without_crops)",
    "INSERT OR IGNORE INTO stale SELECT name FROM crops WHERE id NOT IN (SELECT id FROM input)",
    "DELETE FROM stale WHERE name IN (SELECT name FROM outdated_crops"
    " WHERE id IN (SELECT id FROM without_crops))",
    "DELETE FROM stale WHERE name IN (SELECT stale.name FROM input JOIN crops USING (id)"
    " CROSS JOIN stale ON stale.name = crops.name)",
)
_TIDY = (
    "DELETE FROM outdated WHERE id NOT IN (SELECT id FROM without_crops)",
    "DELETE FROM entries WHERE id NOT IN (SELECT id FROM input)",
)


@dataclass(frozen=True)
class Entry:
    """A chunk of the input that is done.

    Attributes:
        id: The chunk.
        fingerprint: Of the input that it was made from.
        rows: Plain values of each crop, the name of its file first.
        quarantined: Path, reason, detail and SHA-256 of each picture that gave none.
    """

    id: str
    fingerprint: str
    rows: list[list[Any]]
    quarantined: list[list[str]]


class Journal:
    """The done chunks of one piece of work.

    Attributes:
        path: The database.
        changed: Why everything is done again; empty where it is not.
    """

    def __init__(self, folder: Path) -> None:
        """Use ``Journal.open``, which also locks the folder."""
        self.path = folder / NAME
        self.changed: list[str] = []
        self._database = _connect(self.path)

    @classmethod
    @contextmanager
    def open(cls, folder: Path | str, settings: Mapping[str, Any]) -> Iterator[Self]:
        """Lock the folder and open its journal.

        Args:
            folder: The journal's own, on a local or shared disk.
            settings: Every setting that the results depend on, as plain values.

        Raises:
            ArtifactError: Another run uses it, or the disk refused.
        """
        folder = Path(folder)
        with locked(folder):
            if (folder / _FORMER_NAME).exists():
                logger.warning(
                    "%s is of an earlier version; all is processed again", folder / _FORMER_NAME
                )
                (folder / _FORMER_NAME).unlink()
            journal = cls(folder)
            with closing(journal._database):
                journal._compare(plain({"format": _FORMAT, "settings": settings}))
                yield journal

    def get(self, name: str) -> Entry | None:
        """The entry of a chunk; None where it is not done."""
        row = self._database.execute(f"{_ENTRIES} WHERE id = ?", (name,)).fetchone()
        return _entry(*row) if row else None

    def has_crops(self) -> bool:
        """Whether any chunk gave a crop."""
        query = "SELECT EXISTS (SELECT 1 FROM entries WHERE rows != '[]')"
        return bool(self._database.execute(query).fetchone()[0])

    def add(self, entries: Iterable[Entry]) -> None:
        """Record chunks as done, on disk before this returns.

        Raises:
            ArtifactError: The disk refused.
        """
        with self._transaction():
            for entry in entries:
                self._database.execute(f"{_OUTDATE} AND id = ?", (entry.id,))
                self._database.execute(_ADD, _values(entry))

    @contextmanager
    def new_input(self) -> Iterator[Callable[[str], None]]:
        """Record the chunks of the present input.

        Yields:
            A function to call with the id of each, in their order.

        Raises:
            ArtifactError: The disk refused.
        """
        with self._transaction():
            self._database.execute("DELETE FROM input")
            yield self._append_to_input

    def entries(self) -> Iterator[Entry]:
        """Those of the input's chunks that are done, in its order."""
        return self._in_order("")

    def repeated(self) -> list[Entry]:
        """Those of `entries` that give a crop the name that another has."""
        return list(
            self._in_order(
                "WHERE id IN (SELECT id FROM crops WHERE name IN (SELECT name"
                " FROM input JOIN crops USING (id) GROUP BY name HAVING count(*) > 1))"
            )
        )

    def stale(self) -> Iterator[str]:
        """Names of outdated crops, and of those of chunks that left the input."""
        with self._transaction():
            for statement in _STALE:
                self._database.execute(statement)
        for (name,) in self._database.execute("SELECT name FROM stale"):
            yield name

    def tidy(self) -> None:
        """Forget what is `stale`.

        Raises:
            ArtifactError: The disk refused.
        """
        with self._transaction():
            for statement in _TIDY:
                self._database.execute(statement)

    def _append_to_input(self, name: str) -> None:
        self._database.execute("INSERT INTO input (id) VALUES (?)", (name,))

    def _compare(self, record: dict[str, Any]) -> None:
        """Mark all entries outdated if they were made with other settings."""
        row = self._database.execute("SELECT record FROM made_from").fetchone()
        before: dict[str, Any] = {}
        with suppress(ValueError):  # a damaged record is another
            before = json.loads(row[0]) if row else {}
        if before == record:
            return
        with self._transaction():
            if row:
                self.changed = changes(before.get("settings", {}), record["settings"])
                if before.get("format") != _FORMAT:
                    self.changed.append("this version reads and checks pictures differently")
                self._database.execute(_OUTDATE)
                self._database.execute("DELETE FROM entries")
            self._database.execute("DELETE FROM made_from")
            self._database.execute("INSERT INTO made_from VALUES (?)", (json.dumps(record),))

    def _in_order(self, condition: str) -> Iterator[Entry]:
        for row in self._database.execute(
            "SELECT id, fingerprint, rows, quarantined FROM input JOIN entries USING (id)"
            f" {condition} ORDER BY position"
        ):
            yield _entry(*row)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._errors(), self._database:
            yield

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise ArtifactError(
                f"{self.path} could not be written ({error}); earlier content is unchanged. "
                "Free some space, or check the disk."
            ) from error


def forget(folder: Path, change: Callable[[Entry], Entry | None]) -> int:
    """Change or drop entries of a journal that no run uses, and erase what they held.

    Args:
        folder: The journal's own; the caller has locked it.
        change: Returns what is left of an entry; None where nothing is.

    Returns:
        How many entries were changed or dropped.

    Raises:
        ArtifactError: The disk refused; the journal is as it was.
    """
    (folder / _FORMER_NAME).unlink(missing_ok=True)
    if not (folder / NAME).is_file():
        return 0
    journal = Journal(folder)
    with closing(journal._database) as database:
        changed = [
            (table, number, new)
            for table, number, *row in database.execute(_ALL)
            if (new := change(_entry(*row))) != _entry(*row)
        ]
        with journal._transaction():
            for table, number, new in changed:
                key = "id" if table == "entries" else "rowid"
                database.execute(f"DELETE FROM {table} WHERE {key} = ?", (number,))
                if new is not None and table == "entries":
                    database.execute(_ADD, _values(new))
                elif new is not None:
                    database.execute(_ADD_OUTDATED, (new.id, _text(new.rows)))
            database.execute("DELETE FROM input")
        with journal._errors():
            database.execute("VACUUM")  # unused pages would still hold what was dropped
        return len(changed)


def _connect(path: Path) -> sqlite3.Connection:
    """Open a journal, or a new one if it is missing or damaged."""
    try:
        return _opened(path)
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
        if code & 0xFF not in _DAMAGED:
            raise ArtifactError(
                f"{path} cannot be read ({error}); correct its permissions, or delete it to do "
                "everything again."
            ) from error
        logger.warning("%s is damaged (%s); everything is processed again", path, error)
    for damaged in (path, path.with_name(f"{path.name}-journal")):
        damaged.unlink(missing_ok=True)
    return _opened(path)


def _opened(path: Path) -> sqlite3.Connection:
    new = not path.exists()
    uri = f"file:{quote(str(path.absolute()))}?vfs=unix-none"
    database = sqlite3.connect(uri, uri=True)
    try:
        database.execute(f"PRAGMA cache_size = -{_CACHE}")
        database.create_function("crc32", 1, _crc32, deterministic=True)
        (problem,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if problem != "ok":
            raise sqlite3.DatabaseError(problem)
        database.executescript(_TABLES)
        if new:
            set_mode(path)
    except BaseException:
        database.close()
        raise
    return database


def _crc32(content: bytes | None) -> int | None:
    return None if content is None else zlib.crc32(content)


def _values(entry: Entry) -> tuple[str, str, str, str]:
    return entry.id, entry.fingerprint, _text(entry.rows), _text(entry.quarantined)


def _text(value: list[Any]) -> str:
    return json.dumps(value, separators=(",", ":"))


def _entry(name: str, fingerprint: str, rows: str, quarantined: str) -> Entry:
    return Entry(name, fingerprint, json.loads(rows), json.loads(quarantined))
