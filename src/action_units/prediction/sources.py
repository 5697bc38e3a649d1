"""What a path means: one picture, one video, a folder of either, or a list of paths.

A file's content decides what it is, not its name. In a folder, a name that ends as a
picture's does is enough, so that one that is no picture is set aside and not passed over.
"""

import hashlib
import mimetypes
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from action_units.errors import ConfigurationError, LabelError
from action_units.faces.photographs.base import Photograph, Portion
from action_units.faces.photographs.naming import portable
from action_units.faces.photographs.places import Place, place_of
from action_units.faces.photographs.registry import open_photographs
from action_units.faces.quarantine import printable
from action_units.prediction.contents import kind_of_file
from action_units.trees import is_picture

PHOTOGRAPHS = "photographs"
"""The table of a source's photographs, where they are more than one."""

_TAKEN = (PHOTOGRAPHS, "quarantine", "sources")
_DRAWN = re.compile(r"_(annotated\.(png|webm)|timeline(_face\d+)?\.png)$")
"""How the names end that ``drawing`` gives."""


@dataclass(frozen=True, slots=True)
class PictureFile:
    """One picture; see ``photographs.base.Portion``.

    Attributes:
        given: Its path as it was given, relative to the source.
        path: Where it lies.
        stamp: Its size and time of change.
    """

    given: str
    path: str
    stamp: str

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
        place = Place(self.path)
        yield Photograph(self.id, "", str(place), place.content())


@dataclass(frozen=True)
class Photographs:
    """Photographs whose faces make one table.

    Attributes:
        name: Of the table.
        place: Where they are from.
        portions: What is read one after the other.
    """

    name: str
    place: str
    portions: tuple[Portion, ...]

    @property
    def count(self) -> int:
        """About how many there are."""
        return sum(portion.weight for portion in self.portions)

    @property
    def stamp(self) -> str:
        """Changes when one of them may have changed, or there are others."""
        digest = hashlib.sha256()
        for portion in self.portions:
            digest.update(f"{portion.id}\0{portion.stamp}\n".encode())
        return digest.hexdigest()[:32]

    def read(self) -> Iterator[Photograph]:
        """All of them; what cannot be read says why."""
        for portion in self.portions:
            yield from portion.photographs()


@dataclass(frozen=True)
class Video:
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
    def place(self) -> str:
        """Where it lies."""
        return printable(self.path.absolute())

    @property
    def stamp(self) -> str:
        """Changes when the file may have changed."""
        return _stamp(self.path)


@dataclass(frozen=True)
class Source:
    """All that a path means.

    Attributes:
        place: The path.
        photographs: Where there are any.
        videos: In the order of the source.
        single: It is one picture or one video; then its error is the source's.
    """

    place: str
    photographs: Photographs | None
    videos: tuple[Video, ...]
    single: bool = False

    @property
    def parts(self) -> tuple[Photographs | Video, ...]:
        """What has a table each."""
        return (*([self.photographs] if self.photographs else []), *self.videos)


@dataclass
class _Found:
    """What has been met so far; in `out` lies what was made before, and is passed over."""

    portions: list[Portion] = field(default_factory=list)
    videos: list[tuple[str, Path]] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)
    out: Path | None = None

    def add(self, path: Path, given: str, kind: str) -> None:
        if kind == "video":
            self.videos.append((given, path))
        else:
            self.portions.append(PictureFile(given, str(path), _stamp(path)))


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
    found = _Found(out=None if out is None else Path(out).resolve())
    if not isinstance(source, str | Path):
        if not source:
            raise ConfigurationError("the source names no path; expected at least one.")
        for one in source:
            _add(found, Path(one), os.fspath(one))
        which = short_hash("\n".join(printable(Path(one).absolute()) for one in source))
        return _named(f"{len(source)} paths ({which})", found, is_path=False)
    path = Path(source)
    if "://" in str(source):
        return _named(str(source), _packed(str(source)), is_path=False)
    if not _is_there(path):
        raise LabelError(
            path, "nothing is there; expected a picture, a video, a folder or a list."
        )
    if path.is_dir():
        return _named(str(path), _folder(path, found.out))
    kind = _kind(path)
    if kind == "list":
        _add_listed(found, path)
        return _named(str(path), found)
    if kind in ("tar", "tsv"):
        return _named(str(path), _packed(str(path), kind))
    found.add(path, path.name, kind)
    return _named(str(path), found, single=True)


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
        kind = _kind_by_name(path.name) or kind
    if kind in ("unknown", "empty"):
        what = "is empty" if kind == "empty" else "has no content that is known"
        raise LabelError(
            path,
            f"the file {what}; expected a picture, a video, a tar or TSV of photographs, or a "
            "text with one path a line.",
        )
    return kind


def _kind_by_name(name: str) -> str:
    if is_picture(name):
        return "picture"
    guess = mimetypes.guess_type(name)[0] or ""
    return "video" if guess.startswith("video/") else ""


def _add(found: _Found, path: Path, given: str, line: tuple[Path, int] | None = None) -> None:
    """Add a picture, a video or a folder, that a list or a caller names."""
    if not _is_there(path, line):
        if line is None:
            raise LabelError(path, "there is no such file.")
        raise LabelError(line[0], f"there is no file {printable(path)}.", line[1])
    if path.is_dir():
        inside, prefix = _folder(path, found.out), given.rstrip("/")
        found.portions += [
            replace(portion, given=f"{prefix}/{portion.given}")
            if isinstance(portion, PictureFile)
            else portion
            for portion in inside.portions
        ]
        found.videos += [(f"{prefix}/{name}", video) for name, video in inside.videos]
        return
    kind = _kind_by_name(path.name) if not path.stat().st_size else _kind(path)
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

    def refuse(error: OSError) -> None:
        raise LabelError(
            printable(error.filename), f"the folder cannot be listed ({error.strerror})."
        )

    for folder, folders, files in os.walk(top, onerror=refuse):
        here = Path(folder).resolve()
        folders[:] = sorted(
            (f for f in folders if not f.startswith(".") and here / f != out), key=os.fsencode
        )
        for name in sorted(files, key=os.fsencode):
            path = Path(folder, name)
            if name.startswith(".") or not (path.is_file() or is_picture(name)):
                continue
            if here == out and _DRAWN.search(name):
                continue
            kind = "picture" if is_picture(name) else _kind_in_folder(path)
            if kind in ("picture", "video"):
                found.add(path, os.path.relpath(path, top), kind)
            else:
                found.ignored[path.suffix.lower() or "no suffix"] += 1
    if found.portions or found.videos:
        return found
    if {".tar", ".tsv"} & set(found.ignored):
        return _packed(str(top))
    counts = ", ".join(f"{n:,} {suffix}" for suffix, n in found.ignored.most_common(8))
    more = f" ({counts} passed over)" if counts else ""
    raise LabelError(top, f"no picture and no video is in it or below it{more}.")


def _kind_in_folder(path: Path) -> str:
    try:
        kind = kind_of_file(path)
    except OSError:
        kind = "unknown"
    return _kind_by_name(path.name) or kind if kind in ("unknown", "empty") else kind


def _packed(path: str, kind: str = "auto") -> _Found:
    return _Found(list(open_photographs(path, kind).portions()))


def _add_listed(found: _Found, path: Path) -> None:
    """Add the paths of a list, relative to it; lines that begin with # say nothing."""
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        for number, text in enumerate(file, 1):
            given = text.strip()
            if given and not given.startswith("#"):
                _add(found, path.parent / given, given, (path, number))
    if not (found.portions or found.videos):
        raise LabelError(path, "no path is in it; expected one a line.")


def _named(place: str, found: _Found, single: bool = False, is_path: bool = True) -> Source:
    """Give each table a name that no other has."""
    # A list may name a file twice, as itself and by its folder; the first is taken.
    pictures: dict[object, Portion] = {}
    for portion in found.portions:
        same = isinstance(portion, PictureFile) and Path(portion.path).absolute()
        pictures.setdefault(same or id(portion), portion)
    once: dict[Path, tuple[str, Path]] = {}
    for given, path in found.videos:
        once.setdefault(path.absolute(), (given, path))
    files = list(once.values())
    stems = Counter(printable(Path(given).stem).lower() for given, _ in files)
    videos: list[Video] = []
    names: set[str] = set(_TAKEN)
    for given, path in files:
        name = printable(Path(given).stem)
        if stems[name.lower()] > 1 or name.lower() in names:
            name = printable(given).strip("/").replace("/", "~")
        if name.lower() in names:
            name = f"{name}-{short_hash(printable(path.absolute()))}"
        names.add(name.lower())
        videos.append(Video(name, printable(given), path))
    photographs = None
    if pictures:
        name = PHOTOGRAPHS
        if single:
            name = printable(Path(place).stem)
            name = f"{name}-picture" if name.lower() in _TAKEN else name
        whole = printable(Path(place).absolute()) if is_path else place
        photographs = Photographs(name, whole, tuple(pictures.values()))
    return Source(printable(place), photographs, tuple(videos), single)


def short_hash(text: str) -> str:
    """Eight characters that tell one path from another."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _stamp(path: Path) -> str:
    try:
        return place_of(path).size_and_stamp()[1]
    except OSError:  # such as a link to nowhere: whoever reads it will say what is wrong
        return "unreadable"
