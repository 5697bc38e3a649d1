"""Making a sample folder once: complete or not at all, and recognised the next time."""

import json
import logging
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from action_units.config.base import Settings
from action_units.errors import ArtifactError
from action_units.faces.workers import Workers, in_order
from action_units.files import (
    SUMS,
    advice,
    check_sums,
    make_folder,
    set_mode,
    sweep,
    temporary_folder,
    write_sums,
    write_text,
)
from action_units.fingerprint import changes, plain, read_record
from action_units.progress import Progress

logger = logging.getLogger(__name__)

RENDERER_VERSION = 1
"""Raised whenever the same configuration would give other bytes than before."""

MARKER = "SAMPLE.json"

Task = TypeVar("Task")


def holds_other_data(folder: Path) -> bool:
    """Whether a folder has something in it, and it is not a rendered sample."""
    return folder.is_dir() and any(folder.iterdir()) and not (folder / MARKER).is_file()


def make_once(
    folder: Path,
    kind: str,
    config: Settings,
    fill: Callable[[Path], object],
    label: Callable[[Path], object] | None = None,
    of_labels: Collection[str] = (),
    *,
    colour: bool = False,
) -> bool:
    """Fill a folder under a temporary name and rename it when it is complete.

    Args:
        folder: The final name; its parent is made where it is missing.
        kind: What the sample is, such as ``disfa``.
        config: Everything the content depends on.
        fill: Writes the content into the folder that it is given.
        label: Writes the labels of a sample that is there, where only ``of_labels`` changed.
        of_labels: The parameters that no picture depends on.
        colour: Whether its pictures are in colour.

    Returns:
        Whether anything was rendered; False where the sample was there already.

    Raises:
        ArtifactError: The folder holds something else, its labels are not as they were
            written, or the disk refused.
    """
    about = plain({"sample": kind, "renderer": RENDERER_VERSION, "config": config.model_dump()})
    if colour:  # gray samples of earlier versions have no such entry
        about["colour"] = True
    name = f"{folder.name}.making"
    sweep(folder.parent, name)
    if label is not None:
        _label_again(folder, about, label, of_labels)
    if _is_made(folder, about):
        return False
    try:
        make_folder(folder.parent)
        with temporary_folder(name, folder.parent) as making:
            new = making / "new"
            make_folder(new)
            fill(new)
            _write_record(new, about)
            _write_sums(new)
            for path in new.rglob("*"):
                set_mode(path)
            if hasattr(os, "sync"):
                os.sync()  # thousands of small files: one flush for all of them
            if not _is_made(folder, about):  # by another process, meanwhile
                if folder.exists():
                    folder.rmdir()  # empty
                new.rename(folder)
    except OSError as error:
        raise ArtifactError(
            f"The sample {folder} could not be written ({error.strerror or error}); nothing "
            f"was left behind. {advice(error)}"
        ) from error
    return True


def run_tasks(
    function: Callable[[Task], object],
    tasks: Sequence[Task],
    weights: Sequence[int],
    workers: int | None,
    description: str,
    unit: str,
) -> None:
    """Run a function over tasks in several processes, with a progress bar.

    Args:
        function: What is done.
        tasks: Its arguments.
        weights: How many units of progress each task is.
        workers: Processes; None takes one a processor.
        description: For the progress bar.
        unit: For the progress bar, in the plural.
    """
    with Progress(description, sum(weights), unit) as progress:
        done = in_order(function, tasks, Workers(workers))
        for _, weight in zip(done, weights, strict=True):
            progress.advance(weight)


def _label_again(
    folder: Path,
    about: Mapping[str, Any],
    label: Callable[[Path], object],
    of_labels: Collection[str],
) -> None:
    """Write the labels of a sample again if it differs in parameters of its labels alone."""

    def of_pictures(record: Mapping[str, Any]) -> dict[str, Any]:
        config = dict(record.get("config") or {}).items()
        return {**record, "config": {k: v for k, v in config if k not in of_labels}}

    existing = read_record(folder / MARKER)
    if existing == about or of_pictures(existing) != of_pictures(about):
        return
    _check_sums(folder)
    (folder / SUMS).unlink(missing_ok=True)
    _write_record(folder, of_pictures(about))  # a kill leaves a sample of no labels
    label(folder)
    _write_record(folder, about)
    _write_sums(folder)
    logger.info("The labels in %s were written again; its pictures stay", folder)


def _write_record(folder: Path, about: Mapping[str, Any]) -> None:
    write_text(folder / MARKER, json.dumps(about, indent=2, sort_keys=True) + "\n")


def _write_sums(folder: Path) -> None:
    """Write the sums of all but the pictures."""
    labels = [path for path in folder.rglob("*") if path.suffix in (".csv", ".txt", ".json")]
    write_sums(folder, [path.relative_to(folder).as_posix() for path in labels])


def _check_sums(folder: Path) -> None:
    check_sums(folder, f"delete {folder}, and it is rendered again")


def _is_made(folder: Path, about: Mapping[str, Any]) -> bool:
    """Whether the sample is there; raises ArtifactError where something else is."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    existing = read_record(folder / MARKER)
    if existing.get("sample") != about["sample"]:
        raise ArtifactError(
            f"{folder} holds files that are not a rendered {about['sample']} sample (its "
            f"{MARKER} is missing or another's), so it is not touched; move it away or choose "
            "another folder."
        )
    gray = {"colour": False}  # what a record says that has no such entry
    changed = changes(gray | existing, gray | dict(about))
    if not changed:
        _check_sums(folder)
        return True
    difference = "; ".join(changed[:4])
    raise ArtifactError(
        f"{folder} holds a sample made with other parameters ({difference}); delete the folder "
        "to render it again."
    )
