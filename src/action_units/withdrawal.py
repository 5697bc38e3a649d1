"""Removing a person who has withdrawn from everything that was made of their pictures.

Crops, journals, label tables, face stores, predictions and reports lose the person.
Weights cannot: a model that was trained with the person gets a mark beside it, and every
reader of models refuses a marked one until it is trained again (``files.verify``).

The order is chosen for a removal that is stopped half-way: models are marked first, and
the removal can be repeated at any time.
"""

import csv
import gzip
import html
import io
import json
import logging
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
from safetensors import safe_open

from action_units.csv_text import plain_text
from action_units.errors import ConfigurationError
from action_units.faces.journal import Entry, forget
from action_units.faces.store import INDEX_NAME, FaceStore
from action_units.files import (
    atomic_artifact,
    atomic_write,
    manifest_of,
    mark_withdrawn,
    reading,
    renew_sums,
)
from action_units.hints import command
from action_units.locks import RUN_LOCK, locked
from action_units.media.file_types import is_picture
from action_units.media.paths import AnyPath, names_in
from action_units.media.photograph_names import folder_of, identity_of
from action_units.media.photographs import Chunk, Photograph, PhotographSource

logger = logging.getLogger(__name__)

PRETRAINED, PEOPLE, CHECKPOINTS = (
    "pretrained.safetensors",
    "pretrained_people.csv",
    "checkpoints",
)
"""In a run's folder: the model, the identities that it was trained with, training states."""

_PERSON_COLUMNS = ("subject", "identity", "person")
_PATH_COLUMNS = ("image", "path", "photograph", "source", "table")
_TABLES = (".csv", ".csv.gz", ".parquet")
_MENTIONED = (".html", ".json", ".md", ".tex", ".txt")
_MODELS = (".safetensors", ".onnx")
_FACE = re.compile(r"_\d+(-FaceId-\d+)?$", re.ASCII)
_DRAWN = re.compile(r"_(annotated|timeline)[^/]*$")  # what `predict` adds to a source's name
_DEPTH = 4  # an identity's photographs lie at most three folders deep
_RECORDING = re.compile(r"(?:Right|Left)Video(SN\d+)(?!\d)", re.ASCII)


@dataclass(frozen=True)
class Person:
    """A subject of the coded set, such as ``SN010``, or an identity of the web set.

    Attributes:
        name: As the label tables have it, or the name of the person's folder of photographs.
    """

    name: str

    @cached_property
    def names(self) -> frozenset[str]:
        """The name, and how the name of a crop spells it."""
        return frozenset({self.name, identity_of(self.name)})

    def is_in(self, path: str) -> bool:
        """Whether a path leads to a picture, recording or folder of the person."""
        parts = [part for part in re.split(r"[/\\]", path) if part]
        if not parts:
            return False
        if path.startswith("/") or "://" in path:
            # Above its last folders an absolute path names disks and accounts, not people.
            parts = parts[-_DEPTH:]
        stem = PurePosixPath(parts[-1]).stem
        recordings = {match[1] for part in parts if (match := _RECORDING.match(part))}
        if {*parts, stem, _FACE.sub("", stem), *recordings} & self.names:
            return True
        # An identity may be several folders deep: `train/p0` is spelled `train~p0`.
        folders = [identity_of(part) for part in parts[:-1]]
        joined = {
            "~".join(folders[start:end])
            for end in range(1, len(folders) + 1)
            for start in range(end)
        }
        return bool(joined & self.names)


def people_of(names: Iterable[str]) -> tuple[Person, ...]:
    """The people of a list of names."""
    return tuple(Person(name) for name in names)


@dataclass(frozen=True)
class WithoutPeople:
    """A source of photographs (``photographs.base.PhotographSource``) without some people's.

    Attributes:
        source: All photographs.
        people: Whose are passed over.
    """

    source: PhotographSource
    people: tuple[Person, ...]

    def chunks(self) -> Iterator[Chunk]:
        """The chunks that are not one of these people's alone."""
        for chunk in self.source.chunks():
            if not any(person.is_in(chunk.id) for person in self.people):
                yield _Chunk(chunk, self.people)


@dataclass(frozen=True)
class _Chunk:
    """A chunk of photographs in which some people's are passed over."""

    chunk: Chunk
    people: tuple[Person, ...]

    @property
    def id(self) -> str:
        return self.chunk.id

    @property
    def fingerprint(self) -> str:
        return self.chunk.fingerprint

    @property
    def weight(self) -> int:
        return self.chunk.weight

    def photographs(self) -> Iterator[Photograph]:
        for photograph in self.chunk.photographs():
            if not any(person.is_in(f"{photograph.stem}.jpg") for person in self.people):
                yield photograph


@dataclass(frozen=True)
class Layers:
    """Where the products of one set of data lie.

    Attributes:
        journals: Folders of what cropping has done.
        openface: OpenFace's files, where its program was run.
        crops: Folders of crops and label CSVs.
        web_store: The face store of the web set.
        coded_store: The face store of the coded set.
        intermediate: Other tables made on the way.
        primary: Other tables beside the crops.
        models: A folder for each run.
        predictions: A folder for each run.
        reports: A folder for each run, and what belongs to no run.
    """

    journals: tuple[Path, ...]
    openface: Path
    crops: tuple[AnyPath, ...]
    web_store: Path
    coded_store: Path
    intermediate: Path
    primary: Path
    models: Path
    predictions: Path
    reports: Path


@dataclass
class Removal:
    """What was done.

    Attributes:
        rows: Rows that were taken out, by file.
        deleted: Files that were deleted.
        models: Models that were trained with the person.
    """

    rows: dict[str, int] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    models: list[Path] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether anything of the person was there."""
        return bool(self.rows or self.deleted or self.models)


def withdraw(name: str, layers: Layers, date: str) -> Removal:
    """Remove a person from all products, and mark the models trained with them.

    Args:
        name: The subject or identity.
        layers: Where the products lie.
        date: Of the withdrawal; kept in the marks.

    Returns:
        What was removed; empty where nothing of the person was found.

    Raises:
        ArtifactError: A run is at work in one of the folders, or the disk refused. What is
            not removed yet is removed when the command is repeated.
    """
    person, done = Person(name), Removal()
    with ExitStack() as stack:
        for folder in layers.journals:
            stack.enter_context(locked(folder))
        for folder in _at_work(layers):
            stack.enter_context(locked(folder, name=RUN_LOCK))
        coded = _mark_models(person, layers, done, f"{name}, on {date}")
        for folder in layers.journals:
            if count := forget(folder, lambda entry: _without(entry, person)):
                done.rows[str(folder)] = count
        for crops in layers.crops:
            _delete_crops(crops, person, done)
        _delete_files(layers.openface, person, done)
        for store in (layers.web_store, layers.coded_store):
            _filter_store(store, person, done)
        if coded:
            _delete_scores(layers.reports, done)
        _delete_predicted(layers.predictions, person, done)
        for root in (
            layers.intermediate,
            layers.primary,
            layers.models,
            layers.predictions,
            layers.reports,
        ):
            for path in _files(root, _TABLES):
                _filter_table(path, person, done)
        _delete_mentions(layers, person, done)
    return done


def _at_work(layers: Layers) -> list[Path]:
    """Folders in which a run is at work, or was killed: it could bring the person back."""
    roots = (
        *(folder for folder in layers.crops if isinstance(folder, Path)),
        *(layers.web_store, layers.coded_store, layers.intermediate, layers.primary),
        *(layers.models, layers.predictions, layers.reports),
    )
    return sorted({path.parent for root in roots for path in root.rglob(RUN_LOCK)})


def check_person(name: object, layers: Layers, raw: Path, withdrawn: Iterable[str]) -> str:
    """Refuse a person of whom nothing is there.

    Args:
        name: What was given as the subject or identity.
        layers: Where the products lie.
        raw: The folder of raw data.
        withdrawn: Who withdrew before.

    Returns:
        The name.

    Raises:
        ConfigurationError: No name was given, nothing knows it, or it is only a part of names,
            of which crops and stores have the whole.
    """
    if not isinstance(name, str) or not name.strip():
        raise ConfigurationError(
            f"person={name!r} names nobody; give a subject or an identity, such as "
            f"{command('withdraw', person='SN010')}."
        )
    person = Person(name.strip())
    known = _subjects(layers.web_store) | _subjects(layers.coded_store)
    if person.names & (known | set(withdrawn)):
        return person.name
    crops = [crop for folder in layers.crops for crop in names_in(folder)]
    if any(person.is_in(crop) for crop in crops):
        return person.name
    known |= {_FACE.sub("", PurePosixPath(crop).stem) for crop in crops}
    wholes = sorted(
        folder_of(one) for one in known if any(f"~{n}~" in f"~{one}~" for n in person.names)
    )
    if wholes:
        raise ConfigurationError(
            f"person={person.name!r} is a part of names alone; give one of them whole: "
            f"{', '.join(wholes[:3])}{', …' if len(wholes) > 3 else ''}."
        )
    if raw_files_of(person.name, raw)[1]:
        return person.name
    near = get_close_matches(person.name, sorted(known), 3)
    hint = f"did you mean {' or '.join(near)}?" if near else "write the name as in the labels."
    raise ConfigurationError(
        f"person={person.name!r}: no face, crop or raw file of this name is there; {hint}"
    )


def raw_files_of(name: str, folder: Path, most: int = 3) -> tuple[list[Path], int]:
    """Raw files of a person, which only their owner may delete.

    Args:
        name: The subject or identity.
        folder: The folder of raw data.
        most: How many are listed.

    Returns:
        The first of them, and how many there are.
    """
    person = Person(name)
    paths = [
        path for path in _files(folder) if person.is_in(path.relative_to(folder).as_posix())
    ]
    return paths[:most], len(paths)


def _mark_models(person: Person, layers: Layers, done: Removal, reason: str) -> bool:
    """Mark every model trained with the person, and delete the states it was trained from.

    Returns:
        Whether the person is a subject of the coded set, in any fold's part.
    """
    coded = bool(person.names & _subjects(layers.coded_store))
    for run in sorted(path for path in layers.models.glob("*") if path.is_dir()):
        in_web = _pretrained_with(run, person, layers.web_store)
        marked: set[Path] = set()
        for path in _files(run, (".safetensors",)):
            if path.is_relative_to(run / CHECKPOINTS):
                continue
            provenance = _provenance(path)
            subjects: Mapping[str, Iterable[str]] = provenance.get("subjects", {})
            coded = coded or any(person.names & set(part) for part in subjects.values())
            trained = {*subjects.get("train", ()), *subjects.get("validation", ())}
            from_web = in_web and provenance.get("stage") != "scratch"
            if person.names & trained or from_web:
                marked.add(path)
        folders = {path.parent for path in marked if path.name != PRETRAINED}
        marked |= {path for folder in folders for path in folder.glob("*.onnx")}
        for path in sorted(marked):
            mark_withdrawn(path, reason)
            done.models.append(path)
        _delete_states(run, marked, in_web, coded, done)
    return coded


def _subjects(store: Path) -> set[str]:
    """Who is in a face store; nobody where there is none."""
    if not (store / INDEX_NAME).is_file():
        return set()
    return set(FaceStore.open(store).subjects.tolist())


def _pretrained_with(run: Path, person: Person, web_store: Path) -> bool:
    """Whether a run's pre-training saw the person, or may have where that is not recorded."""
    path = run / PEOPLE
    if path.is_file():
        with path.open(newline="", encoding="utf-8") as file:
            return any(row["identity"] in person.names for row in csv.DictReader(file))
    return (run / PRETRAINED).is_file() and bool(person.names & _subjects(web_store))


def _delete_states(
    run: Path, marked: set[Path], in_web: bool, coded: bool, done: Removal
) -> None:
    """Delete the training states that hold such weights or name the person."""
    folder = run / CHECKPOINTS
    for state in sorted([*folder.glob("pretrain"), *folder.glob("*/fold*_*")]):
        if state.name == "pretrain":
            stale = in_web or not (run / PRETRAINED).is_file()
        else:
            fold, _, variant = state.name.partition("_")
            model = run / state.parent.name / fold / f"{variant}.safetensors"
            stale = coded or model in marked or not model.is_file()
        if stale:
            with locked(state):
                _delete_tree(state, done)


def _provenance(path: Path) -> dict[str, Any]:
    """What a model's header says of its training; nothing where it is no model of ours."""
    try:
        with safe_open(path, framework="numpy") as file:
            header = json.loads((file.metadata() or {}).get("action_units", "{}"))
        return dict(header.get("provenance", {}))
    except Exception:  # a damaged file is refused by its manifest anyway
        return {}


def _without(entry: Entry, person: Person) -> Entry | None:
    """A journal's entry without the person's rows; None where nothing is left."""
    rows = [row for row in entry.rows if not _row_shows(row, person)]
    set_aside = [row for row in entry.quarantined if not person.is_in(row[0])]
    if len(rows) == len(entry.rows) and len(set_aside) == len(entry.quarantined):
        return entry
    return Entry(entry.id, entry.fingerprint, rows, set_aside) if rows or set_aside else None


def _row_shows(row: list[Any], person: Person) -> bool:
    return any(isinstance(value, str) and person.is_in(value) for value in row)


def _delete_crops(folder: AnyPath, person: Person, done: Removal) -> None:
    for path in [path for path in folder.iterdir() if person.is_in(path.name)]:
        if path.is_file():
            path.unlink()
            done.deleted.append(str(path))
    if isinstance(folder, Path):
        for path in _files(folder, _TABLES):
            _filter_table(path, person, done)
        renew_sums(folder)


def _delete_files(folder: Path, person: Person, done: Removal) -> None:
    """Delete the person's own files below a folder."""
    for path in list(_files(folder)):
        if person.is_in(path.relative_to(folder).as_posix()):
            path.unlink()
            done.deleted.append(str(path))
        elif path.name.endswith(_TABLES):
            _filter_table(path, person, done)
    renew_sums(folder)


def _delete_predicted(folder: Path, person: Person, done: Removal) -> None:
    """Delete what `predict` made of the person's own pictures and videos, and is named so."""
    for root in sorted(folder.glob("*/*")):  # a run's, of one protocol
        for path in list(_files(root)):
            name = _DRAWN.sub("", path.relative_to(root).as_posix()).replace("~", "/")
            if person.is_in(name):
                _delete(path, done)


def _filter_store(folder: Path, person: Person, done: Removal) -> None:
    if not (folder / INDEX_NAME).is_file():
        return
    store = FaceStore.open(folder)
    keep = ~store.table["subject"].isin(person.names).to_numpy()
    aside = [row for row in store.notes.get("set_aside", []) if not person.is_in(row[0])]
    notes = {**store.notes, "set_aside": aside}
    if keep.all() and notes == dict(store.notes):
        return
    rows = np.flatnonzero(keep)
    table = store.table.iloc[rows].reset_index(drop=True)
    FaceStore(store.faces[rows], table, store.aus, notes).save(folder)
    done.rows[str(folder)] = int((~keep).sum())


def _delete_scores(reports: Path, done: Removal) -> None:
    """Delete what was measured or drawn of the coded set: every figure counts the person."""
    for folder in sorted(reports.glob("*/*")):
        if folder.is_dir():
            _delete_tree(folder, done)


def _delete_mentions(layers: Layers, person: Person, done: Removal) -> None:
    """Delete texts that name the person, and contact sheets that may show them."""
    texts = [
        *_files(layers.models, ("/subjects.json",)),
        *_files(layers.predictions, (".json",)),
        *_files(layers.reports, _MENTIONED),
    ]
    for path in texts:
        if _mentions(path, person):
            _delete(path, done)
    for sheet in layers.reports.glob("*_faces.png"):
        if done:
            _delete(sheet, done)


def _mentions(path: Path, person: Person) -> bool:
    """Whether a text names the person, alone in quotes or in the path of a picture."""
    text = html.unescape(path.read_text("utf-8", "replace"))
    after = r"(?=[\"'<,/\\]|_\d+-FaceId|\.\w{3,4}\b)"
    return any(
        re.search(rf"(?<=[\"'>,/\\\s]){re.escape(name)}{after}", text) for name in person.names
    )


def _filter_table(path: Path, person: Person, done: Removal) -> None:
    """Take the person's rows out of a table, which stays as it was where it has none."""
    if path.suffix == ".parquet":
        with reading(path):
            table = pd.read_parquet(path)
        drop = _shows(table, person)
        if drop.any():
            kept = table[~drop].reset_index(drop=True)
            _replace(path, lambda file: kept.to_parquet(file, index=False))
            done.rows[str(path)] = int(drop.sum())
        return
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig", "surrogateescape"))))
    if not rows:
        return
    header = [cell.strip() for cell in rows[0]]
    named = [k for k, name in enumerate(header) if name in _PERSON_COLUMNS]
    paths = [k for k, name in enumerate(header) if name in _PATH_COLUMNS]
    if not named and not paths:
        if not is_picture(header[0]):
            return
        paths = [0]  # the paper's tables have no header and begin with the crop's name
    body = rows if is_picture(header[0]) else rows[1:]
    kept_rows = [
        row
        for row in body
        if not any(plain_text(row[k]) in person.names for k in named if k < len(row))
        and not any(person.is_in(plain_text(row[k])) for k in paths if k < len(row))
    ]
    if len(kept_rows) == len(body):
        return
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(
        [*rows[: len(rows) - len(body)], *kept_rows]
    )
    changed = text.getvalue().encode("utf-8", "surrogateescape")
    changed = gzip.compress(changed, mtime=0) if path.suffix == ".gz" else changed
    _replace(path, lambda file: file.write(changed))
    done.rows[str(path)] = len(body) - len(kept_rows)


def _shows(table: pd.DataFrame, person: Person) -> "pd.Series[bool]":
    drop = pd.Series(False, index=table.index)
    for name in _PERSON_COLUMNS:
        if name in table:
            drop |= table[name].isin(person.names)
    for name in _PATH_COLUMNS:
        if name in table:
            drop |= table[name].map(lambda value: person.is_in(str(value))).astype(bool)
    return drop


def _replace(path: Path, write: Callable[[Any], object]) -> None:
    opened = atomic_artifact if manifest_of(path).is_file() else atomic_write
    with opened(path) as file:
        write(file)


def _delete(path: Path, done: Removal) -> None:
    path.unlink(missing_ok=True)
    manifest_of(path).unlink(missing_ok=True)
    done.deleted.append(str(path))


def _delete_tree(folder: Path, done: Removal) -> None:
    done.deleted += [str(path) for path in _files(folder)]
    shutil.rmtree(folder)


def _files(folder: Path, suffixes: tuple[str, ...] = ("",)) -> Iterator[Path]:
    """The files below a folder whose names end so, in order."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and str(path).endswith(suffixes):
            yield path
