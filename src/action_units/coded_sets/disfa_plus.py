"""DISFA+: trials of pictures, ``Images/SN001/A1_AU1_TrailNo_1/000.jpg``, and their labels.

Nobody has compared this with the distributed files; ``labels.disfa_plus`` says what public
code shows of them. Its nine subjects are subjects of DISFA under the same names.
"""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import cast

from action_units.coded_sets.reader import (
    CodedData,
    labels_path,
    media_folder,
    scale_of,
    setting,
)
from action_units.coded_sets.sequences import Key, find_sequences
from action_units.config.data import CodedSetSettings
from action_units.errors import LabelError
from action_units.labels.disfa_plus import read_disfa_plus
from action_units.labels.label_files import subject_of


def read_disfa_plus_set(
    settings: CodedSetSettings, folder: Path, left_out: Collection[str] = ()
) -> CodedData:
    """Read the trials' codes, and find their pictures; see ``reader.Reader``.

    A trial that lacks the file of an AU, whose files differ in their pictures, or that lacks
    a picture is set aside.

    Raises:
        LabelError: A file is not sound, there are no pictures, or no trial is left.
    """
    labels = labels_path(settings, folder)
    trials = read_disfa_plus(labels, settings.aus, scale_of(settings), left_out)
    media, others = find_sequences(
        media_folder(settings, folder),
        _trial_of,
        settings.first_frame,
        setting(folder, "first_frame"),
        "SN001/A1_AU1_TrailNo_1/000.jpg",
    )
    table, set_aside = trials.frames.table, dict(trials.set_aside)
    for key, part in table.groupby(["subject", "recording"], sort=False):
        subject, trial = cast(Key, key)
        pictures = media[subject, trial].pictures if (subject, trial) in media else {}
        missing = () if pictures is None else sorted({*part["frame"]} - {*pictures})
        if missing:
            number = f"{len(missing):,} of its {len(part):,}"
            set_aside[f"{subject}/{trial}"] = (
                f"{number} pictures are missing, such as {missing[0]:03d}"
            )
    names = table["subject"] + "/" + table["recording"]
    table = table[~names.isin(list(set_aside))].reset_index(drop=True)
    if table.empty:
        name, reason = next(iter(set_aside.items()))
        raise LabelError(
            labels, f"none of its {len(set_aside):,} trials can be used: {name}: {reason}."
        )
    return CodedData(
        replace(trials.frames, table=table),
        {key: one for key, one in media.items() if "/".join(key) not in set_aside},
        left_out=trials.left_out,
        set_aside=set_aside,
        skipped=(*trials.skipped, *others),
    )


def _trial_of(path: str) -> Key | None:
    """The subject and the trial of ``…/SN001/A1_AU1_TrailNo_1``."""
    *_, above, trial = ("", *path.split("/"))
    subject = subject_of(above)
    return (subject, trial) if subject else None
