"""Node that rehearses training, prediction and evaluation, and adds all stages up."""

import logging
import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from action_units.config import (
    ChosenProtocols,
    EvaluationSettings,
    FinetuneSettings,
    RehearsalSettings,
    TrainingConfig,
)
from action_units.pipelines.finetuning.nodes import split_subjects
from action_units.pipelines.preprocessing.nodes import gather_faces, gather_web_faces
from action_units.pipelines.rehearsal.evaluation import rehearse_evaluation
from action_units.rehearsal.estimate import as_text, shortfalls, table
from action_units.rehearsal.slices import SetSlice

logger = logging.getLogger(__name__)

_PARTS = ("train", "validation", "test")


def rehearse(
    web_sets: Sequence[str],
    coded_sets: Sequence[str],
    people: Mapping[str, str | None],
    protocols: ChosenProtocols,
    finetune: FinetuneSettings,
    fold: int | None,
    evaluation: EvaluationSettings,
    training: TrainingConfig,
    seed: int,
    rehearsal: RehearsalSettings,
    reports: Path,
    *slices: SetSlice | None,
) -> pd.DataFrame:
    """Time each stage of training on a slice, and say what the whole run needs.

    `slices` are of the web sets, then of the coded sets, each of raw data and of crops: one of
    the two is None, and both of web sets without pre-training. `reports` is a folder on the
    disk of the project's data.

    Returns:
        One row a stage, and their total, as ``estimate.table`` gives it.

    Raises:
        ActionUnitsError: As the stages.
    """
    from action_units.rehearsal.training import (
        free_memories,
        measure_prediction,
        rehearse_training,
    )

    free = free_memories(training.machine)
    either = [raw or crops for raw, crops in zip(slices[::2], slices[1::2], strict=True)]
    web = [one for one in either[: len(web_sets)] if one is not None]
    coded = [one for one in either[len(web_sets) :] if one is not None]
    needs = [need for one in (*web, *coded) for need in one.needs]
    whole = gather_faces(coded_sets, people, *(one.whole for one in coded))
    faces = gather_faces(coded_sets, people, *(one.faces for one in coded))
    split = partial(split_subjects, whole, protocols, finetune, seed)
    splits = [split(fold=fold or 1)]
    if fold is None:
        splits += [split(fold=number) for number in range(2, splits[0]["n_folds"] + 1)]
    counts = [
        tuple(int(np.isin(whole.subjects, one[part]).sum()) for part in _PARTS)
        for one in splits
    ]
    sizes, n_test = [(one[0], one[1]) for one in counts], sum(one[2] for one in counts)
    measure = partial(rehearse_training, training=training, seconds=rehearsal.seconds)
    title, pretrained, n_held_out, networks = "training", None, 0, 1
    if web:
        of_web = gather_web_faces(web_sets, *(one.whole for one in web))
        slice_of_web = gather_web_faces(web_sets, *(one.faces for one in web))
        n_held_out = int((of_web.table["split"] == "test").sum())
        web_size = len(of_web) - n_held_out, n_held_out
        pretraining = measure(slice_of_web, web_size, pretrains=True)
        needs.append(pretraining.need("pre-training", [web_size]))
        title, pretrained = "fine-tuning", pretraining.model
    tuning = measure(faces, sizes[0], pretrained)
    if web and training.recipe.student:
        needs.append(tuning.need("fine-tuning teachers", sizes))
        needs.append(pretraining.need("pre-training students", [web_size] * len(sizes)))
    folds = f"{len(sizes)} fold{'s' * (len(sizes) > 1)}"
    needs.append(tuning.need(f"{title}, {folds}", sizes))
    if web and finetune.also_from_scratch:
        networks = 2
        needs.append(measure(faces, sizes[0]).need("training from scratch", sizes))
    # For the audit and the annotator's rates, the pre-trained network is asked once about the
    # held-out web faces and once about the coded ones.
    n = networks * n_test + (n_held_out + len(whole) if web else 0)
    needs.append(
        measure_prediction(tuning.model, faces, training.machine, rehearsal.seconds, n)
    )
    needs.append(
        rehearse_evaluation(tuning.model, whole, splits, n_test, networks, evaluation, seed)
    )
    rows = table(needs)
    logger.info("What the whole run needs:\n%s", as_text(rows))
    free_disk = shutil.disk_usage(reports).free
    for sentence in shortfalls(needs, *free, free_disk, training.machine.device):
        logger.warning("%s", sentence)
    return rows
