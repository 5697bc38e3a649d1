"""Nodes from raw data to crops, label tables and the face store."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from action_units.datasets.crops import CropSet
from action_units.datasets.raw import DisfaRecordings, WebPhotographs
from action_units.errors import ConfigurationError, LabelError
from action_units.faces.disfa_recordings import DisfaPlan, plan_recordings
from action_units.faces.labelled import (
    check_names,
    frames_with_crops,
    lost_frames,
    with_annotations,
)
from action_units.faces.openface_runner import annotate, find_binary
from action_units.faces.packing import pack_crops
from action_units.faces.preprocess import crop_photographs as crop_files
from action_units.faces.preprocess import crop_videos
from action_units.faces.quarantine import Quarantine
from action_units.faces.store import FaceStore
from action_units.labels.action_units import AU_NAMES, au_column
from action_units.labels.exclusions import parse_exclusions
from action_units.labels.identities import read_identities, web_people
from action_units.labels.label_files import log_skipped
from action_units.labels.openface import OpenFaceTable, read_openface
from action_units.labels.openface_csv import csv_files_below
from action_units.labels.sampling import hold_out, sample_faces
from action_units.media.photograph_names import by_identity, folder_of
from action_units.media.sources import FolderSource, open_photographs
from action_units.pipelines.preprocessing.settings import face_settings, workers_of
from action_units.sample.contact_sheet import contact_sheet
from action_units.withdrawal import WithoutPeople, people_of

logger = logging.getLogger(__name__)

_SHOWN = 6  # faces of each AU on a contact sheet
_TILE = 176  # pixels: wide enough for the name of an AU below a face


@dataclass(frozen=True)
class WebLabels:
    """What is known of the photographs before any is cropped.

    Attributes:
        genders: The gender, 0 or 1, of each identity in the crops' names.
        photographs: Their names, where these are known without reading all.
        annotations: OpenFace's CSV, or a folder of its CSVs; None where its program is run,
            or a person is to run it on the crops.
        table: What is in them.
    """

    genders: Mapping[str, int]
    photographs: tuple[str, ...] = ()
    annotations: Path | None = None
    table: OpenFaceTable | None = None


def read_web_labels(
    photographs: WebPhotographs,
    folder: Path,
    withdrawn: pd.DataFrame,
    preprocess: Mapping[str, Any],
) -> WebLabels:
    """Read all labels, and refuse what is missing or wrong before anything is cropped.

    Args:
        photographs: The photographs, who is on them, and annotations where there are some.
        folder: Where OpenFace's files go.
        withdrawn: Who need not be among the labels.
        preprocess: The parameters of preprocessing.

    Returns:
        The labels, so far as they are there.
    """
    genders = by_identity(read_identities(photographs.identities))
    source = open_photographs(photographs.photographs, photographs.kind)
    suffix = preprocess["crop"]["suffix"]
    names = {name: stem + suffix for name, stem in source.named() or ()}
    openface = preprocess["openface"]
    given = _given_annotations(photographs, folder, openface["binary"])
    if given is None:
        if isinstance(source, FolderSource) or openface["binary"] is not None:
            _check_program(photographs, folder, openface)
        return WebLabels(genders, tuple(names))
    table = _read_openface(given, preprocess)
    if names:
        images = check_names(names, table, given)
        gone = people_of(withdrawn["person"])
        staying = [image for image in images if not any(one.is_in(image) for one in gone)]
        web_people(staying, genders, photographs.identities, folder_of)
    return WebLabels(genders, tuple(names), given, table)


def crop_photographs(
    photographs: WebPhotographs,
    labels: WebLabels,
    folder: Path,
    journal: Path,
    withdrawn: pd.DataFrame,
    preprocess: Mapping[str, Any],
    workers: int | None,
    cluster: Mapping[str, Any],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cut one face out of every photograph that has not been worked on yet.

    Args:
        photographs: Where they are.
        labels: Theirs, so that nothing is cropped before these have been read.
        folder: Where the crops go.
        journal: Where it is noted what is done.
        withdrawn: Whose photographs are passed over.
        preprocess: The parameters of preprocessing.
        workers: Processes; None for one a core.
        cluster: The engine they belong to.

    Returns:
        A row a crop, and the quarantine table.
    """
    source = open_photographs(photographs.photographs, photographs.kind)
    result = crop_files(
        WithoutPeople(source, people_of(withdrawn["person"])),
        folder,
        journal,
        face_settings(preprocess),
        workers_of(workers, cluster),
    )
    total = len(result.table) + len(result.quarantine)
    _tell(result.quarantine, result.new, total, "photographs")
    if result.table.empty:
        raise LabelError(
            photographs.photographs,
            f"not one of {total:,} photographs gave a crop ({result.quarantine.summary()}); "
            "the quarantine table says why.",
        )
    return result.table, result.quarantine.table()


def annotate_photographs(
    photographs: WebPhotographs,
    labels: WebLabels,
    crops: pd.DataFrame,
    crop_folder: Path,
    folder: Path,
    withdrawn: pd.DataFrame,
    preprocess: Mapping[str, Any],
    workers: int | None,
) -> tuple[Path, pd.DataFrame]:
    """Have OpenFace code the photographs, where its program is configured.

    Photographs in an archive or a store have no files that it could read, so it gets
    their crops.

    Args:
        photographs: The photographs.
        labels: With annotations that are there already.
        crops: A row a crop.
        crop_folder: Where they lie.
        folder: Where OpenFace's files go.
        withdrawn: Whose photographs it does not get.
        preprocess: The parameters of preprocessing.
        workers: OpenFace's processes; None for one a core.

    Returns:
        Where the annotations are, and the quarantine table.
    """
    if labels.annotations is not None:
        return labels.annotations, Quarantine().table()
    binary = preprocess["openface"]["binary"]
    source = Path(photographs.photographs)
    if not source.is_dir() or photographs.kind not in ("auto", "folder"):
        source = crop_folder
    gone = people_of(withdrawn["person"])
    done = annotate(
        source,
        folder,
        binary,
        workers or None,
        extra_args=preprocess["openface"]["arguments"],
        left_out=lambda name: any(person.is_in(name) for person in gone),
    )
    _tell(done.quarantine, done.new, done.new + done.there, "photographs")
    return folder, done.quarantine.table()


def label_faces(
    crops: pd.DataFrame,
    annotations: Path,
    labels: WebLabels,
    photographs: WebPhotographs,
    folder: Path,
    preprocess: Mapping[str, Any],
    seed: int,
) -> tuple[CropSet, pd.DataFrame]:
    """Put OpenFace's labels beside the crops, and draw those that are trained on.

    Args:
        crops: A row a crop.
        annotations: OpenFace's CSV, or a folder of its CSVs.
        labels: Those that were there before.
        photographs: Who the people are.
        folder: Where the crops lie.
        preprocess: The parameters of preprocessing.
        seed: Decides which faces are drawn and which people are held out.

    Returns:
        The crops with 18 AUs and a ``split`` by identity, and a quarantine table of
        photographs without usable annotations.
    """
    web = preprocess["web"]
    found = labels.table or _read_openface(annotations, preprocess)
    table, aside = with_annotations(
        crops, found, annotations, preprocess["crop"]["margin"], labels.photographs
    )
    people = web_people(table["image"], labels.genders, photographs.identities, folder_of)
    table = table.assign(subject=people["subject"], gender=people["gender"])
    held_out = table["subject"].isin(hold_out(table, web["held_out"], seed=seed))
    train = sample_faces(table[~held_out], seed=seed, **web["sample"])
    test = table[held_out]
    table = pd.concat(
        [train.assign(split="train"), test.assign(split="test")], ignore_index=True
    )
    _tell(aside, len(crops), len(crops), "crops")
    logger.info(
        "%s faces of %s people to train on, %s of %s held out",
        f"{len(train):,}",
        f"{train['subject'].nunique():,}",
        f"{len(test):,}",
        f"{test['subject'].nunique():,}",
    )
    made_with = face_settings(preprocess).provenance()
    return CropSet(folder, table, photographs.origin, made_with), aside.table()


def crop_recordings(
    recordings: DisfaRecordings,
    folder: Path,
    journal: Path,
    withdrawn: pd.DataFrame,
    preprocess: Mapping[str, Any],
    workers: int | None,
    cluster: Mapping[str, Any],
) -> tuple[CropSet, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Cut the face out of every frame that the experts have coded.

    Args:
        recordings: Videos and label files.
        folder: Where the crops go.
        journal: Where it is noted what is done.
        withdrawn: Subjects that are left out.
        preprocess: The parameters of preprocessing.
        workers: Processes; None for one a core.
        cluster: The engine they belong to.

    Returns:
        The crops with 12 AUs; the quarantine table; every coded frame, with the
        reason where it has no crop; and how many frames each subject lost.
    """
    settings = face_settings(preprocess)
    plan = disfa_plan(recordings, preprocess, withdrawn)
    log_skipped(plan.passed_over, "recordings and label files")
    result = crop_videos(plan.videos, folder, journal, settings, workers_of(workers, cluster))
    frames = frames_with_crops(plan.labels, result, plan.excluded)
    for subject, reason in plan.left_out.items():
        result.quarantine.add(subject, "excluded", f"the whole subject: {reason}")
    for row in plan.excluded.itertuples():
        result.quarantine.add(str(row.image), "excluded", str(row.reason))
    lost = lost_frames(frames)
    for row in lost[lost["lost"] > 0].itertuples():
        logger.warning("%s: no crop of %d of its %d frames", row.subject, row.lost, row.frames)
    _tell(result.quarantine, result.new, len(plan.labels), "frames")
    table = frames[frames["reason"] == ""].drop(columns="reason").reset_index(drop=True)
    crops = CropSet(folder, table, recordings.origin, settings.provenance())
    return crops, result.quarantine.table(), frames, lost


def disfa_plan(
    recordings: DisfaRecordings, preprocess: Mapping[str, Any], withdrawn: pd.DataFrame
) -> DisfaPlan:
    """Match recordings and labels, as preprocessing is asked to; raises as that does."""
    disfa = preprocess["disfa"]
    return plan_recordings(
        recordings.folder,
        disfa["camera"],
        parse_exclusions(disfa["exclude"]),
        face_settings(preprocess).crop.suffix,
        disfa["first_frame"],
        disfa["frame_count_tolerance"],
        set(withdrawn["person"]),
    )


def pack(
    crops: CropSet,
    before: Path,
    withdrawn: pd.DataFrame,
    face_size: int,
    workers: int | None,
) -> tuple[FaceStore, pd.DataFrame]:
    """Make all crops one array, unless that has been done.

    Args:
        crops: Crops and their labels.
        before: Where the face store lies, if there is one.
        withdrawn: People whose crops are left out.
        face_size: Side of the packed faces, in pixels.
        workers: Threads; None for one a core.

    Returns:
        The face store, and the quarantine table of crops that could not be read.
    """
    gone = {name for person in people_of(withdrawn["person"]) for name in person.names}
    table = crops.table[~crops.table["subject"].isin(gone)].assign(origin=crops.origin)
    faces, quarantine = pack_crops(
        crops.folder,
        table,
        face_size,
        workers or None,
        existing=before,
        provenance=crops.made_with,
    )
    _tell(quarantine, len(table), len(table), "crops")
    logger.info(
        "%s: %s faces of %s people",
        crops.folder.name,
        f"{len(faces):,}",
        f"{faces.table['subject'].nunique():,}",
    )
    return faces, quarantine.table()


def draw_contact_sheet(faces: FaceStore) -> Image.Image:
    """A picture of some faces with each AU, so that a person sees what is trained on.

    Args:
        faces: The face store.

    Returns:
        The picture.
    """
    pictures, captions = [], []
    for column, au in enumerate(faces.aus):
        rows = np.flatnonzero(faces.labels[:, column] == 1)
        if len(rows):
            shown = rows[:: max(1, len(rows) // _SHOWN)][:_SHOWN]
            pictures += [faces.faces[row] for row in shown]
            captions += [f"{au_column(au)} {AU_NAMES[au]}"] * len(shown)
    return Image.fromarray(contact_sheet(pictures, captions, tile=_TILE))


def _given_annotations(
    photographs: WebPhotographs, folder: Path, binary: str | None
) -> Path | None:
    """Annotations that are there: a person's, or OpenFace's files where it puts them."""
    if binary is not None:
        return None
    if photographs.annotations.exists():
        return photographs.annotations
    there = folder.is_dir() and any(True for _ in csv_files_below(folder))
    return folder if there else None


def _check_program(
    photographs: WebPhotographs, folder: Path, openface: Mapping[str, Any]
) -> None:
    """Refuse to go on without annotations and without a program to make them."""
    try:
        find_binary(openface["binary"], photographs.photographs, folder, openface["arguments"])
    except ConfigurationError as error:
        if openface["binary"] is not None:
            raise
        raise ConfigurationError(
            f"{photographs.annotations} is not there, and {error}"
        ) from None


def _read_openface(path: Path, preprocess: Mapping[str, Any]) -> OpenFaceTable:
    web = preprocess["web"]
    return read_openface(
        path,
        min_confidence=web["min_confidence"],
        suffix="",  # names are matched whatever their suffix
        present_from=web["present_from"],
    )


def _tell(quarantine: Quarantine, new: int, total: int, unit: str) -> None:
    """Say what was new, and what was set aside and why."""
    if new < total:
        logger.info("%s of %s %s had been done before", f"{total - new:,}", f"{total:,}", unit)
    if len(quarantine):
        logger.info(
            "Set aside %s of %s %s: %s",
            f"{len(quarantine):,}",
            f"{total:,}",
            unit,
            quarantine.summary(),
        )
