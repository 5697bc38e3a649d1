"""Photographs in a tree of folders, one portion a file."""

import logging
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from action_units.errors import LabelError
from action_units.faces.photographs.base import Photograph
from action_units.faces.photographs.naming import (
    PICTURES,
    is_picture,
    portable,
    stem_of,
    suffix_of,
)
from action_units.faces.photographs.places import Place, place_of, stamp_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FolderPortion:
    """One file of a folder tree; see ``base.Portion``.

    Attributes:
        folder: The top of the tree.
        file: The file's name below it.
        stamp: Its size and time of change.
    """

    folder: Place
    file: str
    stamp: str

    @property
    def id(self) -> str:
        """The photograph's name."""
        return portable(self.file)

    @property
    def weight(self) -> int:
        """One photograph."""
        return 1

    def photographs(self) -> Iterator[Photograph]:
        """The one photograph."""
        place = self.folder / self.file
        name, stem = portable(self.file), stem_of(self.file)
        yield Photograph(name, stem, str(place), place.content())


class FolderSource:
    """All pictures in a folder and below it; see ``base.PhotographSource``.

    A file counts as a picture by its suffix (``naming.PICTURES``); others, and hidden
    files and folders, are passed over and counted. Links are followed, but not back
    into a folder that they lie in.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Name the top of the tree: a path, or a URL that fsspec knows."""
        self.folder = place_of(folder)
        self.ignored: Counter[str] = Counter()

    def portions(self) -> Iterator[FolderPortion]:
        """One a picture, sorted by the bytes of their names, folder by folder.

        Raises:
            LabelError: A folder is not there or cannot be listed, or no picture is found.
        """
        self.ignored.clear()
        if not self.folder.is_folder():
            raise LabelError(str(self.folder), "there is no such folder of photographs.")
        found = False
        for portion in self._local() if self.folder.store is None else self._remote():
            found = True
            yield portion
        if self.ignored:
            logger.info("%s: %s", self.folder, self._passed_over())
        if not found:
            raise LabelError(
                str(self.folder),
                f"no photograph is in it or below it; {self._passed_over()}. A photograph is "
                f"a file whose name ends in {', '.join(PICTURES)}.",
            )

    def _passed_over(self) -> str:
        counts = ", ".join(f"{n:,} {suffix}" for suffix, n in self.ignored.most_common(8))
        more = f" ({counts})" if counts else ""
        return f"{self.ignored.total():,} files passed over as no pictures{more}"

    def _remote(self) -> Iterator[FolderPortion]:
        for file, info in self.folder.files():
            if not is_picture(file):
                self.ignored[suffix_of(file)] += 1
            else:
                yield FolderPortion(self.folder, file, stamp_of(info))

    def _local(self) -> Iterator[FolderPortion]:
        top = Path(self.folder.path)
        # Folders yet to list, each behind those it lies in; the next one is the last.
        waiting: list[tuple[str, tuple[Path, ...]]] = [("", (top.resolve(),))]
        while waiting:
            below, within = waiting.pop()
            files, folders = self._list(f"{top}/{below}")
            for name in sorted(files, key=os.fsencode):
                yield FolderPortion(self.folder, below + name, files[name])
            for name in sorted(folders, key=os.fsencode, reverse=True):
                real = within[-1] / name
                if real.is_symlink():
                    real = real.resolve()
                if real not in within:
                    waiting.append((f"{below}{name}/", (*within, real)))

    def _list(self, folder: str) -> tuple[dict[str, str], list[str]]:
        """The names of a folder's pictures, with their stamps, and of the folders in it.

        A folder that is called as a picture is both: it is walked, and told of.
        """
        files: dict[str, str] = {}
        folders: list[str] = []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    name = entry.name
                    is_folder = entry.is_dir() and not name.startswith(".")
                    if is_folder:
                        folders.append(name)
                    if is_picture(name):
                        files[name] = _stamp(entry)
                    elif not is_folder:
                        self.ignored[suffix_of(name)] += 1
        except OSError as error:
            raise LabelError(
                str(Place(folder)),
                f"the folder cannot be listed ({error.strerror}); its photographs would be "
                "missing without a word. Make it readable, or move it out of the tree.",
            ) from None
        return files, folders


def _stamp(entry: os.DirEntry[str]) -> str:
    try:
        status = entry.stat()
    except OSError:  # such as a link to nowhere: a worker will say what is wrong
        return "unreadable"
    return f"{status.st_size}-{status.st_mtime_ns}"
