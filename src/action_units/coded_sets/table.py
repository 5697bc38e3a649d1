"""Codes in one table, CSV or Parquet: a row a frame, a column an AU.

A row has the ``subject`` and either the ``image``, a path below the folder of media, or the
``video`` (a video, or a folder of frames that are numbered in their names) and the ``frame``;
without a ``video``, the one that is named like the subject. Then come the AUs
(``labels.code_cells``). Other columns are ignored.
"""

import logging
import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from action_units.coded_sets.media_tree import MediaTree, composed
from action_units.coded_sets.reader import (
    CodedData,
    labels_path,
    media_folder,
    scale_of,
    setting,
)
from action_units.coded_sets.table_media import Rows, find_images, find_recordings
from action_units.config.data import CodedSetSettings
from action_units.errors import LabelError
from action_units.labels.action_units import au_columns
from action_units.labels.code_cells import find_au_columns, read_au_columns
from action_units.labels.coded_frames import CodedFrames
from action_units.labels.groups import GROUPS_FILE
from action_units.labels.label_files import describe_folder, first_names
from action_units.labels.text_table import (
    SUBJECT_COLUMNS,
    SUFFIXES,
    TextTable,
    column_of,
    read_text_table,
)

logger = logging.getLogger(__name__)

COLUMNS = {
    "subject": SUBJECT_COLUMNS,
    "image": ("image", "image_path", "picture", "filename", "file"),
    "video": ("video", "recording", "folder"),
    "frame": ("frame", "frame_number", "frame_no", "frame_id"),
}
"""What the columns may be called, in lower case and with ``_`` for a space, point or hyphen."""

_ZEROS = re.compile(r"0+(?=\d)")
_SPACES = re.compile(r"[ _-]")


def read_table(
    settings: CodedSetSettings, folder: Path, left_out: Collection[str]
) -> CodedData:
    """Read a table of codes, and find the pictures of its rows; see ``reader.Reader``.

    Raises:
        LabelError: A column is missing or there twice, a cell is not sound, a row occurs
            twice, or a name fits several files; names file and line.
    """
    table = read_text_table(_find_table(labels_path(settings, folder), folder))
    places = {key: column_of(table, names, key) for key, names in COLUMNS.items()}
    _check_columns(table, places)
    subjects = [composed(cell) for cell in table.columns[places["subject"] or 0]]
    if "" in subjects:
        raise table.fault("the row has no subject.", subjects.index(""))
    _warn_of_similar(table.path, subjects)
    if left := {composed(name) for name in left_out}.intersection(subjects):
        stays = [subject not in left for subject in subjects]
        table = table.rows(np.array(stays, bool))
        subjects = [subject for subject in subjects if subject not in left]
        if not subjects:
            raise table.fault("all of its subjects are left out.")
    codes, aus = read_au_columns(
        table, settings.aus, settings.present_from, settings.not_scored
    )
    rows = Rows(table, places, subjects, MediaTree(media_folder(settings, folder)))
    if places["image"] is not None:
        found = find_images(rows)
    else:
        found = find_recordings(rows, settings.first_frame, setting(folder, "first_frame"))
    keys = {"subject": subjects, "recording": found.recordings, "frame": found.frames}
    _check_once(table, pd.DataFrame(keys))
    frames = pd.DataFrame(keys | dict(zip(au_columns(aus), codes.T, strict=True)))
    frames = frames.sort_values(list(keys), ignore_index=True)
    _log_columns(table, places, aus)
    others = [path for path in rows.tree.others(found.used) if left.isdisjoint(path.parts)]
    return CodedData(
        CodedFrames(frames, aus, scale_of(settings), table.path),
        found.media,
        place_of=partial(_place_of, table.path, pd.DataFrame(keys | {"line": table.lines})),
        left_out=left,
        skipped=tuple(others),
    )


def _place_of(
    path: Path, rows: pd.DataFrame, subject: str, recording: str, frame: int
) -> tuple[Path, int]:
    own = rows["subject"].eq(subject) & rows["recording"].eq(recording)
    return path, int(rows.loc[own & rows["frame"].eq(frame), "line"].iloc[0])


def _find_table(path: Path, folder: Path) -> Path:
    """The table itself: `path`, or the only table in it where it is a folder."""
    if not path.is_dir():
        return path
    tables = sorted(
        one
        for one in path.iterdir()
        if one.suffix.lower() in SUFFIXES
        and one.is_file()
        and not one.name.startswith(".")
        and one.name.lower() != GROUPS_FILE
    )
    if len(tables) == 1:
        return tables[0]
    there = f"there are {first_names(one.name for one in tables)}"
    there = there if tables else describe_folder(path)
    raise LabelError(
        path,
        f"expected one table of codes, *.csv or *.parquet; {there}. Name it by "
        f"{setting(folder, 'labels')}.",
    )


def _check_columns(table: TextTable, places: Mapping[str, int | None]) -> None:
    """Raise LabelError where no column says who it is, or which picture."""
    for key in ("subject", "frame"):
        if places[key] is None and (key == "subject" or places["image"] is None):
            either = "" if key == "subject" else ", and none image,"
            raise table.fault(
                f"no column is called {key}{either} or another name of it "
                f"({', '.join(COLUMNS[key][1:])}); the columns are {', '.join(table.names)}."
            )


def _warn_of_similar(path: Path, subjects: Sequence[str]) -> None:
    """Warn of names that may be one person's: 1 and 001, anna and Anna."""
    alike: dict[str, list[str]] = defaultdict(list)
    for subject in sorted(set(subjects)):
        alike[_SPACES.sub("", _ZEROS.sub("", subject)).casefold()].append(subject)
    for names in alike.values():
        if len(names) > 1:
            logger.warning(
                "%s: the subjects %s are read as different people; a person must have one "
                "name, because subjects are split into training and test",
                path,
                " and ".join(names),
            )


def _check_once(table: TextTable, keys: pd.DataFrame) -> None:
    """Raise LabelError where two rows are of one frame."""
    repeated = keys.duplicated().to_numpy()
    if repeated.any():
        row = int(repeated.argmax())
        first = int((keys == keys.iloc[row]).all(axis=1).to_numpy().argmax())
        one = keys.iloc[row]
        raise table.fault(
            f"frame {one['frame']} of {one['recording']} of {one['subject']} is on line "
            f"{table.lines[first]} already.",
            row,
        )


def _log_columns(
    table: TextTable, places: Mapping[str, int | None], aus: Collection[int]
) -> None:
    """Log which AUs are read, and which columns are not."""
    read = {place for place in places.values() if place is not None}
    for au, columns in find_au_columns(table).items():
        read |= {column.place for column in columns if au in aus}
    rest = [name for place, name in enumerate(table.names) if place not in read and name]
    logger.info(
        "%s: %s of %s rows%s",
        table.path,
        ", ".join(au_columns(aus)),
        f"{len(table.lines):,}",
        f"; columns that are not read: {', '.join(rest)}" if rest else "",
    )
