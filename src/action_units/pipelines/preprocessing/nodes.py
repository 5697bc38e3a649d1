"""Nodes from raw data to crops, labels and the face store."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from PIL import Image

from action_units.coded_sets.frame_annotations import annotate_frames, annotations_path
from action_units.coded_sets.plan import CodedPlan, plan_coded_set
from action_units.config import (
    ClusterSettings,
    CodedSetSettings,
    PreprocessSettings,
    WebSetSettings,
)
from action_units.datasets.crops import CropSet
from action_units.datasets.raw import RawFolder
from action_units.errors import ConfigurationError, LabelError
from action_units.faces.crop import FaceSettings
from action_units.faces.join_labels import check_names, join_crops, lost_frames
from action_units.faces.openface_runner import annotate, find_binary
from action_units.faces.packing import pack_crops
from action_units.faces.preprocess import crop_photographs as crop_files
from action_units.faces.preprocess import crop_videos
from action_units.faces.quarantine import Quarantine
from action_units.faces.repeats import join_coded_stores, join_web_stores
from action_units.faces.store import FaceStore
from action_units.faces.workers import Workers
from action_units.labels.action_units import AU_NAMES, au_column
from action_units.labels.identities import read_identities, web_people
from action_units.labels.label_files import log_skipped
from action_units.labels.sampling import split_faces
from action_units.media.photograph_names import by_identity, folder_of
from action_units.media.sources import FolderSource, open_photographs
from action_units.pipelines.preprocessing.annotators import (
    Annotator,
    find_annotators,
    label_crops,
    own_file,
)
from action_units.sample.contact_sheet import contact_sheet
from action_units.withdrawal import People, WithoutPeople

logger = logging.getLogger(__name__)

_SHOWN = 6  # faces of each AU on a contact sheet
_TILE = 176  # pixels: wide enough for the name of an AU below a face


@dataclass(frozen=True)
class WebPhotographs:
    """Where the parts of a web set are.

    Attributes:
        photographs: A folder, a TSV or tars; a path, or a URL that fsspec serves.
        identities: CSV of ``identity,gender``.
        origin: ``rendered``, or the name of what holds a person's own photographs.
    """

    photographs: str
    identities: Path
    origin: str

    @classmethod
    def of(cls, raw: RawFolder, web: WebSetSettings) -> Self:
        """The places that the settings name, or else those in the set's own folder."""
        own = web.photographs
        return cls(
            own or str(raw.path / "photographs"),
            Path(web.identities or raw.path / "identities.csv"),
            raw.origin if own is None else raw.path.name,
        )

    def source(self, web: WebSetSettings, withdrawn: pd.DataFrame) -> WithoutPeople:
        """The photographs, without those of people who have withdrawn."""
        people = People.named(*withdrawn["person"])
        return WithoutPeople(open_photographs(self.photographs, web.kind), people)


@dataclass(frozen=True)
class WebLabels:
    """What is known of the photographs before any is cropped.

    Attributes:
        genders: The gender, 0 or 1, of each identity in the crops' names.
        photographs: By their names, those that their crops get, where they are known without
            reading all.
        annotators: One or two, with their labels, but of OpenFace where its program is run,
            or a person is to run it on the crops, and of a finished run.
    """

    genders: Mapping[str, int]
    photographs: Mapping[str, str] = field(default_factory=dict)
    annotators: tuple[Annotator, ...] = ()


def read_web_labels(
    raw: RawFolder,
    openface_folder: Path,
    models: Path,
    withdrawn: pd.DataFrame,
    web: WebSetSettings,
    preprocess: PreprocessSettings,
) -> WebLabels:
    """Read and check all labels that are there, before anything is cropped.

    People who have withdrawn need not be among the identities.

    Raises:
        LabelError: A label file is missing or not sound, or is of other photographs.
        ConfigurationError: Annotations and a program to make them are missing.
    """
    photographs = WebPhotographs.of(raw, web)
    genders = by_identity(read_identities(photographs.identities))
    source = open_photographs(photographs.photographs, web.kind)
    names = {name: stem + preprocess.crop.suffix for name, stem in source.named() or ()}
    annotators = find_annotators(raw.path, web, openface_folder, models, preprocess)
    if any(one.is_openface and one.table is None for one in annotators) and (
        isinstance(source, FolderSource) or preprocess.openface.binary
    ):
        _check_program(raw, web, openface_folder, preprocess)
    people = People.named(*withdrawn["person"])
    for one in annotators:
        if one.table is not None and names:
            images = check_names(names, one.table, one.path)
            shown = [image for image in images if not people.appear_in(image)]
            web_people(shown, genders, photographs.identities, folder_of)
    return WebLabels(genders, names, annotators)


def crop_photographs(
    raw: RawFolder,
    labels: WebLabels,
    folder: Path,
    journal: Path,
    withdrawn: pd.DataFrame,
    web: WebSetSettings,
    preprocess: PreprocessSettings,
    workers: int | None,
    cluster: ClusterSettings,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Crop one face of every new photograph; returns a row a crop, and the quarantine.

    Photographs of people who have withdrawn are skipped. `labels` is an input so that they
    are read first.

    Raises:
        LabelError: No photograph gave a crop.
    """
    photographs = WebPhotographs.of(raw, web)
    result = crop_files(
        photographs.source(web, withdrawn),
        folder,
        journal,
        face_settings(preprocess),
        Workers(workers, cluster),
    )
    total = len(result.table) + len(result.quarantine)
    _log_quarantine(result.quarantine, result.new, total, "photographs")
    if result.table.empty:
        raise LabelError(
            photographs.photographs,
            f"not one of {total:,} photographs gave a crop ({result.quarantine.summary()}); "
            "the quarantine table has the reasons.",
        )
    return result.table, result.quarantine.table()


def annotate_photographs(
    raw: RawFolder,
    labels: WebLabels,
    crops: pd.DataFrame,
    crop_folder: Path,
    openface_folder: Path,
    withdrawn: pd.DataFrame,
    web: WebSetSettings,
    preprocess: PreprocessSettings,
    workers: int | None,
    device: str,
) -> tuple[tuple[Annotator, ...], pd.DataFrame]:
    """Make the annotations that are missing: by OpenFace's program, or by a finished run.

    Photographs in an archive or a store are not files that OpenFace could read, so it is run
    on their crops. It never gets photographs of people who have withdrawn.

    Returns:
        The annotators, each with its labels or files of them, and the quarantine.
    """
    quarantine = Quarantine()
    annotators = []
    for one in labels.annotators:
        if one.table is None and one.is_openface:
            source = Path(WebPhotographs.of(raw, web).photographs)
            if not source.is_dir() or web.kind not in ("auto", "folder"):
                source = crop_folder
            done = annotate(
                source,
                openface_folder,
                preprocess.openface.binary,
                workers or None,
                extra_args=preprocess.openface.arguments,
                left_out=People.named(*withdrawn["person"]).appear_in,
            )
            total = done.new + done.existing
            _log_quarantine(done.quarantine, done.new, total, "photographs")
            quarantine.extend(done.quarantine)
            annotators.append(one)  # its files are read when they are joined
        elif one.table is None:
            annotators.append(
                one.predict(crop_folder, crops, face_settings(preprocess), device)
            )
        else:
            annotators.append(one)
    return tuple(annotators), quarantine.table()


def label_faces(
    crops: pd.DataFrame,
    annotators: tuple[Annotator, ...],
    labels: WebLabels,
    raw: RawFolder,
    folder: Path,
    web: WebSetSettings,
    preprocess: PreprocessSettings,
    seed: int,
) -> tuple[CropSet, pd.DataFrame]:
    """Join the annotators' labels to the crops, and draw the faces for training and testing.

    Returns:
        The crops with their AUs and a ``split`` by identity, and the quarantine of photographs
        without usable annotations.
    """
    photographs = WebPhotographs.of(raw, web)
    table, quarantine = label_crops(
        crops, annotators, web, preprocess.crop.margin, labels.photographs
    )
    table = name_people(table, labels, photographs)
    table = split_faces(table, web.held_out, seed=seed, **web.sample.model_dump())
    _log_quarantine(quarantine, len(crops), len(crops), "crops")
    provenance = face_settings(preprocess).provenance()
    return CropSet(folder, table, photographs.origin, provenance), quarantine.table()


def name_people(
    crops: pd.DataFrame, labels: WebLabels, photographs: WebPhotographs
) -> pd.DataFrame:
    """The crops with ``subject`` and ``gender``; raises as ``web_people``."""
    people = web_people(crops["image"], labels.genders, photographs.identities, folder_of)
    return crops.assign(subject=people["subject"], gender=people["gender"])


def read_coded_labels(
    name: str,
    raw: RawFolder,
    withdrawn: pd.DataFrame,
    coded: CodedSetSettings,
    preprocess: PreprocessSettings,
) -> CodedPlan:
    """Read a set's codes and match them with pictures, before anything is cropped.

    A program's labels of the same frames, where there are any, are put beside the codes.

    Raises:
        ActionUnitsError: From ``plan_coded_set`` and ``annotate_frames``.
    """
    left_out = set(withdrawn["person"])
    plan = plan_coded_set(name, coded, raw.path, left_out, preprocess.crop.suffix)
    path = annotations_path(coded.annotations, raw.path)
    if path is None:
        return plan
    return replace(plan, frames=annotate_frames(plan, coded.annotations, path))


def crop_frames(
    raw: RawFolder,
    plan: CodedPlan,
    folder: Path,
    journal: Path,
    coded: CodedSetSettings,
    preprocess: PreprocessSettings,
    workers: int | None,
    cluster: ClusterSettings,
) -> tuple[CropSet, pd.DataFrame, pd.DataFrame]:
    """Crop the face of every frame that the experts have coded.

    Returns:
        The crops with the coded AUs; the quarantine; and every coded frame, with the reason
        where it has no crop.
    """
    settings = face_settings(preprocess)
    log_skipped(plan.skipped, "recordings and label files")
    plan.log_counts()
    result = crop_videos(plan.recordings, folder, journal, settings, Workers(workers, cluster))
    frames = join_crops(plan.frames, result, plan.excluded)
    quarantine = result.quarantine
    for subject, reason in plan.left_out.items():
        quarantine.add(subject, "excluded", f"the whole subject: {reason}")
    for name, reason in plan.set_aside.items():
        quarantine.add(name, "set aside", reason)
    for row in plan.excluded.itertuples():
        quarantine.add(str(row.image), "excluded", str(row.reason))
    lost = lost_frames(frames)
    for row in lost[lost["lost"] > 0].itertuples():
        logger.warning("%s: no crop of %d of its %d frames", row.subject, row.lost, row.frames)
    _log_quarantine(quarantine, result.new, len(plan.frames), "frames")
    return coded_crops(raw, frames, folder, coded, settings), quarantine.table(), frames


def coded_crops(
    raw: RawFolder,
    frames: pd.DataFrame,
    folder: Path,
    coded: CodedSetSettings,
    settings: FaceSettings,
) -> CropSet:
    """The crops of the coded frames that have one, by ``reason``."""
    table = frames[frames["reason"] == ""].drop(columns="reason").reset_index(drop=True)
    origin = raw.origin if coded.media is None else Path(coded.media).name
    return CropSet(folder, table, origin, settings.provenance())


def face_settings(preprocess: PreprocessSettings) -> FaceSettings:
    """How faces are found and cropped; raises ConfigurationError where that cannot be."""
    return FaceSettings(preprocess.detector, preprocess.crop, preprocess.max_megapixels)


def pack(
    crops: CropSet,
    before: Path,
    withdrawn: pd.DataFrame,
    face_size: int,
    preprocess: PreprocessSettings,
    workers: int | None,
) -> tuple[FaceStore, pd.DataFrame]:
    """Make all crops one array, unless the store at `before` is of the same crops.

    Returns:
        The face store without people who have withdrawn, and the quarantine of crops that
        could not be read.
    """
    names = People.named(*withdrawn["person"]).names
    table = crops.table[~crops.table["subject"].isin(names)].assign(origin=crops.origin)
    faces, quarantine = pack_crops(
        crops.folder,
        table,
        face_size,
        workers or None,
        existing=before,
        provenance=crops.provenance,
        colour=preprocess.crop.colour,
    )
    _log_quarantine(quarantine, len(table), len(table), "crops")
    people = faces.table["subject"].nunique()
    logger.info("%s: %s faces of %s people", before.name, f"{len(faces):,}", f"{people:,}")
    return faces, quarantine.table()


def draw_contact_sheet(faces: FaceStore) -> Image.Image:
    """Some faces with each AU, so that a person sees what is trained on."""
    images, captions = [], []
    for column, au in enumerate(faces.aus):
        rows = np.flatnonzero(faces.labels[:, column] == 1)
        if len(rows):
            shown = rows[:: max(1, len(rows) // _SHOWN)][:_SHOWN]
            images += [faces.faces[row] for row in shown]
            captions += [f"{au_column(au)} {AU_NAMES[au]}"] * len(shown)
    return Image.fromarray(contact_sheet(images, captions, tile=_TILE))


def merge_quarantines(**tables: pd.DataFrame | None) -> pd.DataFrame:
    """All quarantine tables as one, ``source, path, reason, detail, sha256``.

    Args:
        tables: By the set and the work, such as ``web_cropping``; None for what this run
            leaves out.
    """
    columns = ["source", "path", "reason", "detail", "sha256"]
    some = [
        table.assign(source=name)
        for name, table in tables.items()
        if table is not None and len(table)
    ]
    merged = pd.concat(some, ignore_index=True) if some else pd.DataFrame()
    return merged.reindex(columns=columns)


def merge_lost_frames(**frames: pd.DataFrame | None) -> pd.DataFrame:
    """How many frames each subject lost; of several sets, subjects are named by set.

    Args:
        frames: By the name of the set, every coded frame with the reason where it has no
            crop; None where a set starts from crops.

    Returns:
        ``subject, frames, lost`` and a column for each reason.
    """
    tables = []
    for name, coded in frames.items():
        if coded is not None:
            lost = lost_frames(coded)
            several = f"{name}/" + lost["subject"].astype(str)
            tables.append(lost.assign(subject=several) if len(frames) > 1 else lost)
    if not tables:
        return pd.DataFrame(columns=["subject", "frames", "lost"])
    merged = pd.concat(tables, ignore_index=True)
    counts = merged.columns.drop("subject")
    return merged.assign(**merged[counts].fillna(0).astype(int))


def gather_faces(
    names: Sequence[str], people: Mapping[str, str | None], *stores: FaceStore
) -> FaceStore:
    """The faces of several coded sets as one; checks, before any training, that this can be.

    Args:
        names: Of the sets.
        people: Which sets have the same people.
        stores: Of each set, its faces.

    Raises:
        ConfigurationError: From ``join_coded_stores``.
    """
    return join_coded_stores(dict(zip(names, stores, strict=True)), people)


def gather_web_faces(names: Sequence[str], *stores: FaceStore) -> FaceStore:
    """The faces of several web sets as one; raises as ``join_web_stores``."""
    return join_web_stores(dict(zip(names, stores, strict=True)))


def _check_program(
    raw: RawFolder, web: WebSetSettings, openface_folder: Path, preprocess: PreprocessSettings
) -> None:
    """Check that OpenFace can be run, if annotations are missing."""
    binary, arguments = preprocess.openface.binary, preprocess.openface.arguments
    try:
        photographs = WebPhotographs.of(raw, web).photographs
        find_binary(binary, photographs, openface_folder, arguments)
    except ConfigurationError as error:
        if binary is not None:
            raise
        problem = f"{own_file(web.annotations, raw.path)} is not there, and {error}"
        raise ConfigurationError(problem) from None


def _log_quarantine(quarantine: Quarantine, new: int, total: int, unit: str) -> None:
    """Log how many were done before, and how many are quarantined and why."""
    if new < total:
        logger.info("%s of %s %s had been done before", f"{total - new:,}", f"{total:,}", unit)
    if n := len(quarantine):
        reasons = quarantine.summary()
        logger.info("Quarantined %s of %s %s: %s", f"{n:,}", f"{total:,}", unit, reasons)
