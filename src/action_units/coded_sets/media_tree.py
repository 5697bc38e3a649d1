"""Videos, folders of frames and pictures of one tree, found by the names that tables have."""

import posixpath
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection
from functools import cached_property
from pathlib import Path

from action_units.errors import LabelError
from action_units.media.file_types import PICTURES, VIDEOS, kind_of_name
from action_units.media.paths import walk

_NUMBERED = re.compile(r".*?(\d{1,9})", re.ASCII | re.DOTALL)
_ABSOLUTE = re.compile(r"[/~]|[A-Za-z]:")


def composed(name: str) -> str:
    """A text with composed letters (NFC), as not every system writes them."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def without_suffix(name: str) -> str:
    """A name without the suffix of a picture or video."""
    stem, suffix = posixpath.splitext(name)
    return stem if suffix.lower() in (*VIDEOS, *PICTURES) else name


def number_of(name: str) -> int | None:
    """The number at the end of a picture's name, before its suffix."""
    match = _NUMBERED.fullmatch(without_suffix(posixpath.basename(name)))
    return int(match[1]) if match else None


def path_below(name: str) -> str:
    """A path with composed letters, slashes and no ``./``.

    Raises:
        ValueError: It is absolute, or leads out of the folder that it begins in.
    """
    path = composed(name).replace("\\", "/")
    if _ABSOLUTE.match(path):
        raise ValueError("is absolute")
    path = posixpath.normpath(path)
    if path in (".", "..") or path.startswith("../"):
        raise ValueError("leads out of it")
    return path


class MediaTree:
    """What lies below a folder; hidden files and folders do not count.

    A name is found with or without its suffix, in upper or lower case, with composed letters
    or not. It is a path from the folder or the end of one: ``smile.avi`` of
    ``anna/smile.avi``. If it fits several files, the subject must be among their folders.
    """

    def __init__(self, root: Path | str) -> None:
        """List the folder.

        Raises:
            LabelError: It is missing or cannot be read.
        """
        self.root = Path(root)
        self.videos: list[str] = []
        self.pictures: dict[str, list[str]] = {}  # the names in each folder
        self._paths: dict[str, str] = {}  # of the pictures, by the same with composed letters
        self._recordings: dict[str, list[str]] = defaultdict(list)
        for branch in walk(self.root):
            if branch.error is not None:
                path, why = self.root / branch.name, branch.error.strerror
                raise LabelError(path, f"the folder of media cannot be read ({why}).")
            folder = branch.name.rstrip("/")
            kinds = {entry.name: kind_of_name(entry.name) for entry in branch.entries}
            for name, kind in kinds.items():
                if kind == "picture":
                    self.pictures.setdefault(folder, []).append(name)
                    self._paths[composed(branch.name + name)] = branch.name + name
                elif kind == "video" and not name.startswith("."):
                    self.videos.append(branch.name + name)
                    self._recordings[_key(name)].append(branch.name + name)
            if folder and folder in self.pictures:
                self._recordings[_key(folder)].append(folder)

    @cached_property
    def _by_end(self) -> dict[str, list[str]]:
        paths: dict[str, list[str]] = defaultdict(list)
        for path in self._paths.values():
            paths[_key(path)].append(path)
        return paths

    def picture(self, name: str, subject: str) -> str | None:
        """A picture's path below the folder; None where it is not there.

        Args:
            name: From ``path_below``.
            subject: Whose picture it is.

        Raises:
            ValueError: It fits several.
        """
        if (path := self._paths.get(name)) is not None:
            return path
        return _choose(self._by_end.get(_key(name), []), name, subject)

    def recording(self, name: str, subject: str) -> str | None:
        """The path of a video, or of a folder that has pictures; else as ``picture``."""
        return _choose(self._recordings.get(_key(name), []), name, subject)

    def numbered(self, folder: str) -> dict[int, Path]:
        """The pictures directly in a folder by the numbers at the end of their names.

        Raises:
            LabelError: Two have the same number.
        """
        found: dict[int, Path] = {}
        place = self.root / folder
        for name in self.pictures.get(folder, ()):
            if (number := number_of(name)) is None:
                continue
            path = place / name
            if (first := found.setdefault(number, path)) is not path:
                raise LabelError(
                    path,
                    f"{first.name} has the same number; put the frames of each recording into "
                    "a folder of its own.",
                )
        return found

    def others(self, used: Collection[str]) -> list[Path]:
        """The videos and pictures that are not in `used`, nor their folder."""
        pictures = (
            posixpath.join(folder, name)
            for folder, names in self.pictures.items()
            if folder not in used
            for name in names
        )
        return [self.root / path for path in (*self.videos, *pictures) if path not in used]


def _key(path: str) -> str:
    return composed(without_suffix(posixpath.basename(path))).casefold()


def _choose(paths: list[str], name: str, subject: str) -> str | None:
    """The path that a name is or ends; of several the nearest."""

    def is_end(path: str, end: str) -> bool:
        return f"/{path}".endswith(end) or f"/{without_suffix(path)}".endswith(end)

    folded = f"/{name.casefold()}"
    fits = [path for path in paths if is_end(composed(path).casefold(), folded)]
    if len(fits) > 1:
        whole = [p for p in fits if name in (composed(p), without_suffix(composed(p)))]
        same = [path for path in fits if is_end(composed(path), f"/{name}")]
        own = [path for path in same or fits if subject in composed(path).split("/")]
        fits = whole or own or same or fits
    if len(fits) > 1:
        raise ValueError(f"fits both {fits[0]} and {fits[1]}")
    return fits[0] if fits else None
