"""BP4D and BP4D+: pictures of each task, ``2D+3D/F001/T1/0001.jpg``, and their codes.

Public code has the pictures in ``2D+3D``, ``Sequences_2D+3D`` or ``BP4D-training``, and their
numbers with three digits, four, or as many as needed; all are read. BP4D+ comes as one zip a
subject, which must be unpacked. Nobody has compared this with the distributed files;
``labels.bp4d`` says what is known of the codes. In both sets only some pictures have codes.
"""

import re
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import pandas as pd

from action_units.coded_sets.reader import CodedData, labels_path, media_folder, setting
from action_units.coded_sets.sequences import Key, find_sequences
from action_units.config.data import CodedSetSettings
from action_units.labels.action_units import au_columns
from action_units.labels.bp4d import find_bp4d, read_bp4d, read_bp4d_intensities
from action_units.labels.coded_frames import MISSING, CodedFrames

_TASK = re.compile(r"(?:.*/)?([FM]\d{3})[/_ -]?(T\d{1,2})", re.ASCII | re.IGNORECASE)
_KEY = ["subject", "recording", "frame"]


def read_bp4d_set(
    settings: CodedSetSettings, folder: Path, left_out: Collection[str] = ()
) -> CodedData:
    """Read the codes of every task, and find its pictures; see ``reader.Reader``.

    Where there are occurrences, they are the presence of AUs, and intensities stand beside
    them; a folder of intensities alone (``labels: …/AU_INT``) gives those.

    Raises:
        LabelError: A file is not sound or is there twice, or there are no pictures.
    """
    found = find_bp4d(labels_path(settings, folder))
    seen = found.subjects()
    files = found.without(left_out)
    if not found.occurrences:
        frames = read_bp4d_intensities(files, settings.aus)
    else:
        frames = read_bp4d(files, settings.aus)
        if files.intensities and (of := {*frames.aus} & {au for *_, au in files.intensities}):
            intensities = read_bp4d_intensities(files, sorted(of), partly=True)
            frames = _with_intensities(frames, intensities)
    media, others = find_sequences(
        media_folder(settings, folder),
        _task_of,
        settings.first_frame,
        setting(folder, "first_frame"),
        "F001/T1/0001.jpg",
    )
    return CodedData(
        frames,
        media,
        place_of=files.place_of,
        left_out=seen & {*left_out},
        skipped=(*files.skipped, *others),
    )


def _with_intensities(presence: CodedFrames, intensities: CodedFrames) -> CodedFrames:
    """Presence with the intensities of the same frames as columns ``AU06_r`` …."""
    columns = au_columns(intensities.aus)
    other = intensities.table.rename(columns={name: f"{name}_r" for name in columns})
    table = presence.table.merge(other, "left", _KEY, validate="1:1")
    added = [f"{name}_r" for name in columns]
    table[added] = table[added].fillna(MISSING).astype("int8")
    return replace(presence, table=pd.DataFrame(table))


def _task_of(path: str) -> Key | None:
    """The subject and the task of ``…/F001/T1`` or ``…/F001_T1``."""
    match = _TASK.fullmatch(path)
    return (match[1].upper(), match[2].upper()) if match else None
