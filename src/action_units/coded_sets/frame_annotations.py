"""A program's labels of coded frames, matched with the frames by name or number.

They are never trained on: they show how often the program errs where the truth is known. A
file that is of a video has a column of frames, from 0 or 1, and is named after the video, its
recording or its subject. Other files name the crops, as label tables do.
"""

import logging
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from action_units.coded_sets.plan import CodedPlan
from action_units.config.data import AnnotationSettings
from action_units.errors import LabelError
from action_units.faces.preprocess import Recording
from action_units.labels.action_units import au_columns, aus_of_columns
from action_units.labels.annotations.read import read_annotations
from action_units.labels.annotations.registry import DEFAULT
from action_units.labels.coded_frames import MISSING
from action_units.media.photograph_names import match_names

ANNOTATED = "_annotated"
"""After the name of an AU's column: the program's label, 1, 0 or −1 where it has none."""

logger = logging.getLogger(__name__)


def annotations_path(settings: AnnotationSettings, folder: Path) -> Path | None:
    """Where the annotations of a set's frames are; None where there are none.

    Args:
        settings: Of the annotations.
        folder: The set's folder in ``data/01_raw``.
    """
    if settings.path is not None:
        return Path(settings.path)
    name = "openface" if settings.program == DEFAULT else settings.program
    own = folder / name
    return own if own.is_dir() else None


def annotate_frames(plan: CodedPlan, settings: AnnotationSettings, path: Path) -> pd.DataFrame:
    """The frames of a plan with the program's labels, ``AU01_annotated`` ….

    Args:
        plan: The coded set's frames and recordings.
        settings: Who annotated them, and how that is read.
        path: The file or folder of the annotations.

    Raises:
        LabelError: The annotations are not sound, or not one is of these frames.
    """
    annotations = read_annotations(
        path,
        settings.program,
        min_confidence=settings.min_confidence,
        suffix="",
        present_from=settings.present_from,
        scale=settings.scale,
    )
    table = annotations.table
    images = table["image"].map(match_names(table["image"], plan.frames["image"]).found)
    if "frame" in table:
        assert annotations.faces is not None
        first = annotations.faces.groupby("image")["frame"].min().clip(upper=1)
        frames = (table["frame"] - table["image"].map(first)).tolist()
        recordings = _recordings(plan.recordings)
        of_frame = [
            recordings.get(key, {}).get(frame)
            for key, frame in zip(table["image"].str.lower(), frames, strict=True)
        ]
        images = images.where(images.notna(), pd.Series(of_frame, table.index, dtype=object))
    columns = au_columns(aus_of_columns(table.columns))
    labels = table[columns].add_suffix(ANNOTATED).assign(image=images)
    labels = labels[images.notna()].drop_duplicates("image")
    if labels.empty:
        raise LabelError(
            path,
            f"it names {table['image'].iloc[0] if len(table) else 'no usable frame'}, and no "
            f"row is of a coded frame of {plan.name}; name each file of a video after the "
            f"video or its subject, such as {plan.frames['subject'].iloc[0]}.csv, or give "
            f"the crops' names in a column 'image', such as {plan.frames['image'].iloc[0]}.",
        )
    joined = plan.frames.merge(labels, on="image", how="left")
    names = [f"{column}{ANNOTATED}" for column in columns]
    joined[names] = joined[names].fillna(MISSING).astype(np.int8)
    logger.info(
        "%s: %s of %s coded frames have labels of %s; %s rows are of other frames",
        path,
        f"{len(labels):,}",
        f"{len(joined):,}",
        annotations.title,
        f"{len(table) - len(labels):,}",
    )
    return joined


def _recordings(recordings: Iterable[Recording]) -> dict[str, dict[int, str]]:
    """The images of each recording by the frame's place from 0, under each of its names.

    A name that two recordings have is of none.
    """
    named: dict[str, list[dict[int, str]]] = {}
    for one in recordings:
        images = {frame - one.first_frame: image for frame, image in one.images.items()}
        for name in _names(one):
            named.setdefault(name, []).append(images)
    return {name: images[0] for name, images in named.items() if len(images) == 1}


def _names(recording: Recording) -> set[str]:
    path = recording.path
    names = (recording.subject, recording.id, path.name, path.stem)
    return {name.lower() for name in names}
