"""The files that a path names: one file, all of a folder, or those of a pattern."""

import glob
import itertools
import os
import re
import shlex
from pathlib import Path

from action_units.errors import ConfigurationError, LabelError
from action_units.faces.photographs.places import Place, place_of

# What unpacks a file of each suffix, beside it or into a folder.
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
_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_MOST = 1_000_000


def has_pattern(path: str) -> bool:
    """Whether a path has ``*``, ``?``, ``[`` or braces in it."""
    return bool(_BRACES.search(path)) or glob.has_magic(path)


def find(path: str | os.PathLike[str], suffix: str) -> list[tuple[str, Place]]:
    """The files that a path names.

    Args:
        path: A file; a folder, which stands for the files of that suffix in it; or a
            pattern: ``set-{000..123}.tar`` (each must be there), ``set-*.tar``.
        suffix: Such as ``.tar``.

    Returns:
        Each file's name among them, and its place. Sorted by name, or as braces have it.

    Raises:
        LabelError: Nothing is there, or two files have the same name.
        ConfigurationError: A file is compressed.
    """
    place = place_of(path)
    if place.is_folder():
        files = [p for p in _glob(place / "*") if p.path.lower().endswith(suffix)]
    elif place.is_file() or not has_pattern(place.path):
        files = [place]
    else:
        files = []
        for one in _expand(place.path):
            files += (
                _glob(Place(one, place.store))
                if glob.has_magic(one)
                else [Place(one, place.store)]
            )
    if not files:
        raise LabelError(str(place), f"there is no *{suffix} file.")
    named: dict[str, Place] = {}
    for file in files:
        _check(file)
        name = file.path.rstrip("/").replace(os.sep, "/").rpartition("/")[2]
        if name in named:
            raise LabelError(str(file), f"{named[name]} has the same name; rename one of them.")
        named[name] = file
    return list(named.items())


def refuse_compressed(place: Place) -> None:
    """Raise ConfigurationError where a file's name says that it is compressed."""
    if command := _unpacking(str(place)):
        raise ConfigurationError(
            f"{place} is compressed, and cannot be read from the middle. Unpack it first, with "
            f"`{command}`, and name what that makes; photographs hardly shrink."
        )


def _unpacking(path: str) -> str:
    """The command that unpacks a file by its suffix; empty where it is not compressed."""
    for suffixes, command in _UNPACK.items():
        for suffix in suffixes:
            if path.lower().endswith(suffix):
                into = [path[: -len(suffix)]] if command == "unzip -d" else []
                return " ".join([command, *map(shlex.quote, (*into, path))])
    return ""


def _check(file: Place) -> None:
    refuse_compressed(file)
    if not file.is_file():
        raise LabelError(str(file), "there is no such file.")
    with file.open() as opened:
        start = opened.read(6)
    for magic, suffix in _MAGIC.items():
        if start.startswith(magic):
            packed = f"{file}{suffix}"
            raise ConfigurationError(
                f"{file} is compressed whatever its name says, and cannot be read from the "
                f"middle. Unpack it first, with `mv {shlex.quote(str(file))} "
                f"{shlex.quote(packed)} && {_unpacking(packed)}`."
            )


def _glob(pattern: Place) -> list[Place]:
    if pattern.store is None:
        found = glob.glob(_escape_folder(pattern.path))  # noqa: PTH207 - absolute or not
    else:
        found = list(pattern.store.fs.glob(pattern.path))
    return [Place(path, pattern.store) for path in sorted(found, key=os.fsencode)]


def _escape_folder(pattern: str) -> str:
    """A pattern whose folder is one that exists, however odd its name."""
    folder, _, last = pattern.rpartition("/")
    return f"{glob.escape(folder)}/{last}" if folder and Path(folder).is_dir() else pattern


def _expand(path: str) -> list[str]:
    """Write out the braces of a name: ``a{1..3}`` and ``{a,b}``, as shells do."""
    parts = _BRACES.split(path)  # text, inside, text, inside, …, text
    choices: list[list[str]] = []
    for index, part in enumerate(parts):
        counted = _RANGE.fullmatch(part) if index % 2 else None
        if counted is not None:
            first, last = int(counted[1]), int(counted[2])
            if not 0 <= last - first < _MOST:
                raise ConfigurationError(f"{{{part}}} in {path}: expected first..last.")
            choices.append([f"{n:0{len(counted[1])}d}" for n in range(first, last + 1)])
        else:
            choices.append(part.split(",") if index % 2 else [part])
    return ["".join(parts) for parts in itertools.product(*choices)]
