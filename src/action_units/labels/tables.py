"""The paper's label files, as its authors published them: import and export.

A table is a CSV file without a header: ``image,rectsize,gender,AU..`` for the web faces
(gender and 18 AUs), ``image,rectsize,AU..`` for DISFA (12 AUs), every label 0 or 1.
``rectsize`` is the quoted rectangle ``"(x,y,width,height)"`` of the face in its crop, with or
without spaces; the published ones all begin at 0,0. DISFA's tables are in
``fold{1,2,3}_{train,test}.csv``, those of the web set in ``{train,test}_label.csv``, each
perhaps as ``.csv.gz``. Reading is strict: every fault names the file and the line.
"""

import csv
import gzip
import io
import logging
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pandas as pd

from action_units.errors import LabelError
from action_units.files import write_text
from action_units.labels.action_units import DISFA_AUS, PRETRAIN_AUS, au_columns, aus_of_columns
from action_units.labels.folds import FoldProtocol
from action_units.labels.names import DISFA_NAME, WEB_NAME, parse_disfa_name, parse_web_name
from action_units.labels.warnings import coded_warnings, web_warnings

logger = logging.getLogger(__name__)

_FOLDS = (1, 2, 3)
_RECT = r"\( ?(\d{1,5}), ?(\d{1,5}), ?([1-9]\d{0,4}), ?([1-9]\d{0,4}) ?\)"
_RECT_PATTERN = re.compile(_RECT, re.ASCII)
_HEADER_WORDS = {"image", "images", "name", "file", "filename", "path", "img"}
_UNPACKED_FACTOR = 200  # bytes for each of a packed table, which are some tens in fact

_Row = tuple[str, str, str, str, str]
"""Image, rectsize, "0,1,…" with the gender first, subject, and of DISFA the image's number."""


@dataclass(frozen=True)
class _Kind:
    """One of the two kinds of table."""

    name: str
    aus: tuple[int, ...]
    gender: bool

    @property
    def columns(self) -> list[str]:
        """The columns that are 0 or 1."""
        return [*(["gender"] if self.gender else []), *au_columns(self.aus)]

    @property
    def image_name(self) -> str:
        """The pattern of an image's name."""
        return WEB_NAME if self.gender else DISFA_NAME

    @property
    def number_group(self) -> str:
        """The group of that pattern that has the image's number."""
        return "number" if self.gender else "index"

    def line_pattern(self) -> re.Pattern[str]:
        """A whole line, as it is written here."""
        labels = rf"[01](?:,[01]){{{len(self.columns) - 1}}}"
        return re.compile(
            rf'(?P<image>{self.image_name}),"(?P<rect>{_RECT})",(?P<labels>{labels})', re.ASCII
        )

    def check_name(self, image: str) -> None:
        """Raise ValueError where an image's name is of another form."""
        (parse_web_name if self.gender else parse_disfa_name)(image)


def read_pretrain_labels(path: Path | str, aus: Sequence[int] = PRETRAIN_AUS) -> pd.DataFrame:
    """Read the labels of web faces: ``image,rectsize,gender,AU..``.

    Args:
        path: The CSV file.
        aus: The AUs of its label columns.

    Returns:
        A row a face in the file's order: ``image``, ``rectsize`` as it stands,
        ``gender`` (0 or 1), ``subject`` (the identity), and int8 columns ``AU01`` …

    Raises:
        LabelError: The file is not sound; names the file and the line.
    """
    return _read(Path(path), _Kind("pre-training", tuple(aus), gender=True))


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
        LabelError: The file is not sound; names the file and the line.
    """
    return _read(Path(path), _Kind("DISFA", tuple(aus), gender=False))


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
    x, y, width, height = (int(number) for number in match.groups())
    return x, y, width, height


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


def _read(path: Path, kind: _Kind) -> pd.DataFrame:
    lines = [(n, line) for n, line in enumerate(_lines(path), 1) if line.strip()]
    if not lines:
        raise LabelError(path, "the file is empty; expected one line for each image.")
    match_line, number_group = kind.line_pattern().fullmatch, kind.number_group
    rows = [
        match.group("image", "rect", "labels", "subject", number_group)
        if (match := match_line(line))
        else _read_line(path, number, line, kind)
        for number, line in lines
    ]
    table = pd.DataFrame({"image": [row[0] for row in rows], "rectsize": [r[1] for r in rows]})
    repeated = table["image"].duplicated().to_numpy()
    if repeated.any():
        second = int(repeated.argmax())
        image = table["image"].iloc[second]
        first = int((table["image"] == image).to_numpy().argmax())
        raise LabelError(
            path,
            f"{image} occurs twice, first on line {lines[first][0]}; keep one of the two "
            "lines.",
            lines[second][0],
        )
    digits = np.frombuffer(",".join(row[2] for row in rows).encode(), np.uint8)
    labels = (digits[::2] - ord("0")).astype(np.int8).reshape(len(rows), -1)  # (N, C)
    named = pd.DataFrame(labels, columns=kind.columns)
    if kind.gender:
        table["gender"] = named.pop("gender")
    table["subject"] = [row[3] for row in rows]
    if not kind.gender:
        table["frame"] = np.array([row[4] for row in rows], np.int64) + 1
    return pd.concat([table, named], axis=1)


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
    limit = _UNPACKED_FACTOR * len(content) + (1 << 24)
    with gzip.open(io.BytesIO(content)) as file:
        unpacked = file.read(limit + 1)
    if len(unpacked) > limit:
        raise OSError(f"it unpacks to more than {limit:,} bytes")
    return unpacked


def _read_line(path: Path, number: int, line: str, kind: _Kind) -> _Row:
    """Read a line of another form by the rules of CSV, or raise what is wrong with it."""
    try:
        cells = next(csv.reader([line], skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise LabelError(path, f"the line is not CSV ({error}).", number) from None
    cells = [cell.strip() for cell in cells]
    if cells[0].lower() in _HEADER_WORDS:
        raise LabelError(
            path, "this is a header row; label tables have none, so delete the line.", number
        )
    expected = 2 + len(kind.columns)
    if len(cells) != expected:
        raise LabelError(path, _wrong_width(cells, expected, kind), number)
    image, rectsize, *labels = cells
    try:
        kind.check_name(image)
        parse_rectsize(rectsize)
    except ValueError as error:
        raise LabelError(path, f"{error}.", number) from None
    for column, label in zip(kind.columns, labels, strict=True):
        if label not in ("0", "1"):
            raise LabelError(path, f"{column} is {label!r}; a label must be 0 or 1.", number)
    name = re.fullmatch(kind.image_name, image, re.ASCII)
    assert name is not None  # it was checked
    return image, rectsize, ",".join(labels), name["subject"], name[kind.number_group]


def _wrong_width(cells: list[str], expected: int, kind: _Kind) -> str:
    problem = (
        f"{len(cells)} columns, but a {kind.name} table has {expected}: image, rectsize, "
        f"{'gender, ' if kind.gender else ''}{len(kind.aus)} AUs."
    )
    other, width = ("DISFA", 14) if kind.gender else ("pre-training", 21)
    if len(cells) == width:
        problem += f" This is as wide as a {other} table: were the two swapped?"
    elif len(cells) == expected + 3 and cells[1].startswith("("):
        problem += ' The rectangle must stand in quotes: "(0,0,120,120)".'
    return problem


@dataclass(frozen=True)
class FoldTables:
    """All DISFA frames of a folder of fold tables.

    Attributes:
        table: Each frame once, as ``read_finetune_labels`` gives it, ordered by
            subject, frame and camera.
        test: The subjects that each fold's ``_test`` file has.
        warnings: A sentence about each warning, which does not stop the run.
    """

    table: pd.DataFrame
    test: dict[int, tuple[str, ...]]
    warnings: list[str]

    def differences_from(self, protocol: FoldProtocol) -> list[str]:
        """Where the files' folds are not a protocol's, a sentence each."""
        differences = []
        present = set(self.table["subject"].unique())
        for fold, subjects in sorted(self.test.items()):
            expected = [name for name in protocol.test_subjects(fold) if name in present]
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
        warnings: A sentence about each warning, which does not stop the run.
    """

    table: pd.DataFrame
    warnings: list[str]


def read_fold_tables(folder: Path | str) -> FoldTables:
    """Read those of the six tables of DISFA frames that are in a folder.

    Raises:
        LabelError: A file is not sound, the folder has none, a subject is in train and test
            of one fold or in two folds' tests, or two files disagree about a frame.
    """
    folder = Path(folder)
    parts = [(fold, part) for fold in _FOLDS for part in ("train", "test")]
    paths = {
        (fold, part): path
        for fold, part in parts
        if (path := _existing(folder / f"fold{fold}_{part}.csv"))
    }
    if not paths:
        raise LabelError(
            folder, "no fold table is there; expected fold1_train.csv, fold1_test.csv, …"
        )
    tables = {key: read_finetune_labels(path) for key, path in paths.items()}
    subjects = {key: set(table["subject"].unique()) for key, table in tables.items()}
    for one, other in combinations(paths, 2):
        same_fold, both_test = one[0] == other[0], one[1] == other[1] == "test"
        shared = sorted(subjects[one] & subjects[other])
        if shared and (same_fold or both_test):
            rows = tables[other]
            image = rows["image"][rows["subject"] == shared[0]].iloc[0]
            which = "train and test of a fold" if same_fold else "the tests of two folds"
            raise LabelError(
                paths[other],
                f"subject {shared[0]} is also in {paths[one].name} ({len(shared)} in common); "
                f"{which} must have no subject in common.",
                line_of(paths[other], image),
            )
    whole = _merge(list(paths.values()), list(tables.values()))
    frames = whole["subject"].value_counts().to_dict()
    warnings = [
        f"{paths[key].name} has {count:,} of the {frames[subject]:,} frames of {subject}."
        for key, table in tables.items()
        for subject, count in sorted(table["subject"].value_counts().to_dict().items())
        if count < frames[subject]
    ]
    test = {fold: tuple(sorted(subjects[fold, p])) for fold, p in paths if p == "test"}
    return FoldTables(whole, test, warnings + coded_warnings(whole))


def read_web_tables(folder: Path | str, allow_identity_overlap: bool = False) -> WebTables:
    """Read those of the two tables of web faces that are in a folder.

    Args:
        folder: The folder that has them.
        allow_identity_overlap: Accept people whose faces are in both files; a warning
            names them.

    Raises:
        LabelError: A file is not sound, the folder has none, or an image or (unless
            allowed) an identity is in both.
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
    tables = {part: read_pretrain_labels(path) for part, path in paths.items()}
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
        people = sorted(set(train["subject"].unique()) & set(test["subject"].unique()))
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
    aus = au_columns(PRETRAIN_AUS)
    whole = whole[[name for name in whole if name not in aus] + aus]
    return WebTables(whole, warnings + web_warnings(whole))


def write_fold_tables(table: pd.DataFrame, folder: Path, protocol: FoldProtocol) -> list[Path]:
    """Write DISFA frames as the paper's six files, and return those that have a subject.

    The files have images of DISFA's names, 12 AUs and no missing label. Of other frames none
    are written, and those of labels before are deleted.
    """
    aus = aus_of_columns(table.columns)
    is_disfa = table["image"].str.fullmatch(DISFA_NAME).all()
    is_whole = set(aus) == set(DISFA_AUS) and table[au_columns(aus)].isin((0, 1)).all(axis=None)
    if not is_disfa or not is_whole:
        for fold, part in product(protocol.folds, ("train", "test")):
            (folder / f"fold{fold}_{part}.csv").unlink(missing_ok=True)
        if is_disfa:
            logger.info(
                "%s gets none of the paper's fold tables: these have 12 AUs, all scored",
                folder,
            )
        return []
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
    """Write web faces as the paper's two files, by their ``split``; returns their paths.

    The files have the paper's 18 AUs and no missing label. Of other AUs, or where a label is
    missing, none are written, and those of labels before are deleted.
    """
    paths = {split: folder / f"{split}_label.csv" for split in ("train", "test")}
    aus = aus_of_columns(table.columns)
    if set(aus) != set(PRETRAIN_AUS) or not table[au_columns(aus)].isin((0, 1)).all(axis=None):
        for path in paths.values():
            path.unlink(missing_ok=True)
        logger.info(
            "%s are not written: the paper's files have 18 AUs without missing labels",
            " and ".join(map(str, paths.values())),
        )
        return []
    for split, path in paths.items():
        write_pretrain_labels(table[table["split"] == split], path)
    return list(paths.values())


def _existing(path: Path) -> Path | None:
    packed = path.with_name(path.name + ".gz")
    return next((each for each in (path, packed) if each.exists()), None)


def _merge(paths: list[Path], tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Each image once; raises LabelError where two files disagree about one."""
    columns = [*au_columns(DISFA_AUS), "rectsize"]
    every = pd.concat(tables, ignore_index=True)
    file_of = np.repeat(np.arange(len(tables)), [len(table) for table in tables])
    image, _ = pd.factorize(every["image"])
    first = np.unique(image, return_index=True)[1][image]  # (N,) row that has it first
    codes = np.stack([pd.factorize(every[column])[0] for column in columns], axis=1)
    differs = (codes != codes[first]).any(axis=1)
    if differs.any():
        row = int(differs.argmax())
        path, other_path = paths[file_of[row]], paths[file_of[first[row]]]
        one, other = every.iloc[row], every.iloc[first[row]]
        name = str(one["image"])
        column = next(c for c in columns if one[c] != other[c])
        raise LabelError(
            path,
            f"{name} has {column} {one[column]}, but {other[column]} in {other_path.name}, "
            f"line {line_of(other_path, name)}; the same frame must have the same labels "
            "everywhere.",
            line_of(path, name),
        )
    unique = every.iloc[np.flatnonzero(first == np.arange(len(every)))]
    return unique.sort_values(["subject", "frame", "image"], ignore_index=True)
