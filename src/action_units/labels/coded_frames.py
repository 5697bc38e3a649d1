"""Experts' codes of any data set, frame by frame: what a reader of label files returns.

A reader is a function ``read(folder, aus) -> CodedFrames``. It turns the files of one data
set into ``Recording``s; ``coded_frames`` checks them and makes one table of them. How to
write one: ``docs/own_labels.md``.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from action_units.errors import LabelError
from action_units.labels.action_units import au_columns
from action_units.labels.label_files import log_skipped, original_of

logger = logging.getLogger(__name__)

MISSING = -1
"""The code of an AU that was not or could not be scored in a frame."""

PRESENT_FROM = 2
"""The intensity from which an AU counts as present, as in the literature on DISFA."""

_HIGHEST = {"presence": 1, "intensity": 5}


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
            ``MISSING`` where not coded; ordered by those three.
        aus: The AUs, in the order of the columns.
        scale: ``presence``, 0 or 1, or ``intensity``, 0 to 5.
    """

    table: pd.DataFrame
    aus: tuple[int, ...]
    scale: str

    def present(self, from_intensity: int = PRESENT_FROM) -> "CodedFrames":
        """Presence, 0 or 1; of intensities from a threshold on. ``MISSING`` stays."""
        if self.scale == "presence":
            return self
        codes = self.table[au_columns(self.aus)].to_numpy()  # (N, A)
        labels = np.where(codes == MISSING, MISSING, codes >= from_intensity).astype(np.int8)
        table = self.table.assign(**dict(zip(au_columns(self.aus), labels.T, strict=True)))
        return CodedFrames(table, self.aus, "presence")

    def complete(self) -> "CodedFrames":
        """Only the frames in which every AU has a code, as training needs them."""
        whole = (self.table[au_columns(self.aus)] != MISSING).all(axis=1)
        return CodedFrames(self.table[whole].reset_index(drop=True), self.aus, self.scale)


def coded_frames(
    recordings: Iterable[Recording], aus: Sequence[int], scale: str, source: Path | str
) -> CodedFrames:
    """Check the recordings of a data set and make one table of them.

    Of two recordings with the same codes, one of which has the name of the other's copy
    (``smile (1)``, ``anna - Copy``), the copy is left out and named in the log.

    Args:
        recordings: In any order.
        aus: The AUs of their columns.
        scale: ``presence`` or ``intensity``.
        source: The folder of the data set, for the message where it has no recording.

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
    return CodedFrames(pd.concat(parts, ignore_index=True), tuple(aus), scale)


def _checked_table(one: Recording, aus: Sequence[int], scale: str) -> pd.DataFrame:
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
    highest = _HIGHEST[scale]
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
