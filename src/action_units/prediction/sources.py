"""What a path means: one picture, one video, a folder of either, or a list of paths.

A file's content decides what it is, not its name. In a folder, a name that ends as a
picture's does is enough, so that a file with other content is quarantined, not skipped.
"""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from action_units.errors import ConfigurationError, LabelError
from action_units.faces.quarantine import Quarantine
from action_units.media.file_types import is_picture, kind_of_file, kind_of_name
from action_units.media.paths import (
    any_path,
    given_path,
    is_folder,
    is_url,
    printable,
    size_and_fingerprint,
    walk,
)
from action_units.media.photographs import Chunk, Photograph
from action_units.media.sources import FolderChunk, open_photographs

PHOTOGRAPHS = "photographs"
"""The table of a source's photographs, where they are more than one."""

_TAKEN = (PHOTOGRAPHS, "quarantine", "sources")
_LONGEST_NAME = 200  # bytes; file systems take 255, of which suffixes and a hash need some
_DRAWN = re.compile(r"_(annotated\.(png|webm)|timeline(_face\d+)?\.png)$")
"""How the names end that ``draw`` gives."""

_Line = tuple[Path, int]
"""A list of paths, and the number of a line in it."""


@dataclass(frozen=True)
class Photographs:
    """Photographs whose faces make one table.

    Attributes:
        name: Of the table.
        location: Where they are from.
        chunks: What is read one after the other.
    """

    name: str
    location: str
    chunks: tuple[Chunk, ...]

    @property
    def count(self) -> int:
        """About how many there are."""
        return sum(chunk.weight for chunk in self.chunks)

    @property
    def fingerprint(self) -> str:
        """Changes when one of them may have changed, or there are others."""
        digest = hashlib.sha256()
        for chunk in self.chunks:
            digest.update(f"{chunk.id}\0{chunk.fingerprint}\n".encode())
        return digest.hexdigest()[:32]

    def read(self) -> Iterator[Photograph]:
        """All of them; an unreadable one has the reason."""
        for chunk in self.chunks:
            yield from chunk.photographs()


@dataclass(frozen=True)
class VideoFile:
    """A video, whose faces make a table of their own.

    Attributes:
        name: Of the table.
        given: Its path as it was given, relative to the source.
        path: The file.
    """

    name: str
    given: str
    path: Path

    @property
    def location(self) -> str:
        """Its whole path."""
        return printable(self.path.absolute())

    @property
    def fingerprint(self) -> str:
        """Changes when the file may have changed."""
        return _fingerprint(self.path)


@dataclass(frozen=True)
class Source:
    """All that a path means.

    Attributes:
        location: The path.
        photographs: If there are any.
        videos: In the order of the source.
        single: It is one picture or one video; then its error is the source's.
        quarantine: Lines of a list, and folders, that cannot be used.
        skipped: Files in folders that are not pictures or videos, by suffix; of each
            suffix how many, and one of them.
    """

    location: str
    photographs: Photographs | None
    videos: tuple[VideoFile, ...]
    single: bool = False
    quarantine: Quarantine = field(default_factory=Quarantine)
    skipped: Mapping[str, tuple[int, str]] = field(default_factory=dict)

    @property
    def parts(self) -> tuple[Photographs | VideoFile, ...]:
        """What has a table each."""
        return (*([self.photographs] if self.photographs else []), *self.videos)


def open_source(
    source: Path | str | Sequence[Path | str], out: Path | str | None = None
) -> Source:
    """Find out what a path means.

    Args:
        source: A picture, a video, a folder or a list of paths; a folder, tar or TSV of
            photographs as preprocessing reads them, also by a URL that fsspec knows; or
            several paths at once.
        out: Where predictions go. In a folder that is searched, it and what was drawn in
            it are skipped.

    Raises:
        LabelError: Nothing exists there, or nothing that has a picture in it; of a list with
            the line.
        ConfigurationError: Photographs in a folder of tars and TSVs, or in a compressed file;
            of several paths there is none.
    """
    search = _Search(None if out is None else given_path(out).resolve())
    named = [source] if isinstance(source, str | Path) else source
    if not named or "" in named:  # which as a path would be the current folder
        raise ConfigurationError("the source has no path; expected at least one.")
    if not isinstance(source, str | Path):
        search.add_all(Path(), [(_expanded(os.fspath(one)), None) for one in source])
        which = short_hash("\n".join(printable(Path(one).absolute()) for one in source))
        return search.source(f"{len(source)} paths ({which})", is_path=False)
    if is_url(str(source)):
        search.add_url(str(source))
        return search.source(str(source), is_path=False)
    path = given_path(str(source).removeprefix("file://"))
    if not _exists(path):
        raise LabelError(
            path, "nothing is there; expected a picture, a video, a folder or a list."
        )
    kind = "folder" if path.is_dir() else _kind(path)
    if kind == "folder":
        search.add_folder(path)
    elif kind == "list":
        search.add_all(path.parent, _lines(path))
    elif kind in ("tar", "tsv"):
        search.chunks += open_photographs(path, kind).chunks()
    else:
        search.add_file(path.parent, path.name, kind)
    return search.source(str(path), single=kind in ("picture", "video"))


def skipped_text(counts: Mapping[str, tuple[int, str]]) -> str:
    """Files by suffix as a sentence has them: ``2 .csv (x.csv), 1 .txt (y.txt)``."""
    most = sorted(counts.items(), key=lambda item: -item[1][0])
    parts = [f"{count:,} {suffix} ({example})" for suffix, (count, example) in most[:8]]
    if rest := most[8:]:
        files = sum(count for _, (count, _) in rest)
        suffixes = ", ".join(suffix for suffix, _ in rest)
        parts.append(f"{files:,} with other suffixes ({suffixes})")
    return ", ".join(parts)


def short_name(name: str) -> str:
    """A name that stays within what a file's name may have, with our suffixes behind it."""
    raw = name.encode()
    if len(raw) <= _LONGEST_NAME:
        return name
    shortened = raw[: _LONGEST_NAME - 9].decode(errors="ignore")
    return f"{shortened}-{short_hash(name)}"


def short_hash(text: str) -> str:
    """Eight characters that distinguish one path from another."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


class _Search:
    """What has been found so far; in `out` lies what was made before, which is skipped."""

    def __init__(self, out: Path | None) -> None:
        self.out = out
        self.chunks: list[Chunk] = []
        self.videos: list[tuple[str, Path]] = []  # as given, and the file
        self.skipped: dict[str, tuple[int, str]] = {}
        self.quarantine = Quarantine()

    @property
    def found(self) -> int:
        return len(self.chunks) + len(self.videos)

    def add_file(self, base: Path, given: str, kind: str) -> None:
        path = base / given
        if kind == "video":
            self.videos.append((given, path))
        else:
            self.chunks.append(FolderChunk(base, given, _fingerprint(path)))

    def add_all(self, base: Path, paths: Sequence[tuple[str, _Line | None]]) -> None:
        """Add paths relative to a folder, each with the line of the list that names it.

        What cannot be used is quarantined, unless nothing can be used.
        """
        first: LabelError | None = None
        for given, line in paths:
            try:
                self._add(base, given, line)
            except LabelError as error:
                first = first or error
                named = given if is_url(given) else printable(base / given)
                location, problem = named, error.problem
                if line is not None:
                    location = f"{printable(line[0])}, line {line[1]}"
                    problem = problem if error.line else f"{named}: {problem}"
                self.quarantine.add(location, "unusable path", problem)
        if first is not None and not self.found:
            raise first

    def _add(self, base: Path, given: str, line: _Line | None) -> None:
        """Add a picture, a video or a folder that a list or a caller names."""
        path = base / given
        where, number = line or (path, None)
        if is_url(given):
            self.add_url(given)
        elif not _exists(path, line):
            which = f" {printable(path)}" if line else ""
            problem = f"the file{which} does not exist."
            raise LabelError(where, problem, number)
        elif path.is_dir():
            self.add_folder(base, given.rstrip("/") + "/")
        else:
            kind = _kind(path) if path.stat().st_size else kind_of_name(path.name)
            if kind in ("list", "tar", "tsv"):
                what = "a list" if kind == "list" else "photographs in one file"
                problem = f"{printable(path)} is {what}, which a list cannot contain."
                raise LabelError(where, problem, number)
            self.add_file(base, given, kind or "picture")

    def add_folder(self, base: Path, inner: str = "") -> None:
        """Add all pictures and videos below a folder, by their names; not hidden ones."""
        top = base / inner
        before, skipped, unlisted = self.found, dict[str, tuple[int, str]](), Quarantine()
        real, out = top.resolve(), self.out
        for branch in walk(top):
            folder = top / branch.name
            if branch.error is not None:
                problem = f"the folder cannot be listed ({branch.error.strerror})."
                if not branch.name:
                    raise LabelError(printable(top), problem)
                unlisted.add(folder, "unreadable", problem)
                continue
            here = folder.resolve()
            if out is not None and real in out.parents and out in (here, *here.parents):
                continue
            for entry in branch.entries:
                drawn = here == out and _DRAWN.search(entry.name)
                if entry.name.startswith(".") or is_folder(entry) or drawn:
                    continue
                path, given = folder / entry.name, branch.name + entry.name
                kind = "picture" if is_picture(entry.name) else _kind_in_folder(path)
                if kind in ("picture", "video"):
                    self.add_file(base, inner + given, kind)
                else:
                    suffix = path.suffix.lower() or "no suffix"
                    count, example = skipped.get(suffix, (0, printable(given)))
                    skipped[suffix] = (count + 1, example)
        if self.found == before:
            if {".tar", ".tsv"} & set(skipped):
                self.chunks += open_photographs(top).chunks()
                return
            if len(unlisted):
                location, _, problem, _ = unlisted.rows()[0]
                raise LabelError(location, problem)
            more = f" ({skipped_text(skipped)} skipped)" if skipped else ""
            raise LabelError(top, f"it contains no picture and no video{more}.")
        self.quarantine.extend(unlisted)
        for suffix, (count, example) in skipped.items():
            earlier, first = self.skipped.get(suffix, (0, example))
            self.skipped[suffix] = (earlier + count, first)

    def add_url(self, url: str) -> None:
        """Add photographs in a store: one, or as preprocessing reads them."""
        try:
            path = any_path(url)
            if kind_of_name(path.name) == "video":
                raise LabelError(
                    url, "a video is read from a disk alone; download it, and give its path."
                )
            if is_picture(path.name) and path.is_file():
                fingerprint = size_and_fingerprint(path)[1]
                self.chunks.append(FolderChunk(path.parent, path.name, fingerprint))
            else:
                self.chunks += open_photographs(url).chunks()
        except (LabelError, ConfigurationError):
            raise
        except Exception as error:  # each store's client has errors of its own
            raise LabelError(url, f"it cannot be reached ({error}).") from None

    def source(self, location: str, single: bool = False, is_path: bool = True) -> Source:
        """All that was found, each file once, and each table with a name of its own."""
        chunks: dict[object, Chunk] = {}
        for chunk in self.chunks:
            key: object = id(chunk)
            if isinstance(chunk, FolderChunk):
                key = Path(str(chunk.folder), chunk.file).absolute()
            chunks.setdefault(key, chunk)
        files: dict[Path, tuple[str, Path]] = {}
        for given, path in self.videos:
            files.setdefault(path.absolute(), (printable(given), path))
        stems = Counter(Path(given).stem.lower() for given, _ in files.values())
        videos: list[VideoFile] = []
        names: set[str] = set(_TAKEN)
        for given, path in files.values():
            stem = Path(given).stem
            name = short_name(stem)
            if stems[stem.lower()] > 1 or name.lower() in names:
                name = short_name(given.strip("/").replace("/", "~"))
            if name.lower() in names:
                name = f"{name}-{short_hash(printable(path.absolute()))}"
            names.add(name.lower())
            videos.append(VideoFile(name, given, path))
        photographs = None
        if chunks:
            name = PHOTOGRAPHS
            if single:
                name = short_name(printable(Path(location).stem))
                name = f"{name}-picture" if name.lower() in _TAKEN else name
            whole = printable(Path(location).absolute()) if is_path else location
            photographs = Photographs(name, whole, tuple(chunks.values()))
        return Source(
            printable(location),
            photographs,
            tuple(videos),
            single,
            self.quarantine,
            self.skipped,
        )


def _expanded(given: str) -> str:
    """A path with the home folder that its ``~`` stands for."""
    return str(given_path(given)) if given.startswith("~") else given


def _exists(path: Path, line: _Line | None = None) -> bool:
    """Whether a file or folder exists; a name that no disk takes is an error of ours."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:
        where, number = line if line is not None else (printable(path)[:200], None)
        why = getattr(error, "strerror", None) or error
        problem = f"{printable(path)[:200]} cannot be accessed ({why})."
        raise LabelError(where, problem, number) from None
    return True


def _kind(path: Path) -> str:
    """What a file is; a damaged one by its name; its reader reports the damage."""
    if not path.is_file():
        raise LabelError(path, "it is not a regular file; copy its content into a file first.")
    try:
        content = kind_of_file(path)
    except OSError as error:
        raise LabelError(path, f"it cannot be read ({error.strerror}).") from None
    if content not in ("unknown", "empty"):
        return content
    if kind := kind_of_name(path.name):
        return kind
    what = "is empty" if content == "empty" else "has content of an unknown type"
    raise LabelError(
        path,
        f"the file {what}; expected a picture, a video, a tar or TSV of photographs, or a "
        "text with one path a line.",
    )


def _kind_in_folder(path: Path) -> str:
    try:
        kind = kind_of_file(path) if path.is_file() else "unknown"
    except OSError:  # such as a link to itself
        kind = "unknown"
    return kind_of_name(path.name) or kind if kind in ("unknown", "empty") else kind


def _lines(path: Path) -> list[tuple[str, _Line | None]]:
    """The paths of a list; lines that begin with # are comments."""
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        lines = [(number, text.strip()) for number, text in enumerate(file, 1)]
    paths: list[tuple[str, _Line | None]] = [
        (_expanded(text), (path, number))
        for number, text in lines
        if text and not text.startswith("#")
    ]
    if not paths:
        raise LabelError(path, "it contains no path; expected one per line.")
    return paths


def _fingerprint(path: Path) -> str:
    try:
        return size_and_fingerprint(path)[1]
    except OSError:  # such as a link to nowhere: its reader reports the error
        return "unreadable"
