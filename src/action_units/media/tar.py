"""Photographs in tar files, as WebDataset lays them.

Members that belong together share a name up to its suffix, such as ``00012.jpg``,
``00012.json`` and ``00012.cls``. Each member whose name is a picture's is a
photograph; the others are passed over. Tars cannot be compressed, so that a worker
can begin in the middle of one. A local tar is walked from header to header and cut
into runs of members. A tar in a store is one chunk, since each header would be a
request: there, many tars of about 1 GB, as WebDataset writes them, share out best.

A photograph's name is that of its tar and of the member, ``set-000.tar/00012.jpg``,
because members of different tars may be called the same. Names are never paths: what
``../`` stands for is escaped as any other character.
"""

import logging
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from action_units.errors import LabelError, UnusableFace
from action_units.media.file_types import PICTURES, is_picture
from action_units.media.images import MAX_BYTES
from action_units.media.paths import (
    AnyPath,
    any_path,
    open_file,
    printable,
    size_and_fingerprint,
)
from action_units.media.photograph_names import portable, stem_of, suffix_of
from action_units.media.photographs import Photograph, find_files
from action_units.media.tar_members import Member, walk

logger = logging.getLogger(__name__)

RUN = 512
"""Photographs of a chunk, at most."""

FIRST_MEMBERS = 100_000
"""So many members at the beginning must not all be something else than pictures."""

_RUN_BYTES = 64 << 20
_USUAL_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class TarChunk:
    """A run of a tar's members; see ``photographs.Chunk``.

    Attributes:
        name: The tar's name, for people.
        tar: Its path.
        start: Where the headers of the first member begin.
        stop: Where those of the next run begin.
        fingerprint: Of the whole tar: its size and time of change.
        weight: How many photographs it has; of a store's tar, about how many.
        again: Headers of members that had their name before, in an earlier run.
    """

    name: str
    tar: AnyPath
    start: int
    stop: int
    fingerprint: str
    weight: int
    again: tuple[int, ...] = ()

    @property
    def id(self) -> str:
        """The tar's name and the run's first byte."""
        return f"{portable(self.name)}@{self.start}"

    def photographs(self) -> Iterator[Photograph]:
        """One a member that is a picture; where the tar is damaged, the last says so."""
        try:
            with open_file(self.tar) as file:
                yield from self._members(file)
        except UnusableFace as error:
            yield self._lost(error)
        except Exception as error:  # each store's client has errors of its own
            yield self._lost(UnusableFace("unreadable", str(error) or type(error).__name__))

    def _members(self, file: IO[bytes]) -> Iterator[Photograph]:
        size = file.seek(0, os.SEEK_END)
        seen: set[str] = set()
        for member in walk(file, self.start, min(self.stop, size), size):
            name = member_name(member)
            if not member.regular or not is_picture(name):
                continue
            repeated = name in seen or member.header in self.again
            seen.add(name)
            yield self._photograph(file, member, name, repeated)

    def _photograph(
        self, file: IO[bytes], member: Member, name: str, repeated: bool
    ) -> Photograph:
        content: bytes | UnusableFace
        unique = name
        if repeated:
            unique = f"{name}@{member.header}"
            content = UnusableFace("duplicate", f"the tar has {portable(name)} before")
        elif member.size > MAX_BYTES:
            content = UnusableFace("too large", f"the member has {member.size:,} bytes")
        else:
            file.seek(member.data)
            content = file.read(member.size) or UnusableFace("empty", "it has no bytes")
        return Photograph(
            portable(f"{self.name}/{unique}"),
            stem_of(unique, within=self.name.removesuffix(".tar")),
            f"{printable(self.tar)}, member {portable(name)}",
            content,
        )

    def _lost(self, error: UnusableFace) -> Photograph:
        reason = UnusableFace(error.reason, f"{error.detail}; members after it are lost")
        location = f"{printable(self.tar)}, after byte {self.start:,}"
        return Photograph(self.id, stem_of(self.id), location, reason)


class TarSource:
    """The pictures in one or more tars; see ``photographs.PhotographSource``."""

    def __init__(self, path: str | AnyPath, run: int = RUN) -> None:
        """Name the tars.

        Args:
            path: A tar, a folder of ``*.tar``, or a pattern such as
                ``set-{000..123}.tar``; a path or a URL.
            run: Photographs of a chunk, at most.
        """
        self.path, self.run, self._first = any_path(path), run, ""
        self.ignored: Counter[str] = Counter()

    def named(self) -> Iterator[tuple[str, str]] | None:
        """Each photograph's name and the stem of its crop, of local tars, by their headers.

        A tar that is damaged is read up to there. None: they lie in a store.
        """
        tars = find_files(self.path, ".tar")
        return (
            None if any(not isinstance(path, Path) for _, path in tars) else self._names(tars)
        )

    def _names(self, tars: list[tuple[str, AnyPath]]) -> Iterator[tuple[str, str]]:
        for tar, path in tars:
            size, _ = size_and_fingerprint(path)
            with open_file(path, sparse=True) as file, suppress(UnusableFace):
                for member in walk(file, 0, size, size):
                    name = member_name(member)
                    if member.regular and is_picture(name):
                        stem = stem_of(name, within=tar.removesuffix(".tar"))
                        yield portable(f"{tar}/{name}"), stem

    def chunks(self) -> Iterator[TarChunk]:
        """Runs of each tar's members, in the tar's order; raises as ``find_files``.

        A tar that is damaged is given up to there; its last chunk tells of it.
        """
        self.ignored.clear()
        self._first, found = "", False
        for name, path in find_files(self.path, ".tar"):
            size, fingerprint = size_and_fingerprint(path)
            if not isinstance(path, Path):
                found = True
                yield TarChunk(name, path, 0, size, fingerprint, max(1, size // _USUAL_BYTES))
                continue
            for chunk in self._runs(name, path, size, fingerprint, found):
                found = True
                yield chunk
        if self.ignored:
            counts = ", ".join(f"{n:,} {kind}" for kind, n in self.ignored.most_common(8))
            logger.info("%s: passed over members that are no pictures: %s", self.path, counts)
        if not found:
            raise self._without_pictures("no member of it")

    def _without_pictures(self, which: str) -> LabelError:
        kinds = ", ".join(f"{n:,} {kind}" for kind, n in self.ignored.most_common(8))
        first = f"; the first is {self._first}" if self._first else ""
        return LabelError(
            printable(self.path),
            f"{which} is a picture by its name ({kinds or 'it has none'}{first}); a picture's "
            f"name ends in {', '.join(PICTURES)}.",
        )

    def _runs(
        self, name: str, path: AnyPath, size: int, fingerprint: str, found: bool
    ) -> Iterator[TarChunk]:
        seen: set[str] = set()
        start, pictures, again, damaged = 0, 0, list[int](), False
        with open_file(path, sparse=True) as file:
            members = walk(file, 0, size, size)
            while True:
                try:
                    member = next(members, None)
                except UnusableFace:
                    member, damaged = None, True
                if member is None:
                    break
                if pictures >= self.run or member.header - start >= _RUN_BYTES:
                    if pictures:
                        yield TarChunk(
                            name,
                            path,
                            start,
                            member.header,
                            fingerprint,
                            pictures,
                            tuple(again),
                        )
                    start, pictures, again = member.header, 0, []
                text = member_name(member)
                if not member.regular or not is_picture(text):
                    self.ignored[suffix_of(text) if member.regular else "no file"] += 1
                    self._first = self._first or portable(text)
                    if not found and self.ignored.total() == FIRST_MEMBERS:
                        raise self._without_pictures(
                            f"none of the first {FIRST_MEMBERS:,} members"
                        )
                    continue
                if text in seen:
                    again.append(member.header)
                seen.add(text)
                found = True
                pictures += 1
        if pictures or damaged:
            yield TarChunk(name, path, start, size, fingerprint, max(1, pictures), tuple(again))


def member_name(member: Member) -> str:
    """A member's name without the ``./`` that tar puts before names."""
    return member.name.removeprefix("./")
