"""Photographs as people keep them: which source a path is, and trees of folders."""

import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from upath import UPath

from action_units import fingerprint
from action_units.errors import ConfigurationError, LabelError, UnusableFace
from action_units.media.file_types import PICTURES, is_picture
from action_units.media.images import content_or_reason
from action_units.media.paths import (
    AnyPath,
    Branch,
    any_path,
    fingerprint_of_info,
    is_folder,
    printable,
    walk,
)
from action_units.media.photograph_names import portable, stem_of, suffix_of
from action_units.media.photographs import Photograph, check_not_compressed, has_pattern
from action_units.media.tar import TarSource
from action_units.media.tsv import TsvSource

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FolderChunk:
    """One file of a folder tree; see ``photographs.Chunk``.

    Attributes:
        folder: The top of the tree.
        file: The file's name below it.
        fingerprint: Its size and time of change.
        unlisted: Where it is a link to a folder that cannot be listed: why.
    """

    folder: AnyPath
    file: str
    fingerprint: str
    unlisted: str = ""

    @property
    def id(self) -> str:
        """The photograph's name."""
        return portable(self.file)

    @property
    def weight(self) -> int:
        """One photograph."""
        return 1

    @property
    def path(self) -> AnyPath:
        """On a disk or in a store."""
        return self.folder / self.file

    def photographs(self) -> Iterator[Photograph]:
        """The one photograph."""
        path = self.path
        content: bytes | UnusableFace
        if self.unlisted:
            detail = f"the folder cannot be listed ({self.unlisted}); its photographs are lost"
            content = UnusableFace("unreadable", detail)
        else:
            content = content_or_reason(path)
        yield Photograph(self.id, stem_of(self.file), printable(path), content)


class FolderSource:
    """All pictures in a folder and below it; see ``photographs.PhotographSource``.

    A file counts as a picture by its suffix (``file_types.PICTURES``); others, and hidden
    files and folders, are skipped and counted. Links are followed as in
    ``paths.walk``. A link to a folder that cannot be listed is a photograph that cannot
    be read; a folder itself that cannot be listed stops the run, so that crops of its
    photographs are not taken for crops of deleted photographs.
    """

    def __init__(self, folder: str | AnyPath) -> None:
        """Name the top of the tree: a path, or a URL that fsspec knows."""
        self.folder = any_path(folder)
        self.ignored: Counter[str] = Counter()
        self._example = ""

    def named(self) -> Iterator[tuple[str, str]]:
        """Each photograph's name and the stem of its crop; raises as ``chunks``."""
        for chunk in self._all():
            yield chunk.id, stem_of(chunk.file)

    def chunks(self) -> Iterator[FolderChunk]:
        """One a picture, sorted by the bytes of their names, folder by folder.

        Raises:
            LabelError: A folder is missing or cannot be listed, or no picture is found.
        """
        yield from self._all()
        if self.ignored:
            logger.info("%s: %s", printable(self.folder), self._skipped())

    def _all(self) -> Iterator[FolderChunk]:
        self.ignored.clear()
        if not self.folder.is_dir():
            raise LabelError(printable(self.folder), "there is no such folder of photographs.")
        is_empty = True
        for chunk in self._chunks():
            is_empty = False
            yield chunk
        if is_empty:
            raise LabelError(
                printable(self.folder),
                f"it contains no photograph; {self._skipped()}. A photograph is "
                f"a file whose name ends in {', '.join(PICTURES)}.",
            )

    def _skipped(self) -> str:
        counts = ", ".join(f"{n:,} {suffix}" for suffix, n in self.ignored.most_common(8))
        more = f" ({counts})" if counts else ""
        such = f", such as {self._example}" if self._example else ""
        return f"{self.ignored.total():,} files skipped, not pictures{more}{such}"

    def _ignore(self, file: str) -> None:
        suffix = suffix_of(file)
        self.ignored[suffix] += 1
        if not self._example and suffix != "hidden":
            self._example = portable(file)

    def _chunks(self) -> Iterator[FolderChunk]:
        if isinstance(self.folder, Path):
            return self._local(self.folder)
        return self._remote(self.folder)

    def _remote(self, folder: UPath) -> Iterator[FolderChunk]:
        try:
            paths = folder.fs.find(folder.path, detail=True)
        except Exception as error:  # each store's client has errors of its own
            raise LabelError(
                printable(folder), f"the folder cannot be listed: {error}."
            ) from None
        skip = len(folder.path.rstrip("/")) + 1
        for path in sorted(paths, key=os.fsencode):
            file = path[skip:]
            if not is_picture(file):
                self._ignore(file)
            else:
                yield FolderChunk(folder, file, fingerprint_of_info(paths[path]))

    def _local(self, folder: Path) -> Iterator[FolderChunk]:
        for branch in walk(folder):
            if branch.error is not None:
                yield self._unlisted(folder, branch)
            for entry in branch.entries:
                # A folder with a picture's name is both: it is walked, and reported.
                if is_picture(entry.name):
                    yield FolderChunk(folder, branch.name + entry.name, _fingerprint(entry))
                elif entry.name.startswith(".") or not is_folder(entry):
                    self._ignore(branch.name + entry.name)

    def _unlisted(self, folder: Path, branch: Branch) -> FolderChunk:
        name, why = branch.name.rstrip("/"), branch.error.strerror if branch.error else ""
        path = folder / name
        if not path.is_symlink():
            raise LabelError(
                printable(path),
                f"the folder cannot be listed ({why}); its photographs would be missing "
                "silently. Make it readable, or move it out of the tree.",
            )
        return FolderChunk(folder, name, "unreadable", why or "no reason is given")


def _fingerprint(entry: os.DirEntry[str]) -> str:
    try:
        return fingerprint.of_file(entry.stat())
    except OSError:  # such as a link to nowhere: a worker reports the error
        return "unreadable"


Source: TypeAlias = FolderSource | TsvSource | TarSource
_SOURCES: dict[str, Callable[[str | AnyPath], Source]] = {
    "folder": FolderSource,
    "tsv": TsvSource,
    "tar": TarSource,
}
KINDS = ("auto", *_SOURCES)


def open_photographs(given: str | AnyPath, kind: str = "auto") -> Source:
    """Open photographs as they come.

    Args:
        given: A folder, a TSV or a tar, or a folder or pattern of either; a path, or a URL
            that fsspec knows.
        kind: ``folder``, ``tsv``, ``tar``, or ``auto``: by the name; a folder is one of
            TSVs or tars if it has such, and no pictures or folders.

    Raises:
        LabelError: There is no such file or folder.
        ArtifactError: The protocol is unknown, or its package is missing.
        ConfigurationError: The kind is unknown or not recognised, or a file is compressed.
    """
    if kind not in KINDS:
        raise ConfigurationError(f"kind={kind!r} is unknown: choose {', '.join(KINDS)}.")
    path = any_path(given)
    if kind == "auto" and path.is_dir():
        kind = _kind_of_folder(path)
    elif kind == "auto":
        check_not_compressed(path)
    if not (path.is_file() or path.is_dir() or has_pattern(path)):
        raise LabelError(printable(path), "there are no photographs: no such file or folder.")
    if kind == "auto":
        kind = path.suffix.lower()[1:]
        if kind not in ("tsv", "tar"):
            raise ConfigurationError(
                f"{printable(path)} is not a folder, *.tsv or *.tar; if its name misleads, set "
                "the kind to tsv or tar."
            )
    if kind == "folder" and path.is_file():
        raise ConfigurationError(
            f"{printable(path)} is a file; kind='folder' expects a folder."
        )
    return _SOURCES[kind](path)


def _kind_of_folder(folder: AnyPath) -> str:
    """What is directly in a folder decides; its first picture or folder ends the search."""
    suffixes: set[str] = set()
    for name, is_directory in _entries(folder):
        if is_picture(name) or is_directory:
            return "folder"
        suffixes.add(PurePosixPath(name).suffix.lower()[1:])
    if {"tsv", "tar"} <= suffixes:
        raise ConfigurationError(
            f"{printable(folder)} has both *.tsv and *.tar; set the kind to one."
        )
    return next((kind for kind in ("tsv", "tar") if kind in suffixes), "folder")


def _entries(folder: AnyPath) -> Iterator[tuple[str, bool]]:
    """The name of each entry of a folder, and whether it is a folder itself."""
    if isinstance(folder, Path):
        with os.scandir(folder) as entries:
            for entry in entries:
                yield entry.name, is_folder(entry)
    else:
        for info in folder.fs.ls(folder.path, detail=True):
            yield info["name"], info["type"] == "directory"
