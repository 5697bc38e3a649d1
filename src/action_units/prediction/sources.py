"""What a path means: one picture, one video, a folder of either, or a list of paths.

A file's content decides what it is, not its name. In a folder, a name that ends as a
picture's does is enough, so that one that is no picture is set aside and not passed over.
"""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from action_units.errors import ConfigurationError, LabelError
from action_units.faces.quarantine import Quarantine
from action_units.media.file_types import is_picture, kind_of_file, kind_of_name
from action_units.media.images import content_or_reason
from action_units.media.paths import (
    AnyPath,
    any_path,
    given_path,
    is_folder,
    printable,
    size_and_fingerprint,
    walk,
)
from action_units.media.photograph_names import portable
from action_units.media.photographs import Chunk, Photograph
from action_units.media.sources import open_photographs

PHOTOGRAPHS = "photographs"
"""The table of a source's photographs, where they are more than one."""

_TAKEN = (PHOTOGRAPHS, "quarantine", "sources")
_LONGEST_NAME = 200  # bytes; file systems take 255, of which suffixes and a hash need some
_DRAWN = re.compile(r"_(annotated\.(png|webm)|timeline(_face\d+)?\.png)$")
"""How the names end that ``drawing`` gives."""


@dataclass(frozen=True, slots=True)
class PictureFile:
    """One picture; see ``photographs.base.Chunk``.

    Attributes:
        given: Its path as it was given, relative to the source.
        path: On a disk or in a store.
        fingerprint: Its size and time of change.
    """

    given: str
    path: AnyPath
    fingerprint: str

    @property
    def id(self) -> str:
        """Its path as it was given."""
        return portable(self.given)

    @property
    def weight(self) -> int:
        """One picture."""
        return 1

    def photographs(self) -> Iterator[Photograph]:
        """The one picture."""
        yield Photograph(self.id, "", printable(self.path), content_or_reason(self.path))


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
        """All of them; what cannot be read says why."""
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
        """Where it lies."""
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
        photographs: Where there are any.
        videos: In the order of the source.
        single: It is one picture or one video; then its error is the source's.
        set_aside: What could not be looked at: lines of a list, folders.
        passed_over: Files in folders that are no pictures and no videos, by suffix; of each
            suffix how many, and one of them.
    """

    location: str
    photographs: Photographs | None
    videos: tuple[VideoFile, ...]
    single: bool = False
    set_aside: Quarantine = field(default_factory=Quarantine)
    passed_over: Mapping[str, tuple[int, str]] = field(default_factory=dict)

    @property
    def parts(self) -> tuple[Photographs | VideoFile, ...]:
        """What has a table each."""
        return (*([self.photographs] if self.photographs else []), *self.videos)


@dataclass
class _Found:
    """What has been met so far; in `out` lies what was made before, and is passed over."""

    chunks: list[Chunk] = field(default_factory=list)
    videos: list[tuple[str, Path]] = field(default_factory=list)
    passed_over: dict[str, tuple[int, str]] = field(default_factory=dict)
    set_aside: Quarantine = field(default_factory=Quarantine)
    out: Path | None = None

    @property
    def nothing(self) -> bool:
        return not (self.chunks or self.videos)

    def pass_over(self, path: Path, given: str) -> None:
        suffix = path.suffix.lower() or "no suffix"
        count, example = self.passed_over.get(suffix, (0, printable(given)))
        self.passed_over[suffix] = (count + 1, example)

    def add(self, path: Path, given: str, kind: str) -> None:
        if kind == "video":
            self.videos.append((given, path))
        else:
            self.chunks.append(PictureFile(given, path, _fingerprint(path)))


def open_source(
    source: Path | str | Sequence[Path | str], out: Path | str | None = None
) -> Source:
    """Find out what a path means.

    Args:
        source: A picture, a video, a folder or a list of paths; a folder, tar or TSV of
            photographs as preprocessing reads them, also by a URL that fsspec knows; or
            several paths at once.
        out: Where predictions go. In a folder that is looked at, it and what was drawn in
            it are passed over.

    Raises:
        LabelError: Nothing is there, or nothing that has a picture in it; of a list with
            the line.
        ConfigurationError: Photographs in a folder of tars and TSVs, or in a compressed file;
            of several paths there is none.
    """
    found = _Found(out=None if out is None else given_path(out).resolve())
    named = [source] if isinstance(source, str | Path) else source
    if not named or "" in named:  # which as a path would be the current folder
        raise ConfigurationError("the source names no path; expected at least one.")
    if not isinstance(source, str | Path):
        _add_all(found, [(given_path(one), os.fspath(one), None) for one in source])
        which = short_hash("\n".join(printable(Path(one).absolute()) for one in source))
        return _named(f"{len(source)} paths ({which})", found, is_path=False)
    if _is_url(source):
        return _named(str(source), _remote(str(source)), is_path=False)
    path = given_path(str(source).removeprefix("file://"))
    if not _is_there(path):
        raise LabelError(
            path, "nothing is there; expected a picture, a video, a folder or a list."
        )
    if path.is_dir():
        return _named(str(path), _folder(path, found.out))
    kind = _kind(path)
    if kind == "list":
        _add_all(found, _listed(path))
        return _named(str(path), found)
    if kind in ("tar", "tsv"):
        return _named(str(path), _packed(str(path), kind))
    found.add(path, path.name, kind)
    return _named(str(path), found, single=True)


def _is_url(text: Path | str) -> bool:
    return "://" in str(text) and not str(text).startswith("file://")


def _is_there(path: Path, line: tuple[Path, int] | None = None) -> bool:
    """Whether a file or folder is there; a name that cannot be one is a sentence."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:
        where, number = line if line is not None else (printable(path)[:200], None)
        why = getattr(error, "strerror", None) or error
        problem = f"{printable(path)[:200]} cannot be looked at ({why})."
        raise LabelError(where, problem, number) from None
    return True


def _kind(path: Path) -> str:
    """What a file is; one that is damaged goes by its name, and its reader says why."""
    if not path.is_file():
        raise LabelError(path, "it is no regular file; copy what it gives into a file first.")
    try:
        kind = kind_of_file(path)
    except OSError as error:
        raise LabelError(path, f"it cannot be read ({error.strerror}).") from None
    if kind in ("unknown", "empty"):
        kind = kind_of_name(path.name) or kind
    if kind in ("unknown", "empty"):
        what = "is empty" if kind == "empty" else "has no content that is known"
        raise LabelError(
            path,
            f"the file {what}; expected a picture, a video, a tar or TSV of photographs, or a "
            "text with one path a line.",
        )
    return kind


_Named = tuple[Path, str, tuple[Path, int] | None]
"""A path, as it was given, and the list and line where it stands in one."""


def _add_all(found: _Found, paths: Sequence[_Named]) -> None:
    """Add paths; what of them cannot be used is set aside, unless nothing can be used."""
    first: LabelError | None = None
    for path, given, line in paths:
        try:
            _add(found, path, given, line)
        except LabelError as error:
            first = first or error
            named = given if _is_url(given) else printable(path)
            location, problem = named, error.problem
            if line is not None:
                location = f"{printable(line[0])}, line {line[1]}"
                problem = problem if error.line else f"{named}: {problem}"
            found.set_aside.add(location, "unusable path", problem)
    if found.nothing and first is not None:
        raise first


def _add(found: _Found, path: Path, given: str, line: tuple[Path, int] | None = None) -> None:
    """Add a picture, a video or a folder, that a list or a caller names."""
    if _is_url(given):
        found.chunks += _remote(given).chunks
        return
    if not _is_there(path, line):
        if line is None:
            raise LabelError(path, "there is no such file.")
        raise LabelError(line[0], f"there is no file {printable(path)}.", line[1])
    if path.is_dir():
        inside, prefix = _folder(path, found.out), given.rstrip("/")
        found.chunks += [
            replace(chunk, given=f"{prefix}/{chunk.given}")
            if isinstance(chunk, PictureFile)
            else chunk
            for chunk in inside.chunks
        ]
        found.videos += [(f"{prefix}/{name}", video) for name, video in inside.videos]
        found.set_aside.extend(inside.set_aside)
        for suffix, (count, example) in inside.passed_over.items():
            before, earlier = found.passed_over.get(suffix, (0, example))
            found.passed_over[suffix] = (before + count, earlier)
        return
    kind = kind_of_name(path.name) if not path.stat().st_size else _kind(path)
    if kind in ("list", "tar", "tsv"):
        what = "a list" if kind == "list" else "photographs in one file"
        where, number = line if line is not None else (path, None)
        raise LabelError(
            where, f"{printable(path)} is {what}, which cannot stand in a list.", number
        )
    found.add(path, given, kind or "picture")


def _folder(top: Path, out: Path | None = None) -> _Found:
    """All pictures and videos below a folder, by their names; hidden ones are left out."""
    found = _Found()
    real = top.resolve()
    for branch in walk(top):
        folder = top / branch.name
        if branch.error is not None:
            problem = f"the folder cannot be listed ({branch.error.strerror})."
            if not branch.name:
                raise LabelError(printable(top), problem)
            found.set_aside.add(folder, "unreadable", problem)
            continue
        here = folder.resolve()
        if out is not None and real in out.parents and out in (here, *here.parents):
            continue
        for entry in branch.entries:
            path, given = folder / entry.name, branch.name + entry.name
            drawn = here == out and _DRAWN.search(entry.name)
            if entry.name.startswith(".") or is_folder(entry) or drawn:
                continue
            kind = "picture" if is_picture(entry.name) else _kind_in_folder(path)
            if kind in ("picture", "video"):
                found.add(path, given, kind)
            else:
                found.pass_over(path, given)
    if not found.nothing:
        return found
    if {".tar", ".tsv"} & set(found.passed_over):
        return _packed(str(top))
    if len(found.set_aside):
        location, _, problem, _ = found.set_aside.rows()[0]
        raise LabelError(location, problem)
    more = f" ({passed_over(found.passed_over)} passed over)" if found.passed_over else ""
    raise LabelError(top, f"no picture and no video is in it or below it{more}.")


def passed_over(counts: Mapping[str, tuple[int, str]]) -> str:
    """Files by suffix as a sentence has them: ``2 .csv (x.csv), 1 .txt (y.txt)``."""
    most = sorted(counts.items(), key=lambda item: -item[1][0])
    said = [f"{count:,} {suffix} ({example})" for suffix, (count, example) in most[:8]]
    if rest := most[8:]:
        files = sum(count for _, (count, _) in rest)
        said.append(
            f"{files:,} with other suffixes ({', '.join(suffix for suffix, _ in rest)})"
        )
    return ", ".join(said)


def _kind_in_folder(path: Path) -> str:
    try:
        kind = kind_of_file(path) if path.is_file() else "unknown"
    except OSError:  # such as a link to itself
        kind = "unknown"
    return kind_of_name(path.name) or kind if kind in ("unknown", "empty") else kind


def _remote(url: str) -> _Found:
    """Photographs in a store: one, or as preprocessing reads them."""
    try:
        path = any_path(url)
        if kind_of_name(path.name) == "video":
            raise LabelError(
                url, "a video is read from a disk alone; download it, and give its path."
            )
        if is_picture(path.name) and path.is_file():
            _, fingerprint = size_and_fingerprint(path)
            return _Found([PictureFile(path.name, path, fingerprint)])
        return _packed(url)
    except (LabelError, ConfigurationError):
        raise
    except Exception as error:  # each store's client has errors of its own
        raise LabelError(url, f"it cannot be reached ({error}).") from None


def _packed(path: str, kind: str = "auto") -> _Found:
    return _Found(list(open_photographs(path, kind).chunks()))


def _listed(path: Path) -> list[_Named]:
    """The paths of a list, relative to it; lines that begin with # say nothing."""
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        lines = [(number, text.strip()) for number, text in enumerate(file, 1)]
    named: list[_Named] = [
        (path.parent / given_path(given), given, (path, number))
        for number, given in lines
        if given and not given.startswith("#")
    ]
    if not named:
        raise LabelError(path, "no path is in it; expected one a line.")
    return named


def _named(location: str, found: _Found, single: bool = False, is_path: bool = True) -> Source:
    """Give each table a name that no other has."""
    # A list may name a file twice, as itself and by its folder; the first is taken.
    pictures: dict[object, Chunk] = {}
    for chunk in found.chunks:
        same = isinstance(chunk, PictureFile) and chunk.path.absolute()
        pictures.setdefault(same or id(chunk), chunk)
    once: dict[Path, tuple[str, Path]] = {}
    for given, path in found.videos:
        once.setdefault(path.absolute(), (given, path))
    files = list(once.values())
    stems = Counter(printable(Path(given).stem).lower() for given, _ in files)
    videos: list[VideoFile] = []
    names: set[str] = set(_TAKEN)
    for given, path in files:
        name = short_name(printable(Path(given).stem))
        if stems[printable(Path(given).stem).lower()] > 1 or name.lower() in names:
            name = short_name(printable(given).strip("/").replace("/", "~"))
        if name.lower() in names:
            name = f"{name}-{short_hash(printable(path.absolute()))}"
        names.add(name.lower())
        videos.append(VideoFile(name, printable(given), path))
    photographs = None
    if pictures:
        name = PHOTOGRAPHS
        if single:
            name = short_name(printable(Path(location).stem))
            name = f"{name}-picture" if name.lower() in _TAKEN else name
        whole = printable(Path(location).absolute()) if is_path else location
        photographs = Photographs(name, whole, tuple(pictures.values()))
    told = found.set_aside, found.passed_over
    return Source(printable(location), photographs, tuple(videos), single, *told)


def short_name(name: str) -> str:
    """A name that stays within what a file's name may have, with our suffixes behind it."""
    raw = name.encode()
    if len(raw) <= _LONGEST_NAME:
        return name
    kept = raw[: _LONGEST_NAME - 9].decode(errors="ignore")
    return f"{kept}-{short_hash(name)}"


def short_hash(text: str) -> str:
    """Eight characters that tell one path from another."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _fingerprint(path: Path) -> str:
    try:
        return size_and_fingerprint(path)[1]
    except OSError:  # such as a link to nowhere: whoever reads it will say what is wrong
        return "unreadable"
