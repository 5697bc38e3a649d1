"""Paths on this machine and in every store that fsspec reaches.

A name with a protocol, such as ``s3://bucket/faces``, is read through fsspec (which needs the
package of that store, such as ``s3fs``). Any other name is a path on this machine's disks,
and its bytes need not be UTF-8. Trees of folders are walked here alone, so that all readers
of a tree follow the same links.
"""

import io
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias

from upath import UPath

from action_units import fingerprint
from action_units.errors import ArtifactError
from action_units.files import write_many

AnyPath: TypeAlias = Path | UPath
"""A path on this machine is always a plain ``Path``; a ``UPath`` is in a store."""

_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*(::|://)")
_READ_AHEAD = 1 << 20  # bytes
_VERSIONS = ("ETag", "etag", "md5Hash", "content_md5", "mtime", "LastModified", "last_modified")


def any_path(given: str | AnyPath) -> AnyPath:
    """The path that a text, such as ``~/faces`` or ``s3://bucket/faces``, stands for.

    Raises:
        ArtifactError: The protocol is unknown, or its package is missing.
    """
    if isinstance(given, UPath):
        return Path(given.path) if given.protocol in ("", "file", "local") else given
    if isinstance(given, Path):
        return given
    if not is_url(given):
        return given_path(given.removeprefix("file://"))
    try:
        path = UPath(given)
        path.fs  # noqa: B018 (the package of the protocol is only imported here)
    except (ImportError, ValueError) as error:
        raise ArtifactError(f"{given} cannot be reached: {error}") from None
    return path


def given_path(text: Path | str) -> Path:
    """A local path as a person wrote it: a ``~`` at the beginning is the home folder."""
    path = Path(text)
    try:
        return path.expanduser()
    except RuntimeError:  # no such user, so it is an ordinary name
        return path


def is_url(text: str) -> bool:
    """Whether a text begins with the protocol of a store."""
    return _URL.match(text) is not None and not text.startswith("file://")


def printable(path: AnyPath | str) -> str:
    """A path as text that any file can hold: bytes that are not UTF-8 are escaped."""
    return os.fsencode(str(path)).decode("utf-8", "backslashreplace")


def open_file(path: AnyPath, sparse: bool = False) -> IO[bytes]:
    """Open a file for reading, with seeks.

    Args:
        path: The file.
        sparse: Little will be read here and there, so a disk does not read ahead.
    """
    if isinstance(path, Path):
        return open(path, "rb", buffering=0 if sparse else _READ_AHEAD)
    return io.BufferedReader(path.fs.open(path.path, "rb"), _READ_AHEAD)


def size_and_fingerprint(path: AnyPath) -> tuple[int, str]:
    """A file's size in bytes, and a text that changes when the file does."""
    if isinstance(path, Path):
        status = path.stat()
        return status.st_size, fingerprint.of_file(status)
    info = path.fs.info(path.path)
    return int(info["size"] or 0), fingerprint_of_info(info)


def fingerprint_of_info(info: Mapping[str, Any]) -> str:
    """A text that changes when a store's file does, from what its listing has."""
    versions = (str(info[key]).strip('"') for key in _VERSIONS if info.get(key) is not None)
    return "-".join((str(info.get("size")), *versions))


def sizes_in(folder: AnyPath) -> dict[str, int]:
    """The sizes in bytes of the files directly in a folder, by their names."""
    try:
        if isinstance(folder, Path):
            with os.scandir(folder) as entries:
                return {e.name: e.stat().st_size for e in entries if e.is_file()}
        listed = folder.fs.ls(folder.path, detail=True)
        return {e["name"].rsplit("/", 1)[-1]: e["size"] for e in listed if e["type"] == "file"}
    except FileNotFoundError:
        return {}


def names_in(folder: AnyPath) -> Iterator[str]:
    """The names of the files directly in a folder, one after the other."""
    if not isinstance(folder, Path):
        yield from sizes_in(folder)
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            yield entry.name


def fingerprints_in(folder: AnyPath) -> dict[str, str]:
    """The files directly in a folder, each with a text that changes when the file does."""
    if not isinstance(folder, Path):
        return {name: str(size) for name, size in sizes_in(folder).items()}
    try:
        with os.scandir(folder) as entries:
            return {e.name: fingerprint.of_file(e.stat()) for e in entries if e.is_file()}
    except OSError:
        return {}  # reading the files one by one reports the error


def write_files(folder: AnyPath, contents: Mapping[str, bytes]) -> None:
    """Write small files into a folder, each whole or not at all.

    Raises:
        ArtifactError: The disk or the store refused.
    """
    if isinstance(folder, Path):
        write_many(folder, contents)
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise ArtifactError(f"{folder} could not be written in ({error}).") from error


@dataclass(frozen=True, slots=True)
class Branch:
    """A folder of a tree.

    Attributes:
        name: Below the top, with ``/`` at its end; empty for the top itself.
        entries: All that lies directly in it, sorted by the bytes of the names.
        error: Why it cannot be listed, without entries.
    """

    name: str
    entries: tuple[os.DirEntry[str], ...]
    error: OSError | None = None


def walk(top: Path | str) -> Iterator[Branch]:
    """Every folder of a tree, each before those in it, in the order of their names.

    Hidden folders are left out. Links are followed, but not back into a folder that they
    lie in; one that leads nowhere, or in a circle, is an entry as a file is.

    Args:
        top: The folder above all; it is listed whatever its own name is.
    """
    # Folders yet to list, each behind those it lies in; the next one is the last.
    waiting: list[tuple[str, tuple[Path, ...]]] = [("", (Path(top).resolve(),))]
    while waiting:
        below, within = waiting.pop()
        try:
            with os.scandir(f"{os.fspath(top)}/{below}") as scanned:
                entries = tuple(sorted(scanned, key=lambda entry: os.fsencode(entry.name)))
        except OSError as error:
            yield Branch(below, (), error)
            continue
        yield Branch(below, entries)
        for entry in reversed(entries):
            if entry.name.startswith(".") or not is_folder(entry):
                continue
            real = within[-1] / entry.name
            if entry.is_symlink():
                real = real.resolve()
            if real not in within:
                waiting.append((f"{below}{entry.name}/", (*within, real)))


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder, or a link to one that can be reached."""
    try:
        return entry.is_dir()
    except OSError:  # such as a link to itself, or into a folder without permission
        return False
