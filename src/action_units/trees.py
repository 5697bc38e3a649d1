"""Trees of folders as people keep them: which files are pictures, and how links are followed.

All that reads a tree of photographs or of files beside them goes by these two, so that
nothing is a photograph to one of them and passed over by another.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PICTURES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")
"""Suffixes, in any case, by which a file or member counts as a picture."""

RAW_MJPEG = (".mjpeg", ".mjpg", ".mjp")
"""Suffixes of JPEG files one behind the other."""

VIDEOS = (
    ".264", ".265", ".3g2", ".3gp", ".amv", ".asf", ".av1", ".avc", ".avi", ".dif", ".divx",
    ".dv", ".f4v", ".flv", ".gxf", ".h261", ".h263", ".h264", ".h265", ".hevc", ".ivf", ".m1v",
    ".m2t", ".m2ts", ".m2v", ".m4v", ".mkv", ".mov", ".mp4", ".mpe", ".mpeg", ".mpg", ".mpv",
    ".mts", ".mxf", ".nut", ".obu", ".ogm", ".ogv", ".qt", ".rm", ".rmvb", ".trp", ".ts",
    ".vc1", ".vob", ".webm", ".wmv", ".wtv", ".y4m", *RAW_MJPEG,
)  # fmt: skip
"""Suffixes, in any case, of videos."""


def is_picture(name: str) -> bool:
    """Whether a name has a picture's suffix and nothing in it is hidden by a dot."""
    return name.lower().endswith(PICTURES) and not is_hidden(name)


def given_path(text: Path | str) -> Path:
    """A path as a person wrote it: a ``~`` at the beginning is the home folder."""
    path = Path(text)
    try:
        return path.expanduser()
    except RuntimeError:  # the home of nobody: then it is a name as any other
        return path


def is_hidden(name: str) -> bool:
    """Whether a file, or a folder that it lies in, is hidden by a dot."""
    return any(part.startswith(".") and part not in (".", "..") for part in name.split("/"))


@dataclass(frozen=True, slots=True)
class Branch:
    """A folder of a tree.

    Attributes:
        name: Below the top, with ``/`` at its end; empty for the top itself.
        entries: All that lies directly in it, sorted by the bytes of the names.
        error: Why it cannot be listed; then there are no entries.
    """

    name: str
    entries: tuple[os.DirEntry[str], ...]
    error: OSError | None = None


def walk(top: Path | str) -> Iterator[Branch]:
    """Every folder of a tree, each before those in it, in the order of their names.

    Hidden folders are left out. Links are followed, but not back into a folder that they
    lie in; one that leads nowhere, or in a circle, is an entry as a file is.

    Args:
        top: The folder above all; it is listed whatever its own name is.
    """
    # Folders yet to list, each behind those it lies in; the next one is the last.
    waiting: list[tuple[str, tuple[Path, ...]]] = [("", (Path(top).resolve(),))]
    while waiting:
        below, within = waiting.pop()
        try:
            with os.scandir(f"{os.fspath(top)}/{below}") as found:
                entries = tuple(sorted(found, key=lambda entry: os.fsencode(entry.name)))
        except OSError as error:
            yield Branch(below, (), error)
            continue
        yield Branch(below, entries)
        for entry in reversed(entries):
            if entry.name.startswith(".") or not is_folder(entry):
                continue
            real = within[-1] / entry.name
            if entry.is_symlink():
                real = real.resolve()
            if real not in within:
                waiting.append((f"{below}{entry.name}/", (*within, real)))


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder, or a link to one that can be reached."""
    try:
        return entry.is_dir()
    except OSError:  # such as a link to itself, or into a folder without permission
        return False
