"""Removing a person who has withdrawn from everything that was made of their pictures.

Crops, journals, label tables, face stores, predictions and reports lose the person.
Weights cannot: a model that was trained with the person gets a mark beside it, and every
reader of models refuses a marked one until it is trained again (``files.verify``).

The order of the steps is chosen for a removal that is stopped half-way: models are marked
first, and the removal can be repeated at any time.
"""

import csv
import gzip
import html
import io
import json
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import Any, Self

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
    sweep,
)
from action_units.hints import command
from action_units.locks import RUN_LOCK, locked
from action_units.media.file_types import is_picture
from action_units.media.paths import AnyPath, names_in
from action_units.media.photograph_names import folder_of, identity_of
from action_units.media.photographs import Chunk, Photograph, PhotographSource

STUDY, STUDY_PEOPLE = "study", "people.csv"
"""In a run's checkpoints: a folder for each training of the study, with who is in it."""

QUARANTINE = "quarantine"
"""In the reports: a folder of tables for each set."""

PRETRAINED, PEOPLE, CHECKPOINTS = (
    "pretrained.safetensors",
    "pretrained_people.csv",
    "checkpoints",
)
"""In a run's folder: the model, the identities that it was trained with, training states."""

REMEMBERED = "remembered"
"""Name of the folders of what repeated runs read again, as the catalog has it."""

_PERSON_COLUMNS = ("subject", "identity", "person")
_PATH_COLUMNS = ("image", "path", "photograph", "source", "table")
_TABLES = (".csv", ".csv.gz", ".parquet")
_TEXTS = (".html", ".json", ".md", ".tex", ".txt")
_FACE = re.compile(r"_\d+(-FaceId-\d+)?$", re.ASCII)
_DRAWN = re.compile(r"_(annotated|timeline)[^/]*$")  # what `predict` adds to a source's name
_DEPTH = 4  # an identity's photographs lie at most three folders deep
_RECORDING = re.compile(r"(?:Right|Left)Video(SN\d+)(?!\d)", re.ASCII)


@dataclass(frozen=True)
class People:
    """Subjects of coded sets, such as ``SN010``, and identities of web sets.

    Attributes:
        names: As in the label tables, as folders of photographs, and as in names of crops.
        images: The names of their crops that tables know, whatever these are called.
    """

    names: frozenset[str]
    images: frozenset[str] = frozenset()

    @classmethod
    def named(cls, *names: str) -> Self:
        """The people of these names, each in both spellings."""
        return cls(frozenset({*names, *map(identity_of, names)}))

    def include(self, subject: str) -> bool:
        """Whether a subject is one of them; in several sets as one it is ``set/subject``."""
        return not self.names.isdisjoint((subject, subject.rpartition("/")[2]))

    def appear_in(self, path: str) -> bool:
        """Whether a path leads to a picture, recording or folder of one of them."""
        parts = [part for part in re.split(r"[/\\]", path) if part]
        if not parts:
            return False
        if path.startswith("/") or "://" in path:
            # Above its last folders an absolute path names disks and accounts, not people.
            parts = parts[-_DEPTH:]
        stem = PurePosixPath(parts[-1]).stem
        recordings = {match[1] for part in parts if (match := _RECORDING.match(part))}
        if parts[-1] in self.images:
            return True
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


@dataclass(frozen=True)
class WithoutPeople:
    """A source of photographs (``photographs.PhotographSource``) without some people's."""

    source: PhotographSource
    people: People

    def chunks(self) -> Iterator[Chunk]:
        """The chunks that are not of these people alone."""
        for chunk in self.source.chunks():
            if not self.people.appear_in(chunk.id):
                yield _Chunk(chunk.id, chunk.fingerprint, chunk.weight, chunk, self.people)


@dataclass(frozen=True)
class _Chunk:
    """A chunk without the photographs of some people."""

    id: str
    fingerprint: str
    weight: int
    chunk: Chunk
    people: People

    def photographs(self) -> Iterator[Photograph]:
        for photograph in self.chunk.photographs():
            if not self.people.appear_in(f"{photograph.stem}.jpg"):
                yield photograph


@dataclass(frozen=True)
class Layers:
    """Where the products of one set of data are.

    Attributes:
        intermediate: A folder for each set, with the journal of its cropping and OpenFace's
            files, where its program was run.
        primary: A folder for each set, with crops and label CSVs, and tables beside them.
        features: The face store of each set.
        models: A folder for each run.
        predictions: A folder for each run.
        reports: A folder for each run, and what belongs to no run.
        crops: Folders of crops that lie elsewhere, perhaps in a remote store.
    """

    intermediate: Path
    primary: Path
    features: Path
    models: Path
    predictions: Path
    reports: Path
    crops: tuple[AnyPath, ...] = ()

    @property
    def journals(self) -> list[Path]:
        """The journals of the cropping of all sets."""
        return sorted(self.intermediate.glob("*/cropping/"))

    @property
    def crop_folders(self) -> list[AnyPath]:
        """The folders of crops of all sets."""
        return [*sorted(self.primary.glob("*/")), *self.crops]

    @property
    def stores(self) -> dict[str, Path]:
        """The face stores, by the name of their set."""
        indexes = sorted(self.features.glob(f"*/{INDEX_NAME}"))
        return {index.parent.name: index.parent for index in indexes}


@dataclass
class Removal:
    """The removal of a person, and what it has changed.

    Attributes:
        person: Who has withdrawn.
        layers: Where the products are.
        reason: Who and when; kept in the marks of models.
        sets: The sets that the person is in.
        rows: How many rows were removed, by file.
        deleted: Files that were deleted.
        models: Models that were trained with the person.
    """

    person: People
    layers: Layers
    reason: str
    sets: set[str] = field(default_factory=set)
    rows: dict[str, int] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    models: list[Path] = field(default_factory=list)

    def is_in(self, sets: str) -> bool:
        """Whether the person is in one of some sets, as folders of runs name them."""
        return not self.sets.isdisjoint(sets.split("+"))

    def __bool__(self) -> bool:
        """Whether anything of the person was found."""
        return bool(self.rows or self.deleted or self.models)


def withdraw(name: str, layers: Layers, date: str) -> Removal:
    """Remove a person from all products, and mark the models trained with them.

    Args:
        name: The subject or identity.
        layers: Where the products are.
        date: Of the withdrawal; kept in the marks.

    Raises:
        ArtifactError: A run is at work in one of the folders, or the disk refused. What is
            not removed yet is removed when the command is repeated.
    """
    named = People.named(name)
    person = replace(named, images=frozenset(_images_of(named, layers)))
    removal = Removal(person, layers, f"{name}, on {date}")
    roots = [folder for folder in vars(layers).values() if isinstance(folder, Path)]
    with ExitStack() as stack:
        for folder in layers.journals:
            stack.enter_context(locked(folder))
        # A run that is at work could bring the person back.
        for folder in sorted({path.parent for root in roots for path in root.rglob(RUN_LOCK)}):
            stack.enter_context(locked(folder, name=RUN_LOCK))
        for step in _STEPS:
            step(removal)
    return removal


def check_person(name: object, layers: Layers, raw: Path, withdrawn: Iterable[str]) -> str:
    """Check that something was made of a person, or that raw files have the name.

    Args:
        name: The given subject or identity.
        layers: Where the products are.
        raw: The folder of raw data.
        withdrawn: Who withdrew before.

    Returns:
        The name.

    Raises:
        ConfigurationError: No name was given, nothing has it, or it is only a part of names,
            of which crops and stores have the whole.
    """
    if not isinstance(name, str) or not name.strip():
        raise ConfigurationError(
            f"person={name!r} is not a name; give a subject or an identity, such as "
            f"{command('withdraw', person='SN010')}."
        )
    name = name.strip()
    person = People.named(name)
    known = {subject for store in layers.stores.values() for subject in _subjects(store)}
    crops = [name for folder in layers.crop_folders for name in names_in(folder)]
    if person.names & (known | set(withdrawn)) or any(map(person.appear_in, crops)):
        return name
    known |= {_FACE.sub("", PurePosixPath(crop).stem) for crop in crops}
    wholes = sorted(
        folder_of(one) for one in known if any(f"~{n}~" in f"~{one}~" for n in person.names)
    )
    if wholes:
        raise ConfigurationError(
            f"person={name!r} is only a part of names; give one of them whole: "
            f"{', '.join(wholes[:3])}{', …' if len(wholes) > 3 else ''}."
        )
    if files_of(person, raw):
        return name
    near = get_close_matches(name, sorted(known), 3)
    hint = f"did you mean {' or '.join(near)}?" if near else "write the name as in the labels."
    raise ConfigurationError(
        f"person={name!r}: no face, crop or raw file of this name was found; {hint}"
    )


def files_of(person: People, folder: Path) -> list[Path]:
    """The files below a folder that are the person's by their paths in it."""
    return [
        path for path in _files(folder) if person.appear_in(path.relative_to(folder).as_posix())
    ]


def _images_of(person: People, layers: Layers) -> Iterator[str]:
    """The names of a person's crops, by the tables of crops and of coded frames."""
    for path in [*layers.primary.glob("*/*.parquet"), *layers.primary.glob("*_frames.parquet")]:
        with reading(path):
            table = pd.read_parquet(path, columns=["image", "subject"])
        yield from table.loc[table["subject"].isin(person.names), "image"]


def _mark_models(removal: Removal) -> None:
    """Mark every model trained with the person, and delete the states it was trained from."""
    person = removal.person
    removal.sets = {
        name for name, store in removal.layers.stores.items() if person.names & _subjects(store)
    }
    for run in sorted(path for path in removal.layers.models.glob("*") if path.is_dir()):
        in_web = _pretrained_with(run, removal)
        marked: set[Path] = set()
        for path in _files(run, ".safetensors"):
            if path.is_relative_to(run / CHECKPOINTS):
                continue
            provenance = _provenance(path)
            parts = {
                part: any(map(person.include, who))
                for part, who in provenance.get("subjects", {}).items()
            }
            removal.sets |= {
                who.rpartition("/")[0] or path.relative_to(run).parts[0]
                for subjects in provenance.get("subjects", {}).values()
                for who in filter(person.include, subjects)
            }
            from_web = in_web and provenance.get("stage") != "scratch"
            if parts.get("train") or parts.get("validation") or from_web:
                marked.add(path)
        folders = {path.parent for path in marked if path.name != PRETRAINED}
        marked |= {path for folder in folders for path in folder.glob("*.onnx")}
        for path in sorted(marked):
            mark_withdrawn(path, removal.reason)
            removal.models.append(path)
        _delete_states(run, marked, in_web, removal)


def _pretrained_with(run: Path, removal: Removal) -> bool:
    """Whether a run's pre-training saw the person, or may have where that is not recorded."""
    path, person = run / PEOPLE, removal.person
    if path.is_file():
        with path.open(newline="", encoding="utf-8") as file:
            return any(person.include(row["identity"]) for row in csv.DictReader(file))
    return (run / PRETRAINED).is_file() and bool(removal.sets)


def _delete_states(run: Path, marked: set[Path], in_web: bool, removal: Removal) -> None:
    """Delete the training states that hold such weights or name the person."""
    folder = run / CHECKPOINTS
    for state in sorted([*folder.glob("pretrain"), *folder.glob("*/*/fold*_*")]):
        if state.name == "pretrain":
            stale = in_web or not (run / PRETRAINED).is_file()
        else:
            fold, _, variant = state.name.partition("_")
            coded = state.parent.parent.name
            model = run / coded / state.parent.name / fold / f"{variant}.safetensors"
            stale = removal.is_in(coded) or model in marked or not model.is_file()
        if stale:
            with locked(state):
                _delete_tree(state, removal)
    sweep(folder / STUDY, deep=True)  # the faces that a study was killed with
    for people in sorted((folder / STUDY).glob(f"*/{STUDY_PEOPLE}")):
        with people.open(newline="", encoding="utf-8") as file:
            named = any(removal.person.include(row["subject"]) for row in csv.DictReader(file))
        if named:
            _delete_tree(people.parent, removal)


def _subjects(store: Path) -> set[str]:
    """The people of a face store."""
    return set(FaceStore.open(store).subjects.tolist())


def _provenance(path: Path) -> dict[str, Any]:
    """The provenance in a model's header; empty for other files."""
    try:
        with safe_open(path, framework="numpy") as file:
            header = json.loads((file.metadata() or {}).get("action_units", "{}"))
        return dict(header.get("provenance", {}))
    except Exception:  # a damaged file is refused by its manifest anyway
        return {}


def _filter_journals(removal: Removal) -> None:
    person = removal.person

    def without(entry: Entry) -> Entry | None:
        rows = [
            row
            for row in entry.rows
            if not any(isinstance(value, str) and person.appear_in(value) for value in row)
        ]
        quarantined = [row for row in entry.quarantined if not person.appear_in(row[0])]
        if len(rows) == len(entry.rows) and len(quarantined) == len(entry.quarantined):
            return entry
        if not rows and not quarantined:
            return None
        return Entry(entry.id, entry.fingerprint, rows, quarantined)

    for folder in removal.layers.journals:
        if count := forget(folder, without):
            removal.rows[str(folder)] = count


def _delete_crops(removal: Removal) -> None:
    """Delete the person's crops and OpenFace's files, and their rows in the tables there."""
    layers = removal.layers
    for folder in (*layers.crop_folders, *sorted(layers.intermediate.glob("*/openface/"))):
        if not isinstance(folder, Path):  # a remote store, of crops alone
            for crop in folder.iterdir():
                if removal.person.appear_in(crop.name) and crop.is_file():
                    crop.unlink()
                    removal.deleted.append(str(crop))
            continue
        for path in files_of(removal.person, folder):
            _delete(path, removal)
        for path in _files(folder, *_TABLES):
            _filter_table(path, removal)
        renew_sums(folder)


def _filter_stores(removal: Removal) -> None:
    person = removal.person
    for folder in removal.layers.stores.values():
        store = FaceStore.open(folder)
        keep = ~store.table["subject"].isin(person.names).to_numpy()
        set_aside = [
            row for row in store.notes.get("set_aside", []) if not person.appear_in(row[0])
        ]
        notes = {**store.notes, "set_aside": set_aside}
        if keep.all() and notes == dict(store.notes):
            continue
        rows = np.flatnonzero(keep)
        table = store.table.iloc[rows].reset_index(drop=True)
        FaceStore(store.faces[rows], table, store.aus, notes).save(folder)
        removal.rows[str(folder)] = int((~keep).sum())


def _delete_scores(removal: Removal) -> None:
    """Delete all metrics and plots of the person's coded sets: each counts the person."""
    reports = removal.layers.reports
    for folder in sorted([*reports.glob("*/*/"), *reports.glob("*/*/*/on_*/")]):
        sets = folder.name.removeprefix("on_")  # a set that was tested on
        if folder.parent.name != QUARANTINE and removal.is_in(sets) and folder.is_dir():
            _delete_tree(folder, removal)


def _delete_features(removal: Removal) -> None:
    """Delete the stores of features of the person's coded sets; they are quickly made again."""
    for index in sorted(removal.layers.predictions.glob(f"*/*/*/*/*/{INDEX_NAME}")):
        if removal.is_in(index.relative_to(removal.layers.predictions).parts[1]):
            _delete_tree(index.parent, removal)


def _delete_remembered(removal: Removal) -> None:
    """Delete what repeated runs read again: rows without names, the person's among them."""
    if removal.sets:
        for folder in sorted(removal.layers.predictions.rglob(f"{REMEMBERED}/")):
            _delete_tree(folder, removal)


def _delete_predictions(removal: Removal) -> None:
    """Delete what `predict` made of the person's own pictures and videos, by their names."""
    # A run's, of some coded sets and one protocol.
    for root in sorted(removal.layers.predictions.glob("*/*/*/")):
        for path in list(_files(root)):
            source = _DRAWN.sub("", path.relative_to(root).as_posix()).replace("~", "/")
            if removal.person.appear_in(source):
                _delete(path, removal)


def _filter_tables(removal: Removal) -> None:
    layers = removal.layers
    for root in (
        layers.intermediate,
        layers.primary,
        layers.models,
        layers.predictions,
        layers.reports,
    ):
        for path in _files(root, *_TABLES):
            _filter_table(path, removal)


def _delete_mentions(removal: Removal) -> None:
    """Delete texts that name the person, and contact sheets that may show them."""
    layers = removal.layers
    texts = [
        *_files(layers.models, ".json"),
        *_files(layers.predictions, ".json"),
        *_files(layers.reports, *_TEXTS),
    ]
    # A name stands alone in quotes, or in the path of a picture.
    name = rf"({'|'.join(map(re.escape, removal.person.names))})"
    mention = rf"(?<=[\"'>,/\\\s]){name}(?=[\"'<,/\\]|_\d+-FaceId|\.\w{{3,4}}\b)"
    for path in texts:
        if re.search(mention, html.unescape(path.read_text("utf-8", "replace"))):
            _delete(path, removal)
    for pattern in ("*_faces.png", "*/audit.html") if removal else ():
        for sheet in sorted(layers.reports.glob(pattern)):
            _delete(sheet, removal)


_STEPS: tuple[Callable[[Removal], None], ...] = (
    _mark_models,
    _filter_journals,
    _delete_crops,
    _filter_stores,
    _delete_scores,
    _delete_features,
    _delete_remembered,
    _delete_predictions,
    _filter_tables,
    _delete_mentions,
)


def _filter_table(path: Path, removal: Removal) -> None:
    """Remove the person's rows from a table; a table that has none is not written."""
    changed = _parquet_without if path.suffix == ".parquet" else _csv_without
    n_rows, content = changed(path, removal.person)
    if n_rows:
        opened = atomic_artifact if manifest_of(path).is_file() else atomic_write
        with opened(path) as file:
            file.write(content)
        removal.rows[str(path)] = n_rows


def _parquet_without(path: Path, person: People) -> tuple[int, bytes]:
    """How many rows are the person's, and a table's bytes without them."""
    with reading(path):
        table = pd.read_parquet(path)
    columns = [name for name in table if name in (*_PERSON_COLUMNS, *_PATH_COLUMNS)]
    rows = table[columns].itertuples(index=False, name=None)
    own = np.array(_own_rows(columns, rows, person), bool)
    if not own.any():
        return 0, b""
    return int(own.sum()), table[~own].reset_index(drop=True).to_parquet(index=False)


def _csv_without(path: Path, person: People) -> tuple[int, bytes]:
    """As ``_parquet_without``; keeps whatever else the file has, bytes that are no text too."""
    is_gzip = path.suffix == ".gz"
    content = gzip.decompress(path.read_bytes()) if is_gzip else path.read_bytes()
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig", "surrogateescape"))))
    columns = [cell.strip() for cell in rows[0]] if rows else []
    header = rows[:1]
    if columns and is_picture(columns[0]):
        # The paper's tables have no header and begin with the crop's name.
        columns, header = ["image"], []
    body = rows[len(header) :]
    own = _own_rows(columns, ([plain_text(cell) for cell in row] for row in body), person)
    if not any(own):
        return 0, b""
    kept = [row for row, is_own in zip(body, own, strict=True) if not is_own]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([*header, *kept])
    changed = text.getvalue().encode("utf-8", "surrogateescape")
    return sum(own), gzip.compress(changed, mtime=0) if is_gzip else changed


def _own_rows(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], person: People
) -> list[bool]:
    """Whether each row of a table is the person's; a row may be shorter than the header."""
    named = [k for k, name in enumerate(columns) if name in _PERSON_COLUMNS]
    paths = [k for k, name in enumerate(columns) if name in _PATH_COLUMNS]
    return [
        any(person.include(str(row[k])) for k in named if k < len(row))
        or any(person.appear_in(str(row[k])) for k in paths if k < len(row))
        for row in rows
    ]


def _delete(path: Path, removal: Removal) -> None:
    path.unlink(missing_ok=True)
    manifest_of(path).unlink(missing_ok=True)
    removal.deleted.append(str(path))


def _delete_tree(folder: Path, removal: Removal) -> None:
    removal.deleted += [str(path) for path in _files(folder)]
    shutil.rmtree(folder)


def _files(folder: Path, *suffixes: str) -> Iterator[Path]:
    """The files below a folder, in order; with suffixes, those whose paths end in one."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and str(path).endswith(suffixes or ("",)):
            yield path
