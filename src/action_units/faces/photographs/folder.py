"""Photographs in a tree of folders, one portion a file."""

import logging
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from action_units.errors import LabelError, UnusableFace
from action_units.faces.photographs.base import Photograph
from action_units.faces.photographs.naming import portable, stem_of, suffix_of
from action_units.faces.photographs.places import Place, place_of, stamp_of
from action_units.trees import PICTURES, Branch, is_folder, is_picture, walk

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FolderPortion:
    """One file of a folder tree; see ``base.Portion``.

    Attributes:
        folder: The top of the tree.
        file: The file's name below it.
        stamp: Its size and time of change.
        unlisted: Where it is a link to a folder that cannot be listed: why.
    """

    folder: Place
    file: str
    stamp: str
    unlisted: str = ""

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
        content: bytes | UnusableFace
        if self.unlisted:
            detail = f"the folder cannot be listed ({self.unlisted}); its photographs are lost"
            content = UnusableFace("unreadable", detail)
        else:
            content = place.content()
        yield Photograph(name, stem, str(place), content)


class FolderSource:
    """All pictures in a folder and below it; see ``base.PhotographSource``.

    A file counts as a picture by its suffix (``naming.PICTURES``); others, and hidden
    files and folders, are passed over and counted. Links are followed as in
    ``trees.walk``. A link to a folder that cannot be listed is a photograph that cannot
    be read; a folder itself that cannot be listed stops the run, before crops of its
    photographs are taken for those of photographs that are gone.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Name the top of the tree: a path, or a URL that fsspec knows."""
        self.folder = place_of(folder)
        self.ignored: Counter[str] = Counter()
        self._example = ""

    def named(self) -> Iterator[tuple[str, str]]:
        """Each photograph's name and the stem of its crop; raises as ``portions``."""
        for portion in self._all():
            yield portion.id, stem_of(portion.file)

    def portions(self) -> Iterator[FolderPortion]:
        """One a picture, sorted by the bytes of their names, folder by folder.

        Raises:
            LabelError: A folder is not there or cannot be listed, or no picture is found.
        """
        yield from self._all()
        if self.ignored:
            logger.info("%s: %s", self.folder, self._passed_over())

    def _all(self) -> Iterator[FolderPortion]:
        self.ignored.clear()
        if not self.folder.is_folder():
            raise LabelError(str(self.folder), "there is no such folder of photographs.")
        found = False
        for portion in self._local() if self.folder.store is None else self._remote():
            found = True
            yield portion
        if not found:
            raise LabelError(
                str(self.folder),
                f"no photograph is in it or below it; {self._passed_over()}. A photograph is "
                f"a file whose name ends in {', '.join(PICTURES)}.",
            )

    def _passed_over(self) -> str:
        counts = ", ".join(f"{n:,} {suffix}" for suffix, n in self.ignored.most_common(8))
        more = f" ({counts})" if counts else ""
        such = f", such as {self._example}" if self._example else ""
        return f"{self.ignored.total():,} files passed over as no pictures{more}{such}"

    def _ignore(self, file: str) -> None:
        suffix = suffix_of(file)
        self.ignored[suffix] += 1
        if not self._example and suffix != "hidden":
            self._example = portable(file)

    def _remote(self) -> Iterator[FolderPortion]:
        for file, info in self.folder.files():
            if not is_picture(file):
                self._ignore(file)
            else:
                yield FolderPortion(self.folder, file, stamp_of(info))

    def _local(self) -> Iterator[FolderPortion]:
        for branch in walk(self.folder.path):
            if branch.error is not None:
                yield self._unlisted(branch)
            for entry in branch.entries:
                # A folder that is called as a picture is both: it is walked, and told of.
                if is_picture(entry.name):
                    yield FolderPortion(self.folder, branch.name + entry.name, _stamp(entry))
                elif entry.name.startswith(".") or not is_folder(entry):
                    self._ignore(branch.name + entry.name)

    def _unlisted(self, branch: Branch) -> FolderPortion:
        name, why = branch.name.rstrip("/"), branch.error.strerror if branch.error else ""
        place = self.folder / name
        if not Path(place.path).is_symlink():
            raise LabelError(
                str(place if name else self.folder),
                f"the folder cannot be listed ({why}); its photographs would be missing "
                "without a word. Make it readable, or move it out of the tree.",
            )
        return FolderPortion(self.folder, name, "unreadable", why or "no reason is given")


def _stamp(entry: os.DirEntry[str]) -> str:
    try:
        status = entry.stat()
    except OSError:  # such as a link to nowhere: a worker will say what is wrong
        return "unreadable"
    return f"{status.st_size}-{status.st_mtime_ns}"
