"""Nodes from raw data to the face store."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from action_units.datasets.crops import CropSet
from action_units.datasets.raw import DisfaRecordings, WebPhotographs
from action_units.errors import ConfigurationError, LabelError
from action_units.faces.detection import DetectorSettings
from action_units.faces.packing import pack_crops
from action_units.faces.quarantine import Quarantine
from action_units.faces.sample.contact_sheet import contact_sheet
from action_units.faces.sources import (
    CropSettings,
    Video,
    crop_videos,
    find_videos,
    with_labels,
)
from action_units.faces.sources import (
    crop_photographs as crop_files,
)
from action_units.faces.store import FaceStore
from action_units.facs.action_units import AU_NAMES, au_column
from action_units.facs.disfa import read_occurrences, subjects_in
from action_units.facs.identities import read_identities, web_people
from action_units.facs.openface import read_openface

logger = logging.getLogger(__name__)

_SHOWN = 6  # faces of each AU on a contact sheet
_TILE = 176  # pixels: wide enough for the name of an AU below a face


def crop_photographs(
    photographs: WebPhotographs,
    folder: Path,
    preprocess: Mapping[str, Any],
    workers: int | None,
    seed: int,
) -> tuple[CropSet, pd.DataFrame]:
    """Cut the face out of every photograph that OpenFace has labelled.

    Args:
        photographs: Photographs, annotations and identities.
        folder: Where the crops go.
        preprocess: The parameters of preprocessing.
        workers: Processes; None for one a core.
        seed: Decides which identities are held out.

    Returns:
        The crops with 18 AUs and a ``split`` by identity, and the quarantine table.
    """
    web = preprocess["web"]
    annotations = read_openface(photographs.annotations, min_confidence=web["min_confidence"])
    labels = annotations.table
    result = crop_files(
        photographs.folder, list(labels["image"]), folder, crop_settings(preprocess), workers
    )
    result.quarantine.extend(_dropped_by_openface(annotations.dropped))
    table = with_labels(result.table, labels, on="photograph")
    genders = read_identities(photographs.identities)
    people = web_people(table["image"], genders, photographs.identities)
    table = table.assign(subject=people["subject"], gender=people["gender"])
    table["split"] = np.where(
        table["subject"].isin(hold_out(table["subject"], web["held_out"], seed)),
        "test",
        "train",
    )
    _tell(result.quarantine, len(labels) + len(annotations.dropped), "photographs")
    return CropSet(folder, table, photographs.origin), result.quarantine.table()


def crop_recordings(
    recordings: DisfaRecordings,
    folder: Path,
    preprocess: Mapping[str, Any],
    workers: int | None,
) -> tuple[CropSet, pd.DataFrame]:
    """Cut the face out of every frame that the experts have coded.

    Args:
        recordings: Videos and label files.
        folder: Where the crops go.
        preprocess: The parameters of preprocessing.
        workers: Processes; None for one a core.

    Returns:
        The crops with 12 AUs, and the quarantine table.
    """
    settings = crop_settings(preprocess)
    subjects = subjects_in(recordings.labels)
    videos = find_videos(recordings.videos, recordings.camera)
    for subject in sorted(set(subjects) ^ set(videos)):
        what = "no video" if subject not in videos else "no label folder"
        raise LabelError(
            recordings.labels if subject not in subjects else recordings.videos,
            f"{subject} has {what}; put it there, or take the subject out of both.",
        )
    labels = read_occurrences(
        recordings.labels, subjects, camera=recordings.camera, suffix=settings.suffix
    )
    frames = labels.groupby("subject").size()
    result = crop_videos(
        [Video(videos[s], s, int(frames[s]), recordings.camera) for s in subjects],
        folder,
        settings,
        workers,
    )
    for subject, count in result.lost.items():
        logger.warning("%s: no crop of %d of its %d frames", subject, count, frames[subject])
    _tell(result.quarantine, len(labels), "frames")
    table = with_labels(result.table, labels)
    return CropSet(folder, table, recordings.origin), result.quarantine.table()


def pack(crops: CropSet, face_size: int, workers: int | None) -> tuple[FaceStore, pd.DataFrame]:
    """Read all crops once and make them one array.

    Args:
        crops: Crops and their labels.
        face_size: Side of the packed faces, in pixels.
        workers: Threads; None for one a core.

    Returns:
        The face store, and the quarantine table of crops that could not be read.
    """
    if isinstance(face_size, bool) or not isinstance(face_size, int) or face_size < 16:
        raise ConfigurationError(f"face_size={face_size!r} must be a whole number from 16.")
    table = crops.table.assign(origin=crops.origin)
    packed = pack_crops(crops.folder, table, face_size, workers)
    _tell(packed.quarantine, len(table), "crops")
    logger.info(
        "%s: %s faces of %s people",
        crops.folder.name,
        f"{len(packed.store):,}",
        f"{packed.store.table['subject'].nunique():,}",
    )
    return packed.store, packed.quarantine.table()


def draw_contact_sheet(faces: FaceStore) -> bytes:
    """A PNG of some faces with each AU, so that a person sees what is trained on.

    Args:
        faces: The face store.

    Returns:
        The picture's bytes.
    """
    pictures, captions = [], []
    for column, au in enumerate(faces.aus):
        rows = np.flatnonzero(faces.labels[:, column] == 1)
        if len(rows):
            shown = rows[:: max(1, len(rows) // _SHOWN)][:_SHOWN]
            pictures += [faces.faces[row] for row in shown]
            captions += [f"{au_column(au)} {AU_NAMES[au]}"] * len(shown)
    _, png = cv2.imencode(".png", contact_sheet(pictures, captions, tile=_TILE))
    return png.tobytes()


def crop_settings(preprocess: Mapping[str, Any]) -> CropSettings:
    """The library's settings from the parameters of preprocessing.

    Raises:
        ConfigurationError: A parameter is unknown or outside its choices.
    """
    try:
        detector = DetectorSettings(**preprocess["detector"])
        return CropSettings(detector=detector, **preprocess["crop"])
    except TypeError as error:
        name = str(error).split("'")[1]
        raise ConfigurationError(
            f"preprocess: {name!r} is not a parameter of the detector or the crop; see "
            "conf/base/parameters_preprocess.yml for those there are."
        ) from None


def hold_out(identities: "pd.Series[str]", part: float, seed: int) -> set[str]:
    """Draw the identities that pre-training never sees.

    Args:
        identities: Whose face each row is.
        part: The part of the identities to hold out, 0 to 1.
        seed: Of the draw.

    Raises:
        ConfigurationError: The part leaves nobody on one side.
    """
    people = np.array(sorted(set(identities)))
    count = round(part * len(people))
    if not 0 < count < len(people):
        raise ConfigurationError(
            f"preprocess.web.held_out={part!r} holds out {count} of {len(people)} identities; "
            "both sides need some."
        )
    return set(np.random.default_rng([seed, len(people)]).permutation(people)[:count])


def _dropped_by_openface(dropped: pd.DataFrame) -> Quarantine:
    quarantine = Quarantine()
    for row in dropped.itertuples():
        quarantine.add(row.image, "openface", f"line {row.line}: {row.reason}")
    return quarantine


def _tell(quarantine: Quarantine, total: int, unit: str) -> None:
    if len(quarantine):
        logger.info(
            "Set aside %d of %s %s: %s",
            len(quarantine),
            f"{total:,}",
            unit,
            quarantine.summary(),
        )
