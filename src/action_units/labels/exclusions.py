"""Frames and subjects that are excluded, with the reason."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import pandas as pd

from action_units.errors import ConfigurationError
from action_units.labels.label_files import first_names

_RANGE = re.compile(r"\s*(\d{1,9})\s*(?:[-–]\s*(\d{1,9})\s*)?", re.ASCII)
_KEYS = {"subject", "recording", "frames", "reason"}
_HINT = "expected such as {subject: SN029, frames: 4330-4536, reason: bad landmarks}"


@dataclass(frozen=True)
class Exclusion:
    """What is excluded.

    Attributes:
        subject: Such as ``SN029``.
        frames: The first and the last frame; None excludes the whole subject or recording.
        reason: Kept in the output.
        recording: Which of the subject's recordings; None: all, or the only one.
    """

    subject: str
    frames: tuple[int, int] | None
    reason: str
    recording: str | None = None

    @property
    def whole_subject(self) -> bool:
        """Whether nothing of the subject is used."""
        return self.frames is None and self.recording is None

    def overlaps(self, other: "Exclusion") -> bool:
        """Whether both exclude the same frame."""
        if self.subject != other.subject:
            return False
        if None not in (self.recording, other.recording) and self.recording != other.recording:
            return False
        if self.frames is None or other.frames is None:
            return True
        return self.frames[0] <= other.frames[1] and other.frames[0] <= self.frames[1]

    def __str__(self) -> str:
        """The entry as a person wrote it."""
        frames = "" if self.frames is None else f", frames: {self.frames[0]}-{self.frames[1]}"
        recording = "" if self.recording is None else f", recording: {self.recording}"
        return f"{{subject: {self.subject}{recording}{frames}, reason: {self.reason}}}"


def parse_exclusions(entries: Iterable[Mapping[str, Any]] | None) -> tuple[Exclusion, ...]:
    """Read the entries of a parameter.

    Args:
        entries: Each with ``subject``, ``reason`` and perhaps ``recording`` and ``frames``:
            one number, or the first and the last as ``4330-4536`` or ``[4330, 4536]``. None
            for no entries.

    Raises:
        ConfigurationError: An entry is malformed, gives no reason, or overlaps another.
    """
    if isinstance(entries, str | Mapping):
        raise ConfigurationError(f"exclude is {entries!r}, not a list of entries; {_HINT}.")
    parsed = [_parse(entry) for entry in entries or ()]
    for other, one in combinations(parsed, 2):
        if one.overlaps(other):
            raise ConfigurationError(f"exclude: {one} overlaps {other}; name each frame once.")
    return tuple(parsed)


def exclude(
    table: pd.DataFrame, exclusions: Iterable[Exclusion]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Divide a table of frames into those that are kept and those that are excluded.

    Args:
        table: With ``subject`` and ``frame``, and perhaps ``recording``.
        exclusions: From ``parse_exclusions``.

    Returns:
        The kept rows, and the others with their ``reason``; both in the table's order.

    Raises:
        ConfigurationError: An entry's subject or frames are not in the table, or nothing
            would be kept; names the entry.
    """
    reason = pd.Series("", index=table.index, dtype=str)
    for entry in exclusions:
        rows = (table["subject"] == entry.subject).to_numpy()
        if not rows.any():
            known = sorted(set(table["subject"]))
            raise ConfigurationError(
                f"exclude: {entry} names a subject that is not in the data, which has "
                f"{', '.join(known)}."
            )
        names = table["recording"][rows].unique() if "recording" in table else [""]
        if entry.recording is not None:
            if entry.recording not in names:
                raise ConfigurationError(
                    f"exclude: {entry} names a recording that is not in the data; "
                    f"{entry.subject} has {first_names(sorted(names))}."
                )
            rows = rows & (table["recording"] == entry.recording).to_numpy()
        if entry.frames is not None:
            if entry.recording is None and len(names) > 1:
                raise ConfigurationError(
                    f"exclude: {entry} names frames, and {entry.subject} has several "
                    f"recordings; add `recording`, one of {first_names(sorted(names))}."
                )
            frames = table["frame"].to_numpy()
            first, last = entry.frames
            inside = rows & (frames >= first) & (frames <= last)
            lowest, highest = frames[rows].min(), frames[rows].max()
            if not inside.any() or first < lowest or last > highest:
                raise ConfigurationError(
                    f"exclude: {entry} names frames that do not exist; {entry.subject} has "
                    f"frames {lowest:,} to {highest:,}."
                )
            rows = inside
        reason[rows] = entry.reason
    out = (reason != "").to_numpy()
    if len(out) and out.all():
        raise ConfigurationError("exclude leaves no frame; remove an entry.")
    excluded = table[out].assign(reason=reason[out])
    return table[~out].reset_index(drop=True), excluded.reset_index(drop=True)


def _parse(entry: Mapping[str, Any]) -> Exclusion:
    if not isinstance(entry, Mapping):
        raise ConfigurationError(f"exclude: {entry!r} is not an entry; {_HINT}.")
    shown = "{" + ", ".join(f"{key}: {value}" for key, value in entry.items()) + "}"
    if unknown := sorted(set(map(str, entry)) - _KEYS):
        raise ConfigurationError(f"exclude: {shown} has {unknown[0]!r}; {_HINT}.")
    subject, reason = entry.get("subject"), entry.get("reason")
    if not isinstance(subject, str) or not subject.strip():
        quotes = f" (a number in quotes: '{subject}')" if isinstance(subject, int) else ""
        raise ConfigurationError(f"exclude: {shown} names no subject{quotes}; {_HINT}.")
    if not isinstance(reason, str) or not reason.strip():
        raise ConfigurationError(
            f"exclude: {shown} gives no reason; add a short one, which the output then lists."
        )
    frames, recording = entry.get("frames"), entry.get("recording")
    if recording is not None and (not isinstance(recording, str) or not recording.strip()):
        raise ConfigurationError(f"exclude: {shown} names no recording; {_HINT}.")
    return Exclusion(
        subject.strip(),
        None if frames is None else _frames(frames, shown),
        reason.strip(),
        recording and recording.strip(),
    )


def _frames(value: object, shown: str) -> tuple[int, int]:
    if isinstance(value, list | tuple) and len(value) == 2:
        value = f"{value[0]}-{value[1]}"
    match = _RANGE.fullmatch(str(value))
    if match is None:
        raise ConfigurationError(
            f"exclude: {shown} has frames {value!r}; expected one number or the first and the "
            "last, such as 4330-4536."
        )
    first, last = int(match[1]), int(match[2] or match[1])
    if last < first:
        raise ConfigurationError(f"exclude: {shown} ends before it begins.")
    return first, last
