"""Data sets as they lie on people's disks: doubled folders, copies, links, hidden files."""

import filecmp
import logging
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from action_units.errors import LabelError
from action_units.trees import is_folder

logger = logging.getLogger(__name__)

_SUBJECT = re.compile(r"SN[ _-]?0*([1-9]\d{0,2})", re.ASCII | re.IGNORECASE)
_COPY = re.compile(
    r"(?:copy of )?(.+?)"
    r"(?: ?\(\d+\)| \d{1,2}|[ _-]+copy(?: ?\(?\d+\)?)?|[ ._-](?:bak|backup|old|orig)|~)?",
    re.IGNORECASE,
)
_OF_THE_SYSTEM = ("thumbs.db", "desktop.ini", "__macosx")
_NAMED = 5


def subject_of(name: str) -> str | None:
    """DISFA's subject of that name, whose form varies: ``SN001`` of ``sn1``; else None."""
    match = _SUBJECT.fullmatch(name)
    return None if match is None else f"SN{int(match[1]):03d}"


def walk(root: Path | str, passed_over: list[Path]) -> Iterator[tuple[Path, list[str]]]:
    """Every folder below a root with the names of its files, the upper folders first.

    Links are followed; a folder that two of them lead to is met once.

    Args:
        root: Where to begin.
        passed_over: Gets what is not looked at: hidden files and folders, what the system
            left, and folders that are by their names copies of another.

    Raises:
        LabelError: The root is no folder that can be read.
    """
    todo, met = [Path(root)], set()
    for folder in todo:  # which grows meanwhile
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in met:
                continue
            met.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                within = {entry.name: is_folder(entry) for entry in entries}
        except OSError as error:
            if folder == todo[0]:
                problem = f"the folder cannot be read ({error.strerror})."
                raise LabelError(folder, problem) from None
            passed_over.append(folder)
            continue
        files = []
        for name in sorted(within):
            if _is_of_the_system(name) or (within[name] and _is_copy(name, within)):
                passed_over.append(folder / name)
            elif within[name]:
                todo.append(folder / name)
            else:
                files.append(name)
        yield folder, files


def log_passed_over(paths: Sequence[Path], beside: str) -> None:
    """Count and name what was not read; a warning where a person may have meant it.

    Args:
        paths: The files and folders.
        beside: What lies beside them, in the plural.
    """
    if paths:
        meant = not all(_is_of_the_system(path.name) for path in paths)
        logger.log(
            logging.WARNING if meant else logging.INFO,
            "Passed over %d files or folders beside the %s: %s",
            len(paths),
            beside,
            few(str(path) for path in paths),
        )


def what_is_there(folder: Path | str) -> str:
    """A clause on what lies in a folder, for the sentence that misses something else."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(f"{e.name}/" if is_folder(e) else e.name for e in entries)
    except OSError as error:
        return f"{folder} cannot be read ({error.strerror})"
    return f"there is {few(names)}" if names else "the folder is empty"


def check_same_content(one: Path, other: Path) -> None:
    """Let a file pass that lies in two places, by a link or as a copy.

    Raises:
        LabelError: Their bytes differ.
    """
    if not one.samefile(other) and not filecmp.cmp(one, other, shallow=False):
        raise LabelError(other, f"{one} is of the same subject and differs; keep one of them.")


def few(names: Iterable[str]) -> str:
    """The first names of a list, and how many there are besides."""
    shown = list(names)
    more = len(shown) - _NAMED
    return ", ".join(shown[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _is_of_the_system(name: str) -> bool:
    return name.startswith(".") or name.lower() in _OF_THE_SYSTEM


def original_of(name: str) -> str:
    """The name of which another is a copy's, such as ``SN001`` of ``SN001 - Copy``.

    Of a name that is no copy's it is the same.
    """
    match = _COPY.fullmatch(name)
    return match[1] if match else name


def _is_copy(name: str, names: Iterable[str]) -> bool:
    original = original_of(name)
    return original != name and (original in names or subject_of(original) is not None)
