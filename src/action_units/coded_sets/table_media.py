"""Where the pictures of a table's rows are: one a row, or a frame of a video or folder."""

import logging
import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from action_units.coded_sets.media_tree import (
    MediaTree,
    composed,
    number_of,
    path_below,
    without_suffix,
)
from action_units.coded_sets.reader import Media
from action_units.errors import LabelError
from action_units.labels.code_cells import whole_number
from action_units.labels.text_table import TextTable

logger = logging.getLogger(__name__)

_FRAME = re.compile(r"\d{1,9}", re.ASCII)
_IMAGES = "images"  # the recording of pictures that lie in no folder


@dataclass(frozen=True)
class Rows:
    """The rows of the table, and where their pictures are looked for.

    Attributes:
        table: The table.
        places: The column of each key of ``COLUMNS``; None where there is none.
        subjects: Of each row.
        tree: The files of the set.
    """

    table: TextTable
    places: Mapping[str, int | None]
    subjects: list[str]
    tree: MediaTree

    def cells(self, key: str) -> list[str] | None:
        """The cells of a column."""
        place = self.places[key]
        return None if place is None else self.table.columns[place]

    def name(self, key: str, row: int, cell: str) -> str:
        """A cell as a path below the folder of media; raises LabelError where it is none."""
        try:
            return path_below(cell)
        except ValueError as error:
            why = str(error) if cell else "is empty"
        raise self.table.fault(
            f"{key} {cell!r} {why}; expected a path below {self.tree.root}.", row
        )

    def find(self, key: str, row: int, name: str) -> str | None:
        """A file or folder below that folder; raises LabelError where the name fits several."""
        look = self.tree.picture if key == "image" else self.tree.recording
        try:
            return look(name, self.subjects[row])
        except ValueError as error:
            why = error
        raise self.table.fault(f"{key} {name!r} {why}; write more of its path.", row)

    def frames(self) -> np.ndarray | None:
        """The frame numbers, ``(N,)``; None where the table has none."""
        if (cells := self.cells("frame")) is None:
            return None
        numbers = [cell if _FRAME.fullmatch(cell) else whole_number(cell) for cell in cells]
        for row, number in enumerate(numbers):
            if not _FRAME.fullmatch(number):
                raise self.table.fault(
                    f"frame is {cells[row]!r}; expected a whole number, from 0 or 1.", row
                )
        return np.array(numbers, dtype=np.int64)

    def groups(self, names: Sequence[str]) -> dict[tuple[str, str], list[int]]:
        """The rows of each subject and name."""
        groups: dict[tuple[str, str], list[int]] = defaultdict(list)
        for row, key in enumerate(zip(self.subjects, names, strict=True)):
            groups[key].append(row)
        return groups


@dataclass(frozen=True)
class Found:
    """Where each row belongs: its recording and frame, and the pictures of the recordings."""

    recordings: list[str]
    frames: np.ndarray
    media: dict[tuple[str, str], Media]
    used: set[str]


def find_images(rows: Rows) -> Found:
    """The pictures of rows that name one each."""
    images, videos = rows.cells("image") or [], rows.cells("video")
    paths: list[str] = []
    recordings: list[str] = []
    used: set[str] = set()
    first: dict[str, int] = {}
    for row, (subject, cell) in enumerate(zip(rows.subjects, images, strict=True)):
        name = rows.name("image", row, cell)
        if (path := rows.find("image", row, name)) is not None:
            used.add(path)
        paths.append(path or name)
        if first.setdefault(paths[-1], row) != row:
            line = rows.table.lines[first[paths[-1]]]
            raise rows.table.fault(f"image {name!r} is on line {line} already.", row)
        recording = posixpath.dirname(composed(paths[-1]))
        if videos is not None:
            recording = without_suffix(rows.name("video", row, videos[row]))
        recordings.append(_without_subject(recording, subject) or _IMAGES)
    frames = rows.frames()
    if frames is None:
        frames = _number_images(rows.groups(recordings).values(), paths)
    media: dict[tuple[str, str], Media] = {}
    owners: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for key, members in rows.groups(recordings).items():
        pictures = {
            int(frames[row]): rows.tree.root / paths[row]
            for row in members
            if paths[row] in used
        }
        media[key] = Media(rows.tree.root / posixpath.dirname(paths[members[0]]), pictures)
        for row in members:
            owners[posixpath.dirname(paths[row])].add(key)
    return Found(recordings, frames, _with_uncoded(media, owners, rows.tree, used), used)


def _with_uncoded(
    media: dict[tuple[str, str], Media],
    owners: Mapping[str, set[tuple[str, str]]],
    tree: MediaTree,
    used: set[str],
) -> dict[tuple[str, str], Media]:
    """The media, with the pictures that no row names and that lie in a recording's folder.

    Whose they are is not known where several recordings share a folder. Their numbers are
    negative, because frames that have codes have the others.
    """
    for folder, keys in owners.items():
        if len(keys) > 1:
            continue
        (key,) = keys
        paths = (posixpath.join(folder, name) for name in tree.pictures.get(folder, ()))
        uncoded = sorted(path for path in paths if path not in used)
        known = media[key].pictures or {}
        lowest = min([0, *known])
        more = {lowest - n: tree.root / path for n, path in enumerate(uncoded, 1)}
        media[key] = replace(media[key], pictures={**known, **more})
        used.update(uncoded)
    return media


def _number_images(groups: Iterable[list[int]], paths: Sequence[str]) -> np.ndarray:
    """Frames of pictures: the numbers in their names, or their order where these do not do.

    Args:
        groups: The rows of each recording.
        paths: Of each row's picture.

    Returns:
        ``(N,)``; each number once in a recording.
    """
    frames = np.zeros(len(paths), np.int64)
    for members in groups:
        numbers = [n for row in members if (n := number_of(paths[row])) is not None]
        if len(set(numbers)) < len(members):
            members = sorted(members, key=lambda row: paths[row])
            numbers = list(range(1, len(members) + 1))
        frames[members] = numbers
    return frames


def find_recordings(rows: Rows, first_frame: int | None, setting_name: str) -> Found:
    """The videos, and the folders of frames, of rows that name one and a frame in it."""
    frames = rows.frames()
    if frames is None:
        raise AssertionError("_check_columns looks for the column")
    cells = rows.cells("video")
    recordings = [""] * len(rows.subjects)
    paths: dict[tuple[str, str], str | None] = {}
    members_of: dict[tuple[str, str], list[int]] = defaultdict(list)
    owners: dict[str, tuple[str, str]] = {}
    for (subject, cell), members in rows.groups(cells or rows.subjects).items():
        name = rows.name("video", members[0], cell)
        path = rows.find("video", members[0], name)
        key = subject, _without_subject(without_suffix(name), subject) or subject
        if paths.setdefault(key, path) != path:
            raise rows.table.fault(
                f"video {name!r} of {subject} is {path}, but {paths[key]} has the same name "
                "without suffix and subject; rename one.",
                members[0],
            )
        if path is not None and owners.setdefault(path, key) != key:
            raise rows.table.fault(
                f"video {name!r} of {subject} is {path}, which is {owners[path][1]!r} of "
                f"{owners[path][0]} on other lines; a video has one subject and one name.",
                members[0],
            )
        for row in members:
            recordings[row] = key[1]
        members_of[key] += members
    videos = {key for key, path in paths.items() if path in rows.tree.videos}
    of_videos = [row for key in videos for row in members_of[key]]
    first = _first_frame(rows.table, frames, of_videos, first_frame, setting_name)
    folders = {key: path for key, path in paths.items() if path and key not in videos}
    pictures = {key: rows.tree.numbered(path) for key, path in folders.items()}
    coded = {key: set(frames[members_of[key]].tolist()) for key in folders}
    shift = _shift(rows.tree.root, pictures, coded, first_frame, setting_name)
    media = {
        key: Media(rows.tree.root / path, first_frame=first)
        if key in videos
        else Media(
            rows.tree.root / path, {n + shift: picture for n, picture in pictures[key].items()}
        )
        for key, path in paths.items()
        if path
    }
    return Found(recordings, frames, media, {path for path in paths.values() if path})


def _first_frame(
    table: TextTable,
    frames: np.ndarray,
    of_videos: Sequence[int],
    first_frame: int | None,
    setting_name: str,
) -> int:
    """The number of a video's first frame: as it is set, or the lowest of all videos' rows."""
    if not of_videos:
        return first_frame or 0
    row = min(of_videos, key=lambda each: (frames[each], each))
    lowest = int(frames[row])
    if first_frame is None:
        if lowest > 1:
            raise table.fault(
                f"no video has a frame below {lowest}, so it is not known whether the first "
                f"frame of a video is number 0 or 1; set {setting_name}.",
                row,
            )
        logger.info("%s: the first frame of a video is number %d", table.path, lowest)
        return lowest
    if lowest < first_frame:
        raise table.fault(f"frame is {lowest}, but {setting_name} is {first_frame}.", row)
    return first_frame


def _shift(
    root: Path,
    pictures: Mapping[tuple[str, str], Mapping[int, Path]],
    coded: Mapping[tuple[str, str], set[int]],
    first_frame: int | None,
    setting_name: str,
) -> int:
    """What is added to the numbers in the pictures' names, which makes them the labels' frames.

    It is 0, or where `first_frame` is set, what makes this number of the lowest.

    Raises:
        LabelError: That is not 0 or 1, or another `first_frame` would fit, and this does not.
    """
    numbers = [number for each in pictures.values() for number in each]
    if not numbers:
        return 0
    lowest = min(numbers)
    if first_frame is not None:
        if lowest > 1:
            raise LabelError(
                root,
                f"the lowest number of a picture is {lowest}, so {setting_name} cannot be "
                f"{first_frame}; null takes the pictures' numbers as they are.",
            )
        return first_frame - lowest
    for shift in (0, 1, -1):
        if all(coded[key] <= {n + shift for n in each} for key, each in pictures.items()):
            if shift and lowest + shift in (0, 1):
                raise LabelError(
                    root,
                    f"pictures are numbered from {lowest}, and the labels' frames from "
                    f"{lowest + shift}; set {setting_name}: {lowest + shift}.",
                )
            break
    return 0


def _without_subject(recording: str, subject: str) -> str:
    """A recording's name without the subject's folder at its beginning."""
    first, _, rest = recording.partition("/")
    return rest if first == subject else recording
