"""The interchange format: label tables of crops, as the method's authors published them.

A table is a CSV file without a header: ``image,rectsize,gender,AU..`` for the
web faces (gender and 18 AUs), ``image,rectsize,AU..`` for DISFA (12 AUs), every
label 0 or 1. ``rectsize`` is the quoted rectangle ``"(x,y,width,height)"`` of
the face in its crop, with or without spaces; the published ones all begin at 0,0.

Reading is strict. One regular expression takes a whole file that is as it
should be; only a file that is not is read again line by line, to name the line.
A path that ends in ``.gz`` is unpacked on the way.
"""

import csv
import gzip
import io
import logging
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from action_units.errors import LabelError
from action_units.files import write_text
from action_units.labels.action_units import DISFA_AUS, PRETRAIN_AUS, au_columns, aus_of_columns
from action_units.labels.folds import FoldProtocol
from action_units.labels.names import DISFA_NAME, WEB_NAME, parse_disfa_name, parse_web_name
from action_units.labels.warnings import disfa_warnings, web_warnings

logger = logging.getLogger(__name__)

_FOLDS = (1, 2, 3)
_RECT = r"\( ?(\d{1,5}), ?(\d{1,5}), ?([1-9]\d{0,4}), ?([1-9]\d{0,4}) ?\)"
_RECT_PATTERN = re.compile(_RECT, re.ASCII)
_HEADER_WORDS = {"image", "images", "name", "file", "filename", "path", "img"}

_MOST_UNPACKED = 200
"""Bytes for each of a packed table, which are some tens in fact."""

_Row = tuple[str, str, str]  # image, rectsize, ",0,1,…" with the gender first


@dataclass(frozen=True)
class _Layout:
    """One of the two kinds of table."""

    what: str
    aus: tuple[int, ...]
    gender: bool

    @property
    def columns(self) -> list[str]:
        """The columns that are 0 or 1."""
        return [*(["gender"] if self.gender else []), *au_columns(self.aus)]

    def pattern(self) -> re.Pattern[str]:
        """A whole line; its first groups are the image and the parts of its name."""
        name = WEB_NAME if self.gender else DISFA_NAME
        labels = rf"(?:,[01]){{{len(self.columns)}}}"
        return re.compile(rf'^({name}),"({_RECT})"({labels})$', re.ASCII | re.MULTILINE)


def _pretrain(aus: Sequence[int]) -> _Layout:
    return _Layout("pre-training", tuple(aus), gender=True)


def _finetune(aus: Sequence[int]) -> _Layout:
    return _Layout("DISFA", tuple(aus), gender=False)


def read_pretrain_labels(path: Path | str, aus: Sequence[int] = PRETRAIN_AUS) -> pd.DataFrame:
    """Read the labels of web faces: ``image,rectsize,gender,AU..``.

    Args:
        path: The CSV file.
        aus: The AUs of its label columns.

    Returns:
        A row a face in the file's order: ``image``, ``rectsize`` as it stands,
        ``gender`` (0 or 1), ``subject`` (the identity), and int8 columns ``AU01`` …

    Raises:
        LabelError: The file cannot be trusted; names the file and the line.
    """
    return _read(Path(path), _pretrain(aus))


def read_finetune_labels(path: Path | str, aus: Sequence[int] = DISFA_AUS) -> pd.DataFrame:
    """Read the labels of DISFA frames: ``image,rectsize,AU..``.

    Args:
        path: The CSV file.
        aus: The AUs of its label columns.

    Returns:
        A row a frame in the file's order: ``image``, ``rectsize`` as it stands,
        ``subject``, ``frame`` (DISFA's number, from 1: the crop's number plus one),
        and int8 columns ``AU01`` …

    Raises:
        LabelError: The file cannot be trusted; names the file and the line.
    """
    return _read(Path(path), _finetune(aus))


def write_pretrain_labels(
    table: pd.DataFrame, path: Path | str, aus: Sequence[int] = PRETRAIN_AUS
) -> None:
    """Write what ``read_pretrain_labels`` reads; the same table gives the same bytes."""
    _write(table, Path(path), ["gender", *au_columns(aus)])


def write_finetune_labels(
    table: pd.DataFrame, path: Path | str, aus: Sequence[int] = DISFA_AUS
) -> None:
    """Write what ``read_finetune_labels`` reads; the same table gives the same bytes."""
    _write(table, Path(path), au_columns(aus))


def parse_rectsize(rectsize: str) -> tuple[int, int, int, int]:
    """The x, y, width and height in ``(0, 0, 300, 300)``; raises ValueError."""
    match = _RECT_PATTERN.fullmatch(rectsize)
    if match is None:
        raise ValueError(
            f"rectangle {rectsize!r} is not of the form (x,y,width,height) with whole "
            "numbers, a width and a height, such as (0,0,120,120)"
        )
    return int(match[1]), int(match[2]), int(match[3]), int(match[4])


def line_of(path: Path, image: str) -> int | None:
    """The line, from 1, on which a table has an image."""
    for number, line in enumerate(_lines(path), 1):
        if line.startswith((f"{image},", f'"{image}",')):
            return number
    return None


def _write(table: pd.DataFrame, path: Path, columns: list[str]) -> None:
    labels = table[columns].to_numpy()
    if not np.isin(labels, (0, 1)).all():
        raise ValueError("every label of a label table must be 0 or 1")
    digits = labels.astype(np.int8).astype("U1").tolist()
    rows = zip(table["image"], table["rectsize"], digits, strict=True)
    text = "".join(f'{image},"{rect}",{",".join(labels)}\n' for image, rect, labels in rows)
    write_text(path, text)


def _read(path: Path, layout: _Layout) -> pd.DataFrame:
    lines = _lines(path)
    filled = [line for line in lines if line.strip()]
    if not filled:
        raise LabelError(path, "the file is empty; expected one line for each image.")
    found = layout.pattern().findall("\n".join(filled))
    rows: list[_Row]
    if len(found) == len(filled):
        rows = [(match[0], match[4], match[9]) for match in found]
        names = [match[1:4] for match in found]
    else:
        rows = [
            _row(path, number, line, layout)
            for number, line in enumerate(lines, 1)
            if line.strip()
        ]
        names = [_name_parts(image, layout) for image, _, _ in rows]
    table = pd.DataFrame({"image": [row[0] for row in rows]})
    if table["image"].duplicated().any():
        _refuse_duplicates(path, table["image"], lines)
    table["rectsize"] = [row[1] for row in rows]
    digits = np.frombuffer("".join(row[2] for row in rows).encode(), np.uint8)
    labels = (digits.reshape(len(rows), -1)[:, 1::2] - ord("0")).astype(np.int8)  # (N, C)
    if layout.gender:
        table["gender"] = labels[:, 0]
        table["subject"] = [name[0] for name in names]
    else:
        table["subject"] = ["SN" + name[1] for name in names]
        table["frame"] = np.array([name[2] for name in names], np.int64) + 1
    first_au = len(layout.columns) - len(layout.aus)
    aus = pd.DataFrame(labels[:, first_au:], columns=au_columns(layout.aus))
    return pd.concat([table, aus], axis=1)


def _lines(path: Path) -> list[str]:
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = _unpacked(content)
        text = content.decode("utf-8-sig")
    except FileNotFoundError:
        raise LabelError(path, "there is no such file.") from None
    except IsADirectoryError:
        raise LabelError(path, "this is a folder; expected a CSV file.") from None
    except UnicodeDecodeError as error:
        raise LabelError(
            path, f"byte {error.start:,} is not UTF-8 text; save the table as UTF-8."
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        raise LabelError(path, f"the file cannot be read ({error}).") from None
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _unpacked(content: bytes) -> bytes:
    """What a gzip file holds, unless it is far more than a table packs into so few bytes."""
    most = _MOST_UNPACKED * len(content) + (1 << 24)
    with gzip.open(io.BytesIO(content)) as file:
        unpacked = file.read(most + 1)
    if len(unpacked) > most:
        raise OSError(f"it unpacks to more than {most:,} bytes")
    return unpacked


def _row(path: Path, number: int, line: str, layout: _Layout) -> _Row:
    """Read one line by the rules of CSV, or say what is wrong with it."""
    try:
        cells = next(csv.reader([line], skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise LabelError(path, f"the line is not CSV ({error}).", number) from None
    cells = [cell.strip() for cell in cells]
    if cells[0].lower() in _HEADER_WORDS:
        raise LabelError(
            path, "this is a header row; label tables have none, so delete the line.", number
        )
    expected = 2 + len(layout.columns)
    if len(cells) != expected:
        raise LabelError(path, _wrong_width(cells, expected, layout), number)
    image, rectsize, *labels = cells
    try:
        _name_parts(image, layout)
        parse_rectsize(rectsize)
    except ValueError as error:
        raise LabelError(path, f"{error}.", number) from None
    for column, label in zip(layout.columns, labels, strict=True):
        if label not in ("0", "1"):
            raise LabelError(path, f"{column} is {label!r}; a label must be 0 or 1.", number)
    return image, rectsize, "".join("," + label for label in labels)


def _wrong_width(cells: list[str], expected: int, layout: _Layout) -> str:
    problem = (
        f"{len(cells)} columns, but a {layout.what} table has {expected}: image, rectsize, "
        f"{'gender, ' if layout.gender else ''}{len(layout.aus)} AUs."
    )
    other = _finetune(DISFA_AUS) if layout.gender else _pretrain(PRETRAIN_AUS)
    if len(cells) == 2 + len(other.columns):
        problem += f" This is as wide as a {other.what} table: were the two swapped?"
    elif len(cells) == expected + 3 and cells[1].startswith("("):
        problem += ' The rectangle must stand in quotes: "(0,0,120,120)".'
    return problem


def _name_parts(image: str, layout: _Layout) -> tuple[str, str, str]:
    """What the groups of the name's pattern hold; raises ValueError."""
    if layout.gender:
        web = parse_web_name(image)
        return web.identity, str(web.number), str(web.face)
    frame = parse_disfa_name(image)
    return frame.camera, frame.subject.removeprefix("SN"), str(frame.frame - 1)


def _refuse_duplicates(path: Path, images: "pd.Series[str]", lines: list[str]) -> None:
    numbers = [number for number, line in enumerate(lines, 1) if line.strip()]
    second = int(images.duplicated().to_numpy().argmax())
    image = images.iloc[second]
    first = int((images == image).to_numpy().argmax())
    raise LabelError(
        path,
        f"{image} is there twice, first on line {numbers[first]}; keep one of the two lines.",
        numbers[second],
    )


@dataclass(frozen=True)
class FoldTables:
    """All DISFA frames of a folder of fold tables, and who is where.

    Attributes:
        table: Each frame once, as ``read_finetune_labels`` gives it, ordered by
            subject, frame and camera.
        train: The subjects that each fold's ``_train`` file has.
        test: The subjects that each fold's ``_test`` file has.
        warnings: A sentence about each oddity that does not stop the run.
    """

    table: pd.DataFrame
    train: dict[int, tuple[str, ...]]
    test: dict[int, tuple[str, ...]]
    warnings: list[str]

    def differences_from(self, protocol: FoldProtocol) -> list[str]:
        """Where the files' folds are not a protocol's, a sentence each."""
        differences = []
        there = set(self.table["subject"])
        for fold, subjects in sorted(self.test.items()):
            expected = [who for who in protocol.test_subjects(fold) if who in there]
            if set(subjects) != set(expected):
                differences.append(
                    f"fold {fold} of the files tests on {', '.join(subjects)}, but fold {fold} "
                    f"of protocol {protocol.name!r} on {', '.join(expected)}."
                )
        return differences


@dataclass(frozen=True)
class WebTables:
    """All web faces of a folder of tables.

    Attributes:
        table: As ``read_pretrain_labels`` gives it, train before test, with a
            column ``split`` of ``train`` and ``test``.
        warnings: A sentence about each oddity that does not stop the run.
    """

    table: pd.DataFrame
    warnings: list[str]


def read_fold_tables(folder: Path | str, aus: Sequence[int] = DISFA_AUS) -> FoldTables:
    """Read those of ``fold{1,2,3}_{train,test}.csv`` (or ``.csv.gz``) that are there.

    Args:
        folder: The folder that has them.
        aus: The AUs of their label columns.

    Raises:
        LabelError: A file cannot be trusted, the folder has none, a subject is in
            train and test of one fold or in two folds' tests, or two files
            disagree about a frame.
    """
    folder = Path(folder)
    paths = {
        (fold, part): path
        for fold in _FOLDS
        for part in ("train", "test")
        if (path := _existing(folder / f"fold{fold}_{part}.csv"))
    }
    if not paths:
        raise LabelError(
            folder, "no fold table is there; expected fold1_train.csv, fold1_test.csv, …"
        )
    tables = {key: read_finetune_labels(path, aus) for key, path in paths.items()}
    subjects = {key: set(table["subject"]) for key, table in tables.items()}
    for fold in _FOLDS:
        train, test = (fold, "train"), (fold, "test")
        if train in paths and test in paths:
            _refuse_shared(paths, tables, subjects, train, test)
    for one, other in combinations([key for key in paths if key[1] == "test"], 2):
        _refuse_shared(paths, tables, subjects, one, other)
    whole = _united(list(paths.values()), list(tables.values()), au_columns(aus))
    frames = whole["subject"].value_counts().to_dict()
    warnings = [
        f"{paths[key].name} has {count:,} of the {frames[subject]:,} frames of {subject}."
        for key, table in tables.items()
        for subject, count in sorted(table["subject"].value_counts().to_dict().items())
        if count < frames[subject]
    ]

    def who(part: str) -> dict[int, tuple[str, ...]]:
        return {key[0]: tuple(sorted(subjects[key])) for key in paths if key[1] == part}

    return FoldTables(whole, who("train"), who("test"), warnings + disfa_warnings(whole, aus))


def read_web_tables(
    folder: Path | str,
    aus: Sequence[int] = PRETRAIN_AUS,
    allow_identity_overlap: bool = False,
) -> WebTables:
    """Read those of ``{train,test}_label.csv`` (or ``.csv.gz``) that are there.

    Args:
        folder: The folder that has them.
        aus: The AUs of their label columns.
        allow_identity_overlap: Accept people whose faces are in both files; they
            are then named in the warnings.

    Raises:
        LabelError: A file cannot be trusted, the folder has none, or an image or
            (unless allowed) an identity is in both.
    """
    folder = Path(folder)
    paths = {
        part: path
        for part in ("train", "test")
        if (path := _existing(folder / f"{part}_label.csv"))
    }
    if not paths:
        raise LabelError(
            folder, "no label table is there; expected train_label.csv and test_label.csv."
        )
    tables = {part: read_pretrain_labels(path, aus) for part, path in paths.items()}
    warnings = []
    if len(tables) == 2:
        train, test = tables["train"], tables["test"]
        shared = test["image"][test["image"].isin(train["image"])]
        if len(shared):
            raise LabelError(
                paths["test"],
                f"{shared.iloc[0]} is also in {paths['train'].name} "
                f"({len(shared):,} images are in both); an image belongs to one split.",
                line_of(paths["test"], shared.iloc[0]),
            )
        people = sorted(set(train["subject"]) & set(test["subject"]))
        if people:
            image = test["image"][test["subject"] == people[0]].iloc[0]
            problem = (
                f"{len(people):,} people are also in {paths['train'].name}, the first is "
                f"{people[0]}"
            )
            if not allow_identity_overlap:
                raise LabelError(
                    paths["test"],
                    f"{problem}; figures on faces of people seen in training flatter the "
                    "model. Move each person into one file, or allow identity overlap.",
                    line_of(paths["test"], image),
                )
            warnings.append(f"{paths['test'].name}: {problem}.")
    whole = pd.concat(
        [table.assign(split=part) for part, table in tables.items()], ignore_index=True
    )
    whole = whole[[name for name in whole if name not in au_columns(aus)] + au_columns(aus)]
    return WebTables(whole, warnings + web_warnings(whole))


def write_fold_tables(table: pd.DataFrame, folder: Path, protocol: FoldProtocol) -> list[Path]:
    """Write DISFA frames as the paper's six files, and return those that have a subject."""
    written = []
    for fold in protocol.folds:
        is_test = table["subject"].isin(protocol.test_subjects(fold))
        for part, rows in (("train", table[~is_test]), ("test", table[is_test])):
            path = folder / f"fold{fold}_{part}.csv"
            if len(rows):
                write_finetune_labels(rows, path)
                written.append(path)
            else:
                path.unlink(missing_ok=True)
                logger.info("%s is not written: the data has no subject of it", path)
    return written


def write_web_tables(table: pd.DataFrame, folder: Path) -> list[Path]:
    """Write web faces as the paper's two files, by their ``split``; returns their paths."""
    aus = aus_of_columns(table.columns)
    paths = {split: folder / f"{split}_label.csv" for split in ("train", "test")}
    for split, path in paths.items():
        write_pretrain_labels(table[table["split"] == split], path, aus)
    return list(paths.values())


def _existing(path: Path) -> Path | None:
    packed = path.with_name(path.name + ".gz")
    return next((each for each in (path, packed) if each.exists()), None)


def _refuse_shared(
    paths: dict[tuple[int, str], Path],
    tables: dict[tuple[int, str], pd.DataFrame],
    subjects: dict[tuple[int, str], set[str]],
    one: tuple[int, str],
    other: tuple[int, str],
) -> None:
    """Refuse two files that must have no subject in common, and have one."""
    shared = sorted(subjects[one] & subjects[other])
    if not shared:
        return
    images = tables[other]["image"]
    image = images[tables[other]["subject"] == shared[0]].iloc[0]
    what = "train and test of a fold" if one[0] == other[0] else "the tests of two folds"
    raise LabelError(
        paths[other],
        f"subject {shared[0]} is also in {paths[one].name} ({len(shared)} in common); {what} "
        "must have no subject in common.",
        line_of(paths[other], image),
    )


def _united(paths: list[Path], tables: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    """Each image once; refuses files that disagree about one."""
    every = pd.concat(tables, ignore_index=True)
    of_file = np.repeat(np.arange(len(tables)), [len(table) for table in tables])
    image, _ = pd.factorize(every["image"])
    first = np.unique(image, return_index=True)[1][image]  # (N,) row that has it first
    bits = every[columns].to_numpy(np.int64) @ (1 << np.arange(len(columns)))
    rects, _ = pd.factorize(every["rectsize"])
    differs = (bits != bits[first]) | (rects != rects[first])
    if differs.any():
        row = int(differs.argmax())
        here, there = paths[of_file[row]], paths[of_file[first[row]]]
        name = str(every["image"].iloc[row])
        one, two = every.iloc[row], every.iloc[first[row]]
        column = next(c for c in [*columns, "rectsize"] if one[c] != two[c])
        raise LabelError(
            here,
            f"{name} has {column} {one[column]}, but {two[column]} in {there.name}, line "
            f"{line_of(there, name)}; the same frame must have the same labels everywhere.",
            line_of(here, name),
        )
    kept = every.iloc[np.flatnonzero(first == np.arange(len(every)))]
    return kept.sort_values(["subject", "frame", "image"], ignore_index=True)
