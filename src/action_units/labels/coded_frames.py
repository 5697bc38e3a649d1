"""Experts' codes of any data set, frame by frame.

A module that reads a data set's label files turns them into ``Recording``s; ``coded_frames``
checks these and makes one table of them. Where the pictures are, a reader of ``coded_sets``
finds.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from action_units.errors import LabelError
from action_units.labels.action_units import au_columns
from action_units.labels.label_files import HIGHEST, Scale, log_skipped, original_of

logger = logging.getLogger(__name__)

MISSING = -1
"""The code of an AU that was not or could not be scored in a frame."""


@dataclass(frozen=True)
class Recording:
    """One subject's codes in one video or trial.

    Attributes:
        subject: Who it is; what is split into training and test.
        name: The recording's name among those of the subject.
        frames: The data set's own numbers of the frames, ``(N,)``.
        codes: ``(N, A)``, one column per AU; ``MISSING`` where not coded.
        path: The file or folder they are from.
    """

    subject: str
    name: str
    frames: np.ndarray
    codes: np.ndarray
    path: Path

    def has_codes_of(self, other: "Recording") -> bool:
        """Whether both have the same frames and codes."""
        same_frames = np.array_equal(self.frames, other.frames)
        return same_frames and np.array_equal(self.codes, other.codes)


@dataclass(frozen=True)
class CodedFrames:
    """The codes of every frame of a data set.

    Attributes:
        table: ``subject``, ``recording``, ``frame`` and an int8 column an AU (``AU01`` …),
            ``MISSING`` where not coded; ordered by those three. Beside presence there may be
            intensities 0 to 5, of some AUs (``AU01_r`` …).
        aus: The AUs, in the order of the columns.
        scale: Of the columns ``AU01`` …: ``presence``, 0 or 1, or ``intensity``, 0 to 5.
        source: The file or folder that the codes are from, for messages.
    """

    table: pd.DataFrame
    aus: tuple[int, ...]
    scale: Scale
    source: Path = Path()

    def present(self, present_from: int | None) -> "CodedFrames":
        """Presence, 0 or 1, beside the intensities. ``MISSING`` stays.

        Args:
            present_from: The intensity from which an AU is present; None where the codes are
                presence already.

        Raises:
            LabelError: The codes are presence and `present_from` is an intensity; they are
                intensities and it is None, or all of them are lower.
        """
        if self.scale == "presence":
            if present_from is not None:
                raise LabelError(
                    self.source,
                    f"its codes are 0 and 1, not intensities, so present_from {present_from} "
                    "does not fit; set present_from: null.",
                )
            return self
        if present_from is None:
            raise LabelError(
                self.source,
                "its codes are intensities from 0 to 5, so present_from: null does not fit; "
                "set the intensity from which an AU is present, such as 2.",
            )
        columns = au_columns(self.aus)
        codes = self.table[columns].to_numpy()  # (N, A)
        if (codes != MISSING).any() and codes.max() < present_from:
            raise LabelError(
                self.source,
                f"its highest code is {codes.max()}, so with present_from {present_from} no AU "
                "is ever present; set present_from: null if its codes are 0 and 1.",
            )
        labels = np.where(codes == MISSING, MISSING, codes >= present_from).astype(np.int8)
        table = self.table.assign(**dict(zip(columns, labels.T, strict=True)))
        table = pd.concat([table, self.table[columns].add_suffix("_r")], axis=1)
        return CodedFrames(table, self.aus, "presence", self.source)


def coded_frames(
    recordings: Iterable[Recording], aus: Sequence[int], scale: Scale, source: Path | str
) -> CodedFrames:
    """Check the recordings of a data set and make one table of them.

    Of two recordings with the same codes, one of which has the name of the other's copy
    (``smile (1)``, ``anna - Copy``), the copy is left out and named in the log.

    Args:
        recordings: In any order.
        aus: The AUs of their columns.
        scale: ``presence`` or ``intensity``.
        source: The file or folder of the data set, for messages.

    Raises:
        LabelError: There is no recording, one occurs twice or is empty, a frame occurs
            twice, or a code is not on the scale; names the file.
    """
    parts = []
    seen: dict[tuple[str, str], Path] = {}
    copies: list[Path] = []
    ordered = sorted(recordings, key=lambda one: (one.subject, one.name))
    by_key = {(one.subject, one.name): one for one in ordered}
    for one in ordered:
        key = (one.subject, one.name)
        original = (original_of(one.subject), original_of(one.name))
        if original != key and (twin := by_key.get(original)):
            if one.has_codes_of(twin):
                copies.append(one.path)
                continue
            logger.warning(
                "%s is read as a separate recording: it is named like a copy of %s, but its "
                "codes differ",
                one.path,
                twin.path,
            )
        if key in seen:
            raise LabelError(
                one.path, f"recording {one.name} of {one.subject} is in {seen[key]} as well."
            )
        seen[key] = one.path
        parts.append(_checked_table(one, aus, scale))
    if not parts:
        raise LabelError(source, "no recording with codes is in this folder.")
    log_skipped(copies, "recordings")
    return CodedFrames(pd.concat(parts, ignore_index=True), tuple(aus), scale, Path(source))


def _checked_table(one: Recording, aus: Sequence[int], scale: Scale) -> pd.DataFrame:
    """A recording's rows in the order of their frames; raises as ``coded_frames``."""
    frames, codes = np.asarray(one.frames, np.int64), np.asarray(one.codes)
    if codes.shape != (len(frames), len(aus)) or not len(frames):
        raise LabelError(
            one.path,
            f"{len(frames):,} frames with codes of shape {codes.shape}; expected some "
            f"frames and a column for each of {len(aus)} AUs.",
        )
    order = np.argsort(frames, kind="stable")
    frames, codes = frames[order], codes[order]
    if (repeated := np.flatnonzero(np.diff(frames) == 0)).size:
        raise LabelError(one.path, f"frame {frames[repeated[0]]} occurs twice.")
    highest = HIGHEST[scale]
    odd = (codes != MISSING) & ~np.isin(codes, np.arange(highest + 1))
    if odd.any():
        row, column = np.argwhere(odd)[0]
        raise LabelError(
            one.path,
            f"frame {frames[row]} has {au_columns(aus)[column]} {codes[row, column]:g}; "
            f"{scale} goes from 0 to {highest}.",
        )
    table = pd.DataFrame(codes.astype(np.int8), columns=au_columns(aus))
    table.insert(0, "subject", one.subject)
    table.insert(1, "recording", one.name)
    table.insert(2, "frame", frames)
    return table
