"""A folder of crops: written in the background, and cleaned of what no input gives any more."""

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Self

from action_units.faces.journal import Entry, Journal
from action_units.files import sweep
from action_units.hints import command
from action_units.media.paths import AnyPath, any_path, sizes_in, write_files

UNFINISHED = "UNFINISHED"
"""A file in a folder of crops until all of them and their labels are written."""

_BATCH = 16  # crops that are written with one flush
_QUEUE = 4  # batches that may wait to be written, so that memory stays small

logger = logging.getLogger(__name__)


class CropWriter:
    """Writes crops in its own thread, so that detection does not wait for the disk."""

    def __init__(self, folder: AnyPath) -> None:
        """Name the folder."""
        self._folder = folder
        self._thread = ThreadPoolExecutor(1)
        self._queue: list[Future[None]] = []
        self._batch: dict[str, bytes] = {}

    def __enter__(self) -> Self:
        """Nothing is written yet."""
        return self

    def add(self, name: str, content: bytes) -> None:
        """Accept a crop; it may be written later."""
        self._batch[name] = content
        if len(self._batch) == _BATCH:
            self._write()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Wait until all are on the disk; raises what writing them raised."""
        if kind is None:
            self._write()
        self._thread.shutdown()
        for done in self._queue:
            done.result()

    def _write(self) -> None:
        if len(self._queue) > _QUEUE:
            self._queue.pop(0).result()
        self._queue.append(self._thread.submit(write_files, self._folder, self._batch))
        self._batch = {}


class CropFolder:
    """A folder of crops, and what should be in it according to a journal."""

    def __init__(self, folder: str | AnyPath, journal: Journal) -> None:
        """Name the folder; the crops of a URL are listed now, which takes memory for each."""
        self.path, self.journal = any_path(folder), journal
        self._listed = {} if isinstance(self.path, Path) else sizes_in(self.path)

    def has(self, entry: Entry) -> bool:
        """Whether all crops of a chunk lie there with the size they were written with."""
        return all(self._size(name) == size for name, size, *_ in entry.rows)

    def begin(self) -> None:
        """Log what is done again, and mark the folder until the labels are written."""
        if self.journal.changed:
            logger.info(
                "%s: everything is processed again, because %s",
                self.path,
                "; ".join(self.journal.changed),
            )
        text = f"Crops are being made here. {command('preprocess')} continues.\n"
        write_files(self.path, {UNFINISHED: text.encode()})

    def finish(self) -> None:
        """Delete what killed runs and earlier inputs left, and forget those inputs."""
        for name in self.journal.stale():
            (self.path / name).unlink(missing_ok=True)
        if isinstance(self.path, Path):
            sweep(self.path)
        self.journal.tidy()

    def _size(self, name: str) -> int | None:
        if not isinstance(self.path, Path):
            return self._listed.get(name)
        try:
            return (self.path / name).stat().st_size
        except OSError:
            return None
