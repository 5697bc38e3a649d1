"""Photographs in tar files, as WebDataset writes them.

Members that belong together share a name up to its suffix, such as ``00012.jpg``,
``00012.json`` and ``00012.cls``. Each member whose name is a picture's is a
photograph; the others are skipped. Tars cannot be compressed, so that a worker
can begin in the middle of one. A local tar is walked from header to header and cut
into chunks of members. A tar in a store is one chunk, since each header would be a
request: there, many tars of about 1 GB, as WebDataset writes them, balance best.

A photograph's name is that of its tar and of the member, ``set-000.tar/00012.jpg``,
because members of different tars may have the same name. Names are never paths: what
``../`` stands for is escaped as any other character.
"""

import io
import logging
import os
import tarfile
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
from action_units.media.photographs import FileRange, Photograph, find_files

logger = logging.getLogger(__name__)

CHUNK = 512
"""Photographs of a chunk, at most."""

FIRST_MEMBERS = 100_000
"""So many members at the beginning must not all be something else than pictures."""

_CHUNK_BYTES = 64 << 20
_USUAL_BYTES = 64 << 10
_BLOCK = 512
_ZEROS = bytes(_BLOCK)


@dataclass(frozen=True, slots=True)
class TarChunk(FileRange):
    """A run of a tar's members, from header to header; see ``photographs.Chunk``.

    Attributes:
        again: Headers of members whose name an earlier chunk has.
    """

    again: tuple[int, ...] = ()

    def photographs(self) -> Iterator[Photograph]:
        """One per picture; if the tar is damaged, the last one has the reason."""
        try:
            with open_file(self.path) as file:
                yield from self._members(file)
        except UnusableFace as error:
            yield self._rest(error)
        except Exception as error:  # each store's client has errors of its own
            yield self._rest(UnusableFace("unreadable", str(error) or type(error).__name__))

    def _members(self, file: IO[bytes]) -> Iterator[Photograph]:
        size = file.seek(0, os.SEEK_END)
        seen: set[str] = set()
        for member in walk(file, self.start, min(self.stop, size), size):
            if is_photograph(member):
                name = member_name(member)
                repeated = name in seen or member.offset in self.again
                seen.add(name)
                yield self._photograph(file, member, name, repeated)

    def _photograph(
        self, file: IO[bytes], member: tarfile.TarInfo, name: str, repeated: bool
    ) -> Photograph:
        content: bytes | UnusableFace
        unique = name
        if repeated:
            unique = f"{name}@{member.offset}"
            content = UnusableFace("duplicate", f"the tar has {portable(name)} before")
        elif member.size > MAX_BYTES:
            content = UnusableFace("too large", f"the member has {member.size:,} bytes")
        else:
            file.seek(member.offset_data)
            content = file.read(member.size) or UnusableFace("empty", "it has no bytes")
        return Photograph(
            portable(f"{self.name}/{unique}"),
            stem_of(unique, within=self.name.removesuffix(".tar")),
            f"{printable(self.path)}, member {portable(name)}",
            content,
        )

    def _rest(self, error: UnusableFace) -> Photograph:
        reason = UnusableFace(error.reason, f"{error.detail}; members after it are lost")
        return self.lost(f"{printable(self.path)}, after byte {self.start:,}", reason)


class TarSource:
    """The pictures in one or more tars; see ``photographs.PhotographSource``."""

    def __init__(self, path: str | AnyPath, chunk: int = CHUNK) -> None:
        """Name the tars.

        Args:
            path: A tar, a folder of ``*.tar``, or a pattern such as ``set-{000..123}.tar``.
            chunk: Photographs of a chunk, at most.
        """
        self.path, self.chunk, self._first = any_path(path), chunk, ""
        self.ignored: Counter[str] = Counter()

    def named(self) -> Iterator[tuple[str, str]] | None:
        """Each photograph's name and the stem of its crop, of local tars, by their headers.

        A tar that is damaged is read up to there. None: they are in a store.
        """
        tars = find_files(self.path, ".tar")
        local = all(isinstance(path, Path) for _, path in tars)
        return self._names(tars) if local else None

    def _names(self, tars: list[tuple[str, AnyPath]]) -> Iterator[tuple[str, str]]:
        for tar, path in tars:
            size, _ = size_and_fingerprint(path)
            with open_file(path, sparse=True) as file, suppress(UnusableFace):
                for member in filter(is_photograph, walk(file, 0, size, size)):
                    name = member_name(member)
                    stem = stem_of(name, within=tar.removesuffix(".tar"))
                    yield portable(f"{tar}/{name}"), stem

    def chunks(self) -> Iterator[TarChunk]:
        """Chunks of each tar's members, in the tar's order; raises as ``find_files``.

        A tar that is damaged is given up to there; its last chunk reports it.
        """
        self.ignored.clear()
        self._first, has_pictures = "", False
        for name, path in find_files(self.path, ".tar"):
            for chunk in self._chunks(name, path, has_pictures):
                has_pictures = True
                yield chunk
        if self.ignored:
            logger.info(
                "%s: skipped members that are not pictures: %s",
                self.path,
                self._ignored_kinds(),
            )
        if not has_pictures:
            raise self._without_pictures("no member of it")

    def _ignored_kinds(self) -> str:
        return ", ".join(f"{n:,} {kind}" for kind, n in self.ignored.most_common(8))

    def _without_pictures(self, which: str) -> LabelError:
        kinds = self._ignored_kinds() or "it has none"
        first = f"; the first is {self._first}" if self._first else ""
        return LabelError(
            printable(self.path),
            f"{which} is a picture by its name ({kinds}{first}); a picture's name ends in "
            f"{', '.join(PICTURES)}.",
        )

    def _chunks(self, name: str, path: AnyPath, has_pictures: bool) -> Iterator[TarChunk]:
        size, fingerprint = size_and_fingerprint(path)
        if not isinstance(path, Path):
            yield TarChunk(name, path, 0, size, fingerprint, max(1, size // _USUAL_BYTES))
            return
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
                at = member.offset
                if pictures >= self.chunk or at - start >= _CHUNK_BYTES:
                    if pictures:
                        yield TarChunk(
                            name, path, start, at, fingerprint, pictures, tuple(again)
                        )
                    start, pictures, again = at, 0, []
                if not is_photograph(member):
                    self._ignore(member)
                    if not has_pictures and self.ignored.total() == FIRST_MEMBERS:
                        raise self._without_pictures(
                            f"none of the first {FIRST_MEMBERS:,} members"
                        )
                    continue
                text = member_name(member)
                if text in seen:
                    again.append(at)
                seen.add(text)
                has_pictures = True
                pictures += 1
        if pictures or damaged:
            weight = max(1, pictures)
            yield TarChunk(name, path, start, size, fingerprint, weight, tuple(again))

    def _ignore(self, member: tarfile.TarInfo) -> None:
        name = member_name(member)
        self.ignored[suffix_of(name) if is_plain_file(member) else "no file"] += 1
        self._first = self._first or portable(name)


def walk(file: IO[bytes], start: int, stop: int, size: int) -> Iterator[tarfile.TarInfo]:
    """The members whose headers begin in ``[start, stop)``; their data are not read.

    ``tarfile`` parses each header. The steps from header to header are made here: it takes
    a damaged header for the end of the tar, and cannot begin in its middle.

    Args:
        file: The tar.
        start: Where a member's headers begin.
        stop: Such another position, or `size`.
        size: Of the file.

    Raises:
        UnusableFace: ``damaged`` or ``truncated``: what comes after cannot be found.
    """
    empty = io.BytesIO(bytes(2 * _BLOCK))
    tar = tarfile.TarFile(fileobj=empty, encoding="utf-8", errors="surrogateescape")
    tar.fileobj = file
    at, at_end = start, False
    while at < stop:
        file.seek(at)
        at_end = file.read(_BLOCK) == _ZEROS
        if at_end:  # or another tar comes behind this one
            at += _BLOCK
            continue
        file.seek(at)
        tar.offset, tar.pax_headers = at, {}
        try:
            member = tarfile.TarInfo.fromtarfile(tar)
        except (tarfile.HeaderError, ValueError, IndexError, RecursionError):
            if file.tell() >= size:
                detail = f"the tar ends at byte {size:,}, within a header"
                raise UnusableFace("truncated", detail) from None
            detail = f"byte {at:,} should begin a header, but does not"
            raise UnusableFace("damaged", detail) from None
        if is_plain_file(member) and member.offset_data + member.size > size:
            end = member.offset_data + member.size
            raise UnusableFace(
                "truncated",
                f"{member_name(member)} ends at byte {end:,}, but the tar at {size:,}",
            )
        if member.size < 0:
            detail = f"a size of the header at byte {at:,} is below 0"
            raise UnusableFace("damaged", detail)
        yield member
        at = tar.offset
    if stop == size and not at_end:
        raise UnusableFace("truncated", f"the tar ends at byte {size:,} without an end mark")


def is_plain_file(member: tarfile.TarInfo) -> bool:
    """Whether a member is a plain file, not a link, folder or sparse file."""
    sparse = member.issparse() or any(k.startswith("GNU.sparse") for k in member.pax_headers)
    return member.isreg() and not sparse


def is_photograph(member: tarfile.TarInfo) -> bool:
    """Whether a member is a file with a picture's name."""
    return is_plain_file(member) and is_picture(member_name(member))


def member_name(member: tarfile.TarInfo) -> str:
    """A member's name without the ``./`` that tar puts before names."""
    return member.name.removeprefix("./")
