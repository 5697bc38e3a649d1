"""Nodes that rehearse the preprocessing of one set, in a scratch folder."""

import time
from dataclasses import replace
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
from action_units.labels.sampling import split_faces
from action_units.pipelines.preprocessing import nodes
from action_units.pipelines.preprocessing.annotators import label_crops
from action_units.rehearsal.cropping import (
    Cropped,
    measure_photographs,
    measure_recordings,
)
from action_units.rehearsal.estimate import Need
from action_units.rehearsal.memory import peak_memory
from action_units.rehearsal.slices import SCRATCH, SetSlice, evenly, tiled, without_pixels
from action_units.withdrawal import People

_PACKED = 4000  # crops, at most


def rehearse_web_set(
    name: str,
    raw: RawFolder,
    withdrawn: pd.DataFrame,
    web: WebSetSettings,
    preprocess: PreprocessSettings,
    face_size: int,
    workers: int | None,
    cluster: ClusterSettings,
    rehearsal: RehearsalSettings,
    openface_folder: Path,
    models: Path,
    seed: int,
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
    source = photographs.source(web, withdrawn)
    faces = nodes.face_settings(preprocess)
    with temporary_folder(SCRATCH) as scratch:
        cropped = measure_photographs(
            name, source, faces, Workers(workers, cluster), rehearsal.seconds, scratch
        )
        _check_crops(cropped, photographs.photographs)
        needs = [Need(f"{name}: reading labels", cropped.need.amount, "photographs", reading)]
        needs.append(cropped.need)
        crops = cropped.result.table
        if all(one.table is not None for one in labels.annotators):
            margin = preprocess.crop.margin
            table, _ = label_crops(crops, labels.annotators, web, margin, labels.photographs)
        else:
            made_up = np.arange(len(crops), dtype=np.int8) % 2
            table = crops.assign(**dict.fromkeys(au_columns(PRETRAIN_AUS), made_up))
            n_faces = cropped.need.amount * len(crops) / cropped.n
            title = f"{name}: labels by {web.annotations.program}"
            needs.append(Need(title, n_faces, "faces", None))
        table = whole = nodes.name_people(table, labels, photographs)
        share = len(table) / cropped.n  # which get a crop and labels
        if not cropped.is_whole and labels.photographs:
            shown = source.people.appear_in
            images = [image for image in labels.photographs.values() if not shown(image)]
            whole = nodes.name_people(pd.DataFrame({"image": images}), labels, photographs)
            whole = whole.sample(frac=share, random_state=seed)
            whole = whole.assign(
                **dict.fromkeys(au_columns(aus_of_columns(table.columns)), np.int8(0))
            )
        elif not cropped.is_whole:
            whole = tiled(table, round(share * cropped.need.amount))
        whole = split_faces(whole, web.held_out, seed=seed, **web.sample.model_dump())
        own = CropSet(cropped.folder, table, photographs.origin, faces.provenance())
        store, packing = _pack(name, own, len(whole), face_size, preprocess, workers)
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
    with temporary_folder(SCRATCH) as scratch:
        cropped = measure_recordings(
            name,
            plan.recordings,
            faces,
            Workers(workers, cluster),
            rehearsal.seconds,
            scratch,
        )
        _check_crops(cropped, plan.source)
        frames, result = plan.frames, cropped.result
        tried = frames[frames["image"].isin(result.table["image"])].reset_index(drop=True)
        joined = join_crops(tried, result, plan.excluded)
        crops = nodes.coded_crops(raw, joined, cropped.folder, coded, faces)
        whole = crops.table
        if not cropped.is_whole:
            usable = frames[~frames["image"].isin(plan.excluded["image"])]
            share = len(result.table) / cropped.n
            whole = usable.sample(frac=share, random_state=0).sort_index()
        store, packing = _pack(name, crops, len(whole), face_size, preprocess, workers)
    reading_need = Need(f"{name}: reading labels", len(frames), "frames", reading)
    faces_of_all = without_pixels(whole.assign(origin=crops.origin), store.aus)
    return SetSlice(store, faces_of_all, (reading_need, cropped.need, packing))


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
    crops = replace(crops, table=table)
    store, packing = _pack(name, crops, len(table), face_size, preprocess, workers)
    whole = without_pixels(table.assign(origin=crops.origin), store.aus)
    return SetSlice(store, whole, (packing,))


def _check_crops(cropped: Cropped, source: Path | str) -> None:
    if cropped.result.table.empty:
        raise LabelError(
            source,
            f"not one of {cropped.n:,} {cropped.need.unit} that were tried gave a crop "
            f"({cropped.result.quarantine.summary()}).",
        )


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
    some, nobody = replace(crops, table=table), pd.DataFrame({"person": []})
    with temporary_folder(SCRATCH) as scratch, peak_memory() as peak:
        before = scratch / f"{name} (slice)"
        started = time.perf_counter()
        store, _ = nodes.pack(some, before, nobody, face_size, preprocess, workers)
        store.save(scratch / "store")
        times = total / len(store)
        seconds = times * (time.perf_counter() - started)
        n_bytes = sum(path.stat().st_size for path in (scratch / "store").iterdir())
    # The faces lie in memory, or in a file of their own, until they are saved.
    memory = peak.process + store.faces[0].nbytes * (total - len(store))
    title = f"{name}: packing"
    # Sets are joined without faces that are there twice; a slice may have them.
    own = store.table.assign(sha256=store.table["image"].astype(str))
    return replace(store, table=own), Need(
        title, total, "crops", seconds, memory, disk=times * n_bytes
    )
