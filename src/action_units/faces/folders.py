"""Folders on this machine's disks and, by URL, in any store that fsspec reaches."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeGuard

from upath import UPath

from action_units.errors import ArtifactError
from action_units.files import write_many
from action_units.trees import given_path

Folder = Path | UPath
_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*(::|://)")


def place(text: str | Folder) -> Folder:
    """A path; of a URL such as ``s3://bucket/faces`` one that fsspec serves.

    Args:
        text: What a person wrote.

    Raises:
        ArtifactError: The package for the URL's protocol is missing.
    """
    if isinstance(text, Path | UPath):
        return text
    if text.startswith("file://"):
        return Path(text.removeprefix("file://"))
    if not _URL.match(text):
        return given_path(text)
    try:
        found = UPath(text)
        found.fs  # noqa: B018 (the package of the protocol is only imported here)
    except (ImportError, ValueError) as error:
        raise ArtifactError(f"{text} cannot be reached: {error}") from None
    return found


def is_local(folder: Folder) -> TypeGuard[Path]:
    """Whether a path is on this machine's disks."""
    return not isinstance(folder, UPath)


def sizes_in(folder: Folder) -> dict[str, int]:
    """The files that lie directly in a folder, with their sizes in bytes."""
    try:
        if is_local(folder):
            with os.scandir(folder) as entries:
                return {e.name: e.stat().st_size for e in entries if e.is_file()}
        assert isinstance(folder, UPath)
        listed = folder.fs.ls(folder.path, detail=True)
        return {e["name"].rsplit("/", 1)[-1]: e["size"] for e in listed if e["type"] == "file"}
    except FileNotFoundError:
        return {}


def names_in(folder: Folder) -> Iterator[str]:
    """The names of the files that lie directly in a folder, one after the other."""
    if not is_local(folder):
        yield from sizes_in(folder)
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            yield entry.name


def stamps_in(folder: Folder) -> dict[str, str]:
    """The files that lie directly in a folder, with a text that changes when they do."""
    if not is_local(folder):
        return {name: str(size) for name, size in sizes_in(folder).items()}
    try:
        with os.scandir(folder) as entries:
            statuses = {entry.name: entry.stat() for entry in entries if entry.is_file()}
    except OSError:
        return {}  # reading the files one by one will say what is wrong
    return {name: f"{s.st_size}-{s.st_mtime_ns}" for name, s in statuses.items()}


def put_many(folder: Folder, contents: Mapping[str, bytes]) -> None:
    """Write small files into a folder, each whole or not at all.

    Raises:
        ArtifactError: The disk or the store refused.
    """
    if is_local(folder):
        write_many(folder, contents)
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise ArtifactError(f"{folder} could not be written in ({error}).") from error
