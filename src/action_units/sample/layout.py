"""Making a sample folder once: whole or not at all, and recognised the next time."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from action_units.errors import ArtifactError
from action_units.faces.workers import Workers, in_order
from action_units.files import (
    advice,
    check_sums,
    make_folder,
    set_mode,
    sweep,
    temporary_folder,
    write_sums,
    write_text,
)
from action_units.progress import Progress

logger = logging.getLogger(__name__)

RENDERER_VERSION = 1
"""Raised whenever the same configuration would give other bytes than before."""

MARKER = "SAMPLE.json"

Task = TypeVar("Task")
Result = TypeVar("Result")


def holds_other_data(folder: Path) -> bool:
    """Whether a folder has something in it, and it is not a rendered sample."""
    return folder.is_dir() and any(folder.iterdir()) and not (folder / MARKER).is_file()


@contextmanager
def folder_made_once(
    folder: Path, kind: str, config: Mapping[str, Any], remake: bool = False
) -> Iterator[Path | None]:
    """Fill a folder under a temporary name and rename it when it is complete.

    Args:
        folder: The final name; its parent is made where it is missing.
        kind: What the sample is, such as ``disfa``.
        config: Everything the content depends on, as plain JSON values.
        remake: Replace a sample that was made with another configuration.

    Yields:
        The temporary folder to fill, or None where the sample already lies there whole.

    Raises:
        ArtifactError: The folder holds something else, its labels are not as they were
            written, or the disk refused.
    """
    stamp = {"sample": kind, "renderer": RENDERER_VERSION, "config": dict(config)}
    stamp = json.loads(json.dumps(stamp))
    name = f"{folder.name}.making"
    sweep(folder.parent, name)
    if _is_there(folder, stamp, remake):
        yield None
        return
    try:
        make_folder(folder.parent)
        with temporary_folder(name, folder.parent) as making:
            new = making / "new"
            make_folder(new)
            yield new
            write_text(new / MARKER, json.dumps(stamp, indent=2, sort_keys=True) + "\n")
            made = list(new.rglob("*"))
            labels = [path for path in made if path.suffix in (".csv", ".txt", ".json")]
            write_sums(new, [path.relative_to(new).as_posix() for path in labels])
            for path in made:
                set_mode(path)
            if hasattr(os, "sync"):
                os.sync()  # thousands of small files: one flush for all of them
            _take_name(new, folder, stamp, remake)
    except OSError as error:
        raise ArtifactError(
            f"The sample {folder} could not be written ({error.strerror or error}); nothing "
            f"was left behind. {advice(error)}"
        ) from error


def run_tasks(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    weights: Sequence[int],
    workers: int | None,
    description: str,
    unit: str,
) -> list[Result]:
    """Run a pure function over tasks in several processes, with progress.

    Args:
        function: What is done.
        tasks: Its arguments; the results come back in their order.
        weights: How many units of progress each task is.
        workers: Processes; None takes one a processor.
        description: For the progress bar.
        unit: For the progress bar, in the plural.
    """
    results = []
    with Progress(description, sum(weights), unit) as progress:
        done = in_order(function, tasks, Workers(workers))
        for result, weight in zip(done, weights, strict=True):
            results.append(result)
            progress.advance(weight)
    return results


def _is_there(folder: Path, stamp: Mapping[str, Any], remake: bool) -> bool:
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    try:
        found = json.loads((folder / MARKER).read_text())
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict) or found.get("sample") != stamp["sample"]:
        raise ArtifactError(
            f"{folder} holds files that are not a rendered {stamp['sample']} sample (its "
            f"{MARKER} is missing or another's), so it is left alone; move it away or choose "
            "another folder."
        )
    if found == stamp:
        check_sums(folder, f"delete {folder}, and it is rendered again")
        return True
    if remake:
        return False
    raise ArtifactError(
        f"{folder} holds a sample made with other parameters ({_difference(found, stamp)}); "
        "delete the folder, or ask for it to be remade."
    )


def _difference(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    old = {**found, **(found.get("config") or {})}
    new = {**wanted, **wanted["config"]}
    changed = [
        f"{key} {old.get(key)!r}, now {new.get(key)!r}"
        for key in new
        if key != "config" and old.get(key) != new.get(key)
    ]
    return "; ".join(changed[:4]) or "more parameters than there are now"


def _take_name(new: Path, folder: Path, stamp: Mapping[str, Any], remake: bool) -> None:
    if not folder.exists():
        new.rename(folder)
        return
    if _is_there(folder, stamp, remake):
        return  # another process finished the same sample first
    old = new.with_name("old")
    folder.rename(old)
    try:
        new.rename(folder)
    except OSError:
        old.rename(folder)
        raise
