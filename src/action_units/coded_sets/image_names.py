"""The names of a coded set's crops: unique, and safe on every file system."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from action_units.errors import LabelError

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
_UNSAFE = re.compile(r"[^A-Za-z0-9-]+", re.ASCII)
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.ASCII | re.IGNORECASE)


def name_images(
    frames: pd.DataFrame,
    own: Callable[[str, str, int], str] | None,
    suffix: str,
    source: Path,
) -> list[str]:
    """Name the crop of each frame, such as ``F001_T1_00000123.jpg``.

    Args:
        frames: With ``subject``, ``recording`` and ``frame``.
        own: The set's own names, without a suffix; None: made of these three.
        suffix: Of the files, with its dot.
        source: Where the frames are from, for the message.

    Raises:
        LabelError: Two frames would have crops of the same name.
    """
    keys = frames[["subject", "recording", "frame"]].itertuples(index=False, name=None)
    if own is not None:
        stems = [safe_name(own(*key)) for key in keys]
    else:
        parts = {part: safe_name(part) for column in ("subject", "recording")
                 for part in frames[column].unique()}  # fmt: skip
        stems = [f"{parts[one]}_{parts[other]}_{frame:08d}" for one, other, frame in keys]
    names = pd.Series(stems, frames.index, dtype=str)
    # Names that differ by upper and lower case only are one file on many disks.
    repeated = names[names.str.lower().duplicated(keep=False)].sort_values(key=_lower)
    if len(repeated):
        both = frames.loc[repeated.index[:2]].itertuples()
        said = " and ".join(f"frame {r.frame} of {r.recording} of {r.subject}" for r in both)
        raise LabelError(
            source, f"{said} would both have the crop {repeated.iloc[0]}{suffix}; rename one."
        )
    return list(names + suffix)


def safe_name(name: str) -> str:
    """A name as it can stand in a file's name; another where that changes, also by a hash."""
    if _SAFE.fullmatch(name) and not _DEVICE.fullmatch(name):
        return name
    return f"{_UNSAFE.sub('-', name)[:80].strip('-') or 'x'}~{_hash(name)}"


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:8]


def _lower(names: "pd.Series[str]") -> "pd.Series[str]":
    return names.str.lower()
