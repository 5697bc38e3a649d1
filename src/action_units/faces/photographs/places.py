"""Where a file lies: on this machine, or behind any file system that fsspec knows.

A name with a protocol, such as ``s3://bucket/faces``, is read through fsspec (which
then needs the package of that store, such as ``s3fs``). Any other name is a local
path, whose bytes need not be UTF-8.
"""

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from upath import UPath

from action_units.errors import LabelError, UnusableFace
from action_units.media.decoding import read_content
from action_units.trees import given_path

MAX_BYTES = 512 << 20
"""Larger files are refused as photographs before they are read."""

_AHEAD = 1 << 20
_STAMPS = ("ETag", "etag", "md5Hash", "content_md5", "mtime", "LastModified", "last_modified")


@dataclass(frozen=True, slots=True)
class Place:
    """A file or folder.

    Attributes:
        path: A local path, or the path within the file system of `store`.
        store: Any path in that file system; None is this machine.
    """

    path: str
    store: UPath | None = None

    def __str__(self) -> str:
        """As a person writes it; bytes of a local name that are not UTF-8 are escaped."""
        if self.store is None:
            return os.fsencode(self.path).decode("utf-8", "backslashreplace")
        return str(self.store.fs.unstrip_protocol(self.path))

    def is_file(self) -> bool:
        """Whether a file is there."""
        if self.store is None:
            return Path(self.path).is_file()
        return bool(self.store.fs.isfile(self.path))

    def is_folder(self) -> bool:
        """Whether a folder is there."""
        if self.store is None:
            return Path(self.path).is_dir()
        return bool(self.store.fs.isdir(self.path))

    def open(self, sparsely: bool = False) -> IO[bytes]:
        """Open the file for reading, with seeks.

        Args:
            sparsely: Little will be read here and there, so do not read ahead.
        """
        if self.store is None:
            return open(self.path, "rb", buffering=0 if sparsely else _AHEAD)
        return io.BufferedReader(self.store.fs.open(self.path, "rb"), _AHEAD)

    def size_and_stamp(self) -> tuple[int, str]:
        """The file's size in bytes, and a text that changes when the file does."""
        if self.store is None:
            status = Path(self.path).stat()
            return status.st_size, f"{status.st_size}-{status.st_mtime_ns}"
        info = self.store.fs.info(self.path)
        return int(info["size"] or 0), stamp_of(info)

    def content(self) -> bytes | UnusableFace:
        """The bytes of a photograph, or why there are none, as ``decoding.read_content``."""
        try:
            return read_content(self.path) if self.store is None else self._fetch()
        except UnusableFace as error:
            return error

    def _fetch(self) -> bytes:
        try:
            content: bytes = self.store.fs.cat_file(self.path, 0, MAX_BYTES + 1)  # type: ignore[union-attr]
        except FileNotFoundError:
            raise UnusableFace("missing", "there is no such file") from None
        except IsADirectoryError:
            raise UnusableFace("not a file", "the name belongs to a folder") from None
        except Exception as error:  # each store's client has errors of its own
            raise UnusableFace("unreadable", str(error) or type(error).__name__) from None
        if len(content) > MAX_BYTES:
            raise UnusableFace("too large", f"the file has more than {MAX_BYTES:,} bytes")
        if not content:
            raise UnusableFace("empty", "the file has no bytes")
        return content

    def files(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """All files of a store below this folder: their path relative to it, and its info."""
        assert self.store is not None
        try:
            found = self.store.fs.find(self.path, detail=True)
        except Exception as error:
            raise LabelError(str(self), f"the folder cannot be listed: {error}.") from None
        skip = len(self.path.rstrip("/")) + 1
        for path in sorted(found, key=os.fsencode):
            yield path[skip:], found[path]

    def __truediv__(self, relative: str) -> "Place":
        """A file below this folder."""
        return Place(f"{self.path.rstrip('/')}/{relative}", self.store)


def place_of(path: str | os.PathLike[str]) -> Place:
    """The place that a path or a URL names."""
    if isinstance(path, UPath) or "://" in os.fspath(path):
        store = UPath(path)
        if store.protocol:
            return Place(store.path, store)
    return Place(os.fspath(given_path(path)) if isinstance(path, str) else os.fspath(path))


def stamp_of(info: dict[str, Any]) -> str:
    """A text that changes when a store's file does, of what its listing says."""
    said = (str(info[key]).strip('"') for key in _STAMPS if info.get(key) is not None)
    return "-".join((str(info.get("size")), *said))
