"""Photographs as files: what every source of them gives, and the files that a path names.

A source lists its *chunks* without reading the photographs; a chunk is sent to a worker,
which reads them. A chunk with the fingerprint of an earlier run need not be done again.
"""

import glob
import itertools
import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from action_units.errors import ConfigurationError, LabelError, UnusableFace
from action_units.media.paths import AnyPath, any_path, open_file, printable
from action_units.media.photograph_names import portable, stem_of

# What unpacks a file of each suffix, next to it or into a folder.
_UNPACK = {
    (".gz", ".tgz"): "gunzip --keep",
    (".bz2", ".tbz", ".tbz2"): "bunzip2 --keep",
    (".xz", ".txz"): "unxz --keep",
    (".zst", ".tzst"): "unzstd",
    (".lz4",): "unlz4",
    (".zip",): "unzip -d",
    (".7z",): "7z x",
    (".rar",): "unrar x",
}
_MAGIC = {
    b"\x1f\x8b": ".gz",
    b"BZh": ".bz2",
    b"\xfd7zXZ": ".xz",
    b"\x28\xb5\x2f\xfd": ".zst",
    b"\x04\x22\x4d\x18": ".lz4",
    b"PK\3\4": ".zip",
    b"7z\xbc\xaf": ".7z",
    b"Rar!": ".rar",
}
_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(?P<first>\d+)\.\.(?P<last>\d+)")
_MOST = 1_000_000


@dataclass(frozen=True)
class Photograph:
    """A photograph as a file, not yet decoded.

    Attributes:
        name: Its name in the source; no two are the same, unless a TSV has one twice.
            Text that any file can hold.
        stem: The name of its crop, without suffix; see ``photograph_names.stem_of``.
        location: Where a person finds it: a path, a file and a byte in it, a member of a tar.
        content: Its bytes, or why they are missing.
    """

    name: str
    stem: str
    location: str
    content: bytes | UnusableFace


class Chunk(Protocol):
    """The smallest part of a source that is skipped when it has been done; can be pickled."""

    @property
    def id(self) -> str:
        """Its name among the source's chunks, the same in every run."""

    @property
    def fingerprint(self) -> str:
        """Changes when the bytes of the photographs may have changed."""

    @property
    def weight(self) -> int:
        """About how many photographs are in it, at least 1."""

    def photographs(self) -> Iterator[Photograph]:
        """Read them, one after the other.

        An unreadable photograph has the reason as its content; nothing is raised.
        """


@dataclass(frozen=True, slots=True)
class FileRange:
    """A range of bytes of a file of many photographs, which is a chunk.

    Attributes:
        name: The file's name, for people.
        path: The file.
        start: The first byte of the range.
        stop: The byte after its last.
        fingerprint: See ``Chunk``.
        weight: About how many photographs it has.
    """

    name: str
    path: AnyPath
    start: int
    stop: int
    fingerprint: str
    weight: int

    @property
    def id(self) -> str:
        """The file's name and the range's first byte."""
        return f"{portable(self.name)}@{self.start}"

    def lost(self, location: str, error: UnusableFace) -> Photograph:
        """A placeholder for photographs that can no longer be found."""
        return Photograph(self.id, stem_of(self.id), location, error)


class PhotographSource(Protocol):
    """Where photographs come from."""

    def chunks(self) -> Iterator[Chunk]:
        """All chunks, in an order that depends on their names alone.

        Raises:
            LabelError: There is nothing to read, or it cannot be listed.
        """


def has_pattern(path: AnyPath) -> bool:
    """Whether a path has ``*``, ``?``, ``[`` or braces in it."""
    text = _within(path)
    return bool(_BRACES.search(text)) or glob.has_magic(text)


def find_files(given: str | AnyPath, suffix: str) -> list[tuple[str, AnyPath]]:
    """The files that a path names.

    Args:
        given: A file; a folder, which stands for the files of that suffix in it; or a
            pattern: ``set-{000..123}.tar`` (each must exist), ``set-*.tar``.
        suffix: Such as ``.tar``.

    Returns:
        Each file's name among them, and its path. Sorted by name, or in the order of braces.

    Raises:
        LabelError: There is no such file, or two files have the same name.
        ConfigurationError: A file is compressed.
    """
    path = any_path(given)
    files: list[AnyPath] = []
    if path.is_dir():
        files = [one for one in _glob(path / "*") if one.name.lower().endswith(suffix)]
    elif path.is_file() or not has_pattern(path):
        files = [path]
    else:
        for text in _expand(_within(path)):
            one = _like(path, text)
            files += _glob(one) if glob.has_magic(text) else [one]
    if not files:
        raise LabelError(printable(path), f"there is no *{suffix} file.")
    named: dict[str, AnyPath] = {}
    for file in files:
        _check(file)
        if file.name in named:
            raise LabelError(
                printable(file),
                f"{printable(named[file.name])} has the same name; rename one of them.",
            )
        named[file.name] = file
    return list(named.items())


def check_not_compressed(path: AnyPath) -> None:
    """Raise ConfigurationError if a file's name has a suffix of compressed files."""
    if command := _unpacking(printable(path)):
        raise ConfigurationError(
            f"{printable(path)} is compressed, and cannot be read from the middle. Unpack it "
            f"first, with `{command}`, and name what that makes; photographs hardly shrink."
        )


def _unpacking(path: str) -> str:
    """The command that unpacks a file by its suffix; empty where it is not compressed."""
    for suffixes, command in _UNPACK.items():
        for suffix in suffixes:
            if path.lower().endswith(suffix):
                into = [path[: -len(suffix)]] if command == "unzip -d" else []
                return " ".join([command, *map(shlex.quote, (*into, path))])
    return ""


def _check(path: AnyPath) -> None:
    """Refuse a file that does not exist, or is compressed by its name or content."""
    check_not_compressed(path)
    text = printable(path)
    if not path.is_file():
        raise LabelError(text, "there is no such file.")
    with open_file(path) as opened:
        start = opened.read(6)
    for magic, suffix in _MAGIC.items():
        if start.startswith(magic):
            packed = text + suffix
            raise ConfigurationError(
                f"{text} is compressed despite its name, and cannot be read from the "
                f"middle. Unpack it first, with `mv {shlex.quote(text)} "
                f"{shlex.quote(packed)} && {_unpacking(packed)}`."
            )


def _within(path: AnyPath) -> str:
    """A path without the protocol of its store."""
    return str(path) if isinstance(path, Path) else path.path


def _like(path: AnyPath, text: str) -> AnyPath:
    """Another path of the same disk or store."""
    return Path(text) if isinstance(path, Path) else path.with_segments(text)


def _glob(pattern: AnyPath) -> list[AnyPath]:
    if isinstance(pattern, Path):
        paths = glob.glob(_escape_folder(str(pattern)))  # noqa: PTH207 - absolute or not
    else:
        paths = list(pattern.fs.glob(pattern.path))
    return [_like(pattern, path) for path in sorted(paths, key=os.fsencode)]


def _escape_folder(pattern: str) -> str:
    """A pattern in an existing folder, with the folder's special characters escaped."""
    folder, _, last = pattern.rpartition("/")
    return f"{glob.escape(folder)}/{last}" if folder and Path(folder).is_dir() else pattern


def _expand(path: str) -> list[str]:
    """Write out the braces of a name: ``a{1..3}`` and ``{a,b}``, as shells do."""
    parts = _BRACES.split(path)  # text, inside, text, inside, …, text
    choices: list[list[str]] = []
    for index, part in enumerate(parts):
        counted = _RANGE.fullmatch(part) if index % 2 else None
        if counted is not None:
            first, last = int(counted["first"]), int(counted["last"])
            if not 0 <= last - first < _MOST:
                raise ConfigurationError(f"{{{part}}} in {path}: expected first..last.")
            choices.append([f"{n:0{len(counted['first'])}d}" for n in range(first, last + 1)])
        else:
            choices.append(part.split(",") if index % 2 else [part])
    return ["".join(parts) for parts in itertools.product(*choices)]
