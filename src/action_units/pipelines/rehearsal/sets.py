"""Nodes that rehearse the preprocessing of one set, in a scratch folder."""

import time
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import pandas as pd

from action_units.config import (
    ClusterSettings,
    CodedSetSettings,
    PreprocessSettings,
    RehearsalSettings,
    WebSetSettings,
)
from action_units.datasets.crops import CropSet
from action_units.datasets.raw import RawFolder
from action_units.errors import LabelError
from action_units.faces.join_labels import join_crops
from action_units.faces.store import FaceStore
from action_units.faces.workers import Workers
from action_units.files import temporary_folder
from action_units.labels.action_units import PRETRAIN_AUS, au_columns, aus_of_columns
from action_units.labels.identities import web_people
from action_units.labels.sampling import split_faces
from action_units.media.photograph_names import folder_of
from action_units.media.sources import open_photographs
from action_units.pipelines.preprocessing import nodes
from action_units.pipelines.preprocessing.annotators import label_crops
from action_units.rehearsal.cropping import (
    Cropped,
    measure_photographs,
    measure_recordings,
)
from action_units.rehearsal.estimate import Need
from action_units.rehearsal.memory import peak_memory
from action_units.rehearsal.slices import SetSlice, evenly, thinned, tiled, without_pixels
from action_units.withdrawal import People, WithoutPeople

_SCRATCH = "action-units-rehearsal"
_PACKED = 4000  # crops, at most


def rehearse_web_set(
    name: str,
    raw: RawFolder,
    openface_folder: Path,
    models: Path,
    withdrawn: pd.DataFrame,
    web: WebSetSettings,
    preprocess: PreprocessSettings,
    face_size: int,
    workers: int | None,
    cluster: ClusterSettings,
    seed: int,
    rehearsal: RehearsalSettings,
) -> SetSlice:
    """Read all labels of a web set, and crop, label and pack some photographs.

    Labels that OpenFace's program or a finished run would have to make are not made.

    Raises:
        ActionUnitsError: As preprocessing; or no photograph of the slice has a face.
    """
    started = time.perf_counter()
    labels = nodes.read_web_labels(raw, openface_folder, models, withdrawn, web, preprocess)
    reading = time.perf_counter() - started
    photographs = nodes.WebPhotographs.of(raw, web)
    people = People.named(*withdrawn["person"])
    source = WithoutPeople(open_photographs(photographs.photographs, web.kind), people)
    faces = nodes.face_settings(preprocess)
    with temporary_folder(_SCRATCH) as scratch:
        cropped = measure_photographs(
            name, source, faces, Workers(workers, cluster), rehearsal.seconds, scratch
        )
        table = cropped.result.table
        if table.empty:
            raise LabelError(
                photographs.photographs,
                f"not one of {cropped.n:,} photographs that were tried gave a crop "
                f"({cropped.result.quarantine.summary()}).",
            )
        n_crops = len(table)
        known = all(one.table is not None for one in labels.annotators)
        if known:
            table, _ = label_crops(
                table, labels.annotators, web, preprocess.crop.margin, labels.photographs
            )
        else:
            table = _with_made_up_labels(table)
        table = _with_people(table, labels, photographs)
        whole = _whole_web_set(table, cropped, labels, photographs, web, preprocess, people)
        whole = split_faces(whole, web.held_out, seed=seed, **web.sample.model_dump())
        crops = CropSet(cropped.folder, table, photographs.origin, faces.provenance())
        store, packing = _pack(name, crops, len(whole), face_size, preprocess, workers)
    needs = [Need(f"{name}: reading labels", cropped.total, "photographs", reading)]
    needs.append(cropped.need)
    if not known:
        missing = f"{name}: labels by {web.annotations.program}"
        needs.append(Need(missing, cropped.total * n_crops / cropped.n, "faces", None))
    return SetSlice(store, without_pixels(whole, store.aus), (*needs, packing))


def rehearse_coded_set(
    name: str,
    raw: RawFolder,
    withdrawn: pd.DataFrame,
    coded: CodedSetSettings,
    preprocess: PreprocessSettings,
    face_size: int,
    workers: int | None,
    cluster: ClusterSettings,
    rehearsal: RehearsalSettings,
) -> SetSlice:
    """Read all codes of a coded set, and crop and pack some frames.

    Raises:
        ActionUnitsError: As preprocessing; or no frame of the slice has a face.
    """
    started = time.perf_counter()
    plan = nodes.read_coded_labels(name, raw, withdrawn, coded, preprocess)
    reading = time.perf_counter() - started
    faces = nodes.face_settings(preprocess)
    with temporary_folder(_SCRATCH) as scratch:
        cropped = measure_recordings(
            name,
            plan.recordings,
            faces,
            Workers(workers, cluster),
            rehearsal.seconds,
            scratch,
        )
        if cropped.result.table.empty:
            raise LabelError(
                plan.source,
                f"not one of {cropped.n:,} frames that were tried gave a crop "
                f"({cropped.result.quarantine.summary()}).",
            )
        if cropped.is_whole:
            whole = join_crops(plan.frames, cropped.result, plan.excluded)
            table = whole = whole[whole["reason"] == ""].drop(columns="reason")
        else:
            usable = ~plan.frames["image"].isin(plan.excluded["image"])
            share = len(cropped.result.table) / cropped.n
            whole = thinned(plan.frames[usable].reset_index(drop=True), share)
            crop_columns = [
                "image",
                *cropped.result.table.columns.difference(plan.frames.columns),
            ]
            table = plan.frames.merge(cropped.result.table[crop_columns], on="image")
        origin = raw.origin if coded.media is None else Path(coded.media).name
        crops = CropSet(cropped.folder, table, origin, faces.provenance())
        store, packing = _pack(name, crops, len(whole), face_size, preprocess, workers)
    reading_need = Need(f"{name}: reading labels", len(plan.frames), "frames", reading)
    whole = whole.assign(origin=origin)
    return SetSlice(
        store, without_pixels(whole, store.aus), (reading_need, cropped.need, packing)
    )


def rehearse_crops(
    name: str,
    crops: CropSet,
    withdrawn: pd.DataFrame,
    preprocess: PreprocessSettings,
    face_size: int,
    workers: int | None,
) -> SetSlice:
    """Pack some crops of a set that starts from crops; raises as packing."""
    names = People.named(*withdrawn["person"]).names
    table = crops.table[~crops.table["subject"].isin(names)].reset_index(drop=True)
    store, packing = _pack(
        name, replace(crops, table=table), len(table), face_size, preprocess, workers
    )
    whole = without_pixels(table.assign(origin=crops.origin), aus_of_columns(table.columns))
    return SetSlice(store, whole, (packing,))


def _pack(
    name: str,
    crops: CropSet,
    total: int,
    face_size: int,
    preprocess: PreprocessSettings,
    workers: int | None,
) -> tuple[FaceStore, Need]:
    """Pack and save some crops."""
    table = crops.table.iloc[evenly(_PACKED, len(crops.table))].reset_index(drop=True)
    nobody = pd.DataFrame({"person": []})
    with temporary_folder(_SCRATCH) as scratch, peak_memory() as peak:
        started = time.perf_counter()
        store, _ = nodes.pack(
            replace(crops, table=table),
            scratch / f"{name} (slice)",
            nobody,
            face_size,
            preprocess,
            workers,
        )
        store.save(scratch / "store")
        seconds = (time.perf_counter() - started) / len(store)
        n_bytes = sum(path.stat().st_size for path in (scratch / "store").iterdir())
    each = store.faces[0].nbytes
    # The faces lie in memory, or in a file of their own, until they are saved.
    memory = peak.process + each * (total - len(store))
    need = Need(
        f"{name}: packing",
        total,
        "crops",
        seconds * total,
        memory,
        disk=n_bytes / len(store) * total,
    )
    return store, need


def _with_made_up_labels(table: pd.DataFrame) -> pd.DataFrame:
    """Labels that are still to be made, in their place for the time being."""
    n = len(table)
    labels = {
        column: np.fromiter(islice(cycle([0, 1]), n), np.int8)
        for column in au_columns(PRETRAIN_AUS)
    }
    return table.assign(**labels)


def _with_people(
    table: pd.DataFrame, labels: nodes.WebLabels, photographs: nodes.WebPhotographs
) -> pd.DataFrame:
    people = web_people(table["image"], labels.genders, photographs.identities, folder_of)
    return table.assign(subject=people["subject"], gender=people["gender"])


def _whole_web_set(
    table: pd.DataFrame,
    cropped: Cropped,
    labels: nodes.WebLabels,
    photographs: nodes.WebPhotographs,
    web: WebSetSettings,
    preprocess: PreprocessSettings,
    withdrawn: People,
) -> pd.DataFrame:
    """The labelled crops that a set will have: the slice, or more of its kind."""
    if cropped.is_whole:
        return table.reset_index(drop=True)
    if not labels.photographs:
        return tiled(table, round(cropped.total * len(table) / cropped.n))
    source = open_photographs(photographs.photographs, web.kind)
    images = [
        stem + preprocess.crop.suffix
        for _, stem in source.named() or ()
        if not withdrawn.appear_in(stem + preprocess.crop.suffix)
    ]
    people = web_people(images, labels.genders, photographs.identities, folder_of)
    columns = dict.fromkeys(au_columns(aus_of_columns(table.columns)), np.int8(0))
    return thinned(people.assign(**columns), len(table) / cropped.n)
