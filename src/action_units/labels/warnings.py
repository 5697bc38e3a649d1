"""What is odd in real label files but can be lived with: sentences for the log.

Faults that must not be trained on are refused where tables are read. These here
are for the reader to know.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from action_units.labels.action_units import au_columns
from action_units.labels.coded_frames import MISSING
from action_units.labels.folds import DISFA_SUBJECTS

_BAD_LANDMARKS = ("SN029", 4330, 4536)
"""Frames whose landmarks are reported as bad in the distributed DISFA set."""


def disfa_warnings(table: pd.DataFrame, aus: Sequence[int]) -> list[str]:
    """What is odd in a table of DISFA frames.

    Args:
        table: With ``image``, ``subject``, ``frame`` and the label columns, ordered
            by subject and frame, of one camera or two.
        aus: The AUs that are labelled.
    """
    if table.empty:
        return []
    warnings = []
    if missing := sorted(set(DISFA_SUBJECTS) - set(table["subject"])):
        warnings.append(
            f"{len(missing)} of DISFA's {len(DISFA_SUBJECTS)} subjects are missing: "
            f"{', '.join(missing)}."
        )
    camera = table["image"].str.split("Video").str[0]
    if camera.nunique() > 1:
        warnings.append("The data has frames of both cameras: each moment counts twice.")
    frames = table.groupby("subject")["frame"].agg(["nunique", "min", "max"])
    usual = int(frames["max"].mode().max())
    for subject, count, first, last in frames.itertuples():
        if last != usual:
            warnings.append(
                f"{subject} ends with frame {last:,}, where most subjects end with {usual:,}."
            )
        if gaps := last - first + 1 - count:
            warnings.append(f"{subject} has no row for {gaps:,} frames before its last.")
    if (frames["min"] == 1).all():
        warnings.append(
            "Crops are numbered from 0: the crop 00000000 is DISFA's frame 1, and the tables' "
            "`frame` is DISFA's number."
        )
    subject, start, end = _BAD_LANDMARKS
    if ((table["subject"] == subject) & table["frame"].between(start, end)).any():
        warnings.append(
            f"{subject}, frames {start:,} to {end:,}: DISFA's landmarks are reported as bad "
            "there; the labels stay in use."
        )
    labels = table[au_columns(aus)].to_numpy(np.int8)  # (N, A)
    shown = (labels == 1).any(axis=0)
    if not shown.all():
        names = ", ".join(np.array(au_columns(aus))[~shown])
        warnings.append(f"No face shows {names}: its figures will be n/a.")
    warnings += _single_frames(table, camera, labels, au_columns(aus))
    return warnings


def web_warnings(table: pd.DataFrame) -> list[str]:
    """What is odd in a table of web faces with ``image``, ``subject``, ``gender``."""
    warnings = []
    genders = table.groupby("subject")["gender"].nunique()
    if unsure := sorted(genders[genders > 1].index):
        warnings.append(
            f"{len(unsure):,} people have faces of both genders, the first is {unsure[0]}."
        )
    photograph = table["image"].str.rsplit("-FaceId-", n=1).str[0]
    doubled = photograph[photograph.duplicated()]
    if len(doubled):
        warnings.append(
            f"{doubled.nunique():,} photographs give several faces to one person, the first is "
            f"{sorted(doubled)[0]}: all but one must be of other people."
        )
    return warnings


def _single_frames(
    table: pd.DataFrame, camera: "pd.Series[str]", labels: np.ndarray, columns: list[str]
) -> list[str]:
    """AUs that come or go for a single frame inside a run of frames."""
    group, _ = pd.factorize(table["subject"] + camera)
    order = np.lexsort((table["frame"], group))
    labels, group = labels[order], group[order]
    same = (group[1:] == group[:-1]) & (np.diff(table["frame"].to_numpy()[order]) == 1)
    change = (labels[1:] != labels[:-1]) & same[:, None]  # (N - 1, A)
    scored = labels != MISSING
    lone = change[:-1] & change[1:]  # (N - 2, A): frame i + 1 differs from both neighbours
    lone &= scored[:-2] & scored[1:-1] & scored[2:]
    if not lone.any():
        return []
    where, which = np.nonzero(lone)
    row = table.iloc[order[where[0] + 1]]
    return [
        f"{len(where):,} labels change for a single frame, the first is "
        f"{columns[which[0]]} of {row['subject']} at frame {row['frame']:,}."
    ]
