"""The published folders of label tables: folds of DISFA frames, splits of web faces."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from action_units.errors import LabelError
from action_units.labels.action_units import DISFA_AUS, PRETRAIN_AUS, au_columns
from action_units.labels.label_tables import line_of, read_finetune_labels, read_pretrain_labels
from action_units.labels.oddities import disfa_oddities, web_oddities
from action_units.labels.protocols import FoldProtocol

_FOLDS = (1, 2, 3)


@dataclass(frozen=True)
class FoldTables:
    """All DISFA frames of a folder of fold tables, and who is where.

    Attributes:
        table: Each frame once, as ``read_finetune_labels`` gives it, ordered by
            subject, frame and camera.
        train: The subjects that each fold's ``_train`` file has.
        test: The subjects that each fold's ``_test`` file has.
        notices: What is odd but can be lived with, a sentence each.
    """

    table: pd.DataFrame
    train: dict[int, tuple[str, ...]]
    test: dict[int, tuple[str, ...]]
    notices: list[str]

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
        notices: What is odd but can be lived with, a sentence each.
    """

    table: pd.DataFrame
    notices: list[str]


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
    notices = [
        f"{paths[key].name} has {count:,} of the {frames[subject]:,} frames of {subject}."
        for key, table in tables.items()
        for subject, count in sorted(table["subject"].value_counts().to_dict().items())
        if count < frames[subject]
    ]

    def who(part: str) -> dict[int, tuple[str, ...]]:
        return {key[0]: tuple(sorted(subjects[key])) for key in paths if key[1] == part}

    return FoldTables(whole, who("train"), who("test"), notices + disfa_oddities(whole, aus))


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
            are then named in the notices.

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
    notices = []
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
            notices.append(f"{paths['test'].name}: {problem}.")
    whole = pd.concat(
        [table.assign(split=part) for part, table in tables.items()], ignore_index=True
    )
    whole = whole[[name for name in whole if name not in au_columns(aus)] + au_columns(aus)]
    return WebTables(whole, notices + web_oddities(whole))


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
