"""Which source a path is."""

import os
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import TypeAlias

from action_units.errors import ConfigurationError, LabelError
from action_units.faces.photographs.folder import FolderSource
from action_units.faces.photographs.patterns import has_pattern, refuse_compressed
from action_units.faces.photographs.places import Place, place_of
from action_units.faces.photographs.tar import TarSource
from action_units.faces.photographs.tsv import TsvSource
from action_units.trees import is_folder, is_picture

Source: TypeAlias = FolderSource | TsvSource | TarSource
_SOURCES: dict[str, Callable[[str | os.PathLike[str]], Source]] = {
    "folder": FolderSource,
    "tsv": TsvSource,
    "tar": TarSource,
}
KINDS = ("auto", *_SOURCES)


def open_photographs(path: str | os.PathLike[str], kind: str = "auto") -> Source:
    """Open photographs as they come.

    Args:
        path: A folder, a TSV or a tar, or a folder or pattern of either; a path, or a URL
            that fsspec knows.
        kind: ``folder``, ``tsv``, ``tar``, or ``auto``: by the name; a folder is one of
            TSVs or tars where it has such and neither pictures nor folders.

    Raises:
        LabelError: Nothing is there.
        ConfigurationError: An unknown kind, one that cannot be told, or a compressed file.
    """
    if kind not in KINDS:
        raise ConfigurationError(f"kind={kind!r} is unknown: choose {', '.join(KINDS)}.")
    place = place_of(path)
    if kind == "auto":
        kind = _kind(place)
    elif not _is_there(place):
        raise LabelError(str(place), "there are no photographs: no such file or folder.")
    if kind == "folder" and place.is_file():
        raise ConfigurationError(f"{place} is a file; kind='folder' expects a folder.")
    return _SOURCES[kind](path)


def _kind(place: Place) -> str:
    if place.is_folder():
        return _kind_of_folder(place)
    refuse_compressed(place)
    if not _is_there(place):
        raise LabelError(str(place), "there are no photographs: no such file or folder.")
    suffix = PurePosixPath(place.path).suffix.lower()[1:]
    if suffix in ("tsv", "tar"):
        return suffix
    raise ConfigurationError(
        f"{place} is no folder, *.tsv or *.tar; where it is one whatever its name says, set "
        "the kind to tsv or tar."
    )


def _is_there(place: Place) -> bool:
    return place.is_file() or place.is_folder() or has_pattern(place.path)


def _kind_of_folder(place: Place) -> str:
    """What is directly in a folder decides; its first picture or folder ends the search."""
    found: set[str] = set()
    if place.store is None:
        with os.scandir(place.path) as entries:
            for entry in entries:
                if is_picture(entry.name) or is_folder(entry):
                    return "folder"
                found.add(PurePosixPath(entry.name).suffix.lower()[1:])
    else:
        for info in place.store.fs.ls(place.path, detail=True):
            if is_picture(info["name"]) or info["type"] == "directory":
                return "folder"
            found.add(PurePosixPath(info["name"]).suffix.lower()[1:])
    if {"tsv", "tar"} <= found:
        raise ConfigurationError(f"{place} has both *.tsv and *.tar; set the kind to one.")
    return next((kind for kind in ("tsv", "tar") if kind in found), "folder")
