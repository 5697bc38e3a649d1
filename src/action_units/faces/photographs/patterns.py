"""The files that a path names: one file, all of a folder, or those of a pattern."""

import glob
import itertools
import os
import re
from pathlib import Path

from action_units.errors import ConfigurationError, LabelError
from action_units.faces.photographs.places import Place, place_of

COMPRESSED = (".gz", ".tgz", ".bz2", ".xz", ".zst", ".lz4", ".zip")
_MAGIC = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18", b"PK\3\4")
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
    if place.path.lower().endswith(COMPRESSED):
        raise ConfigurationError(
            f"{place} is compressed, and cannot be read from the middle. Unpack it first, such "
            f"as with `gunzip --keep`; photographs hardly shrink."
        )


def _check(file: Place) -> None:
    refuse_compressed(file)
    if not file.is_file():
        raise LabelError(str(file), "there is no such file.")
    with file.open() as opened:
        start = opened.read(6)
    if start.startswith(_MAGIC):
        raise ConfigurationError(
            f"{file} is compressed whatever its name says, and cannot be read from the middle. "
            "Unpack it first."
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
