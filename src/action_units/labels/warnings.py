"""What is odd in real label files but can be lived with: sentences for the log.

Faults that must not be trained on are refused where tables are read. These here
are for the reader to know.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from action_units.labels.action_units import au_column, au_columns, aus_of_columns
from action_units.labels.coded_frames import MISSING
from action_units.labels.folds import DISFA_SUBJECTS
from action_units.labels.names import DISFA_NAME

_BAD_LANDMARKS = ("SN029", 4330, 4536)
"""Frames whose landmarks are reported as bad in the distributed DISFA set."""


def coded_warnings(table: pd.DataFrame) -> list[str]:
    """What is odd in a table of coded frames.

    Args:
        table: With ``image``, ``subject``, ``frame``, perhaps ``recording``, and the label
            columns (−1 where not scored), ordered by subject and frame. Where the images are
            named as DISFA's, it is of one camera or two.
    """
    if table.empty:
        return []
    aus = aus_of_columns(table.columns)
    is_disfa = table["image"].str.fullmatch(DISFA_NAME).all()
    warnings = _disfa_warnings(table) if is_disfa else []
    labels = table[au_columns(aus)].to_numpy(np.int8)  # (N, A)
    never = ~(labels == 1).any(axis=0)
    if never.any():
        names = ", ".join(np.array(au_columns(aus))[never])
        warnings.append(f"No face shows {names}: its figures will be n/a.")
    source = (
        table["image"].str.split("Video").str[0] if is_disfa else table.get("recording", "")
    )
    return warnings + _single_frames(table, table["subject"] + "/" + source, labels, aus)


def _disfa_warnings(table: pd.DataFrame) -> list[str]:
    warnings = []
    if missing := sorted(set(DISFA_SUBJECTS) - set(table["subject"].unique())):
        warnings.append(
            f"{len(missing)} of DISFA's {len(DISFA_SUBJECTS)} subjects are missing: "
            f"{', '.join(missing)}."
        )
    if table["image"].str.split("Video").str[0].nunique() > 1:
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
    table: pd.DataFrame, recording: "pd.Series[str]", labels: np.ndarray, aus: Sequence[int]
) -> list[str]:
    """AUs that come or go for a single frame inside a run of frames of a recording."""
    group, _ = pd.factorize(recording)
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
        f"{au_column(aus[which[0]])} of {row['subject']} at frame {row['frame']:,}."
    ]
