"""Node that rehearses training, prediction and evaluation, and adds all stages up."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
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
from action_units.datasets.folds import EvaluatedFold
from action_units.faces.store import FaceStore
from action_units.files import temporary_folder
from action_units.models.trained import TrainedModel
from action_units.pipelines.evaluation import nodes as fold_nodes
from action_units.pipelines.evaluation import run_nodes
from action_units.pipelines.finetuning.nodes import split_subjects
from action_units.pipelines.preprocessing.nodes import gather_faces, gather_web_faces
from action_units.rehearsal.estimate import Need, as_text, shortfalls, table
from action_units.rehearsal.memory import free_disk, peak_memory
from action_units.rehearsal.slices import SetSlice, evenly
from action_units.stages import Split, predictions_of

logger = logging.getLogger(__name__)

_SCRATCH = "action-units-rehearsal"
_PARTS = ("train", "validation", "test")
_EVALUATED = 6000  # test frames, at most


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

    Args:
        web_sets: Their names.
        coded_sets: Their names.
        people: Which sets have the same people.
        protocols: Of the coded sets.
        finetune: The parameters of fine-tuning.
        fold: The only fold; None for all.
        evaluation: The parameters of evaluation.
        training: The recipe, the seed and the machine.
        seed: Of the draws of subjects.
        rehearsal: How long to measure.
        reports: A folder on the disk of the project's data.
        slices: Of the web sets, then of the coded sets, each of raw data and of crops, of
            which one is None; both are None of web sets without pre-training.

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
    faces = gather_faces(coded_sets, people, *(_hashed(one.faces) for one in coded))
    splits = _splits(whole, protocols, finetune, fold, seed)
    sizes = [
        tuple(int(np.isin(whole.subjects, split[part]).sum()) for part in _PARTS)
        for split in splits
    ]
    known = [(n_training, n_validation) for n_training, n_validation, _ in sizes]
    seconds, n_held_out = rehearsal.seconds, 0
    pretraining = None
    with temporary_folder(_SCRATCH) as scratch:
        if web:
            of_web = gather_web_faces(web_sets, *(one.whole for one in web))
            slice_of_web = gather_web_faces(web_sets, *(_hashed(one.faces) for one in web))
            n_held_out = int((of_web.table["split"] == "test").sum())
            web_size = len(of_web) - n_held_out, n_held_out
            pretraining = rehearse_training(
                "pretrain", slice_of_web, web_size, None, training, seconds, scratch / "web"
            )
            needs.append(pretraining.need("pre-training", [web_size]))
        pretrained = None if pretraining is None else pretraining.model
        tuning = rehearse_training(
            "from_scratch" if pretrained is None else "finetune",
            faces,
            known[0],
            pretrained,
            training,
            seconds,
            scratch / "coded",
        )
        if pretraining is not None and training.recipe.student:
            needs.append(tuning.need("fine-tuning teachers", known, models=0))
            of_students = [web_size] * len(known)
            needs.append(pretraining.need("pre-training students", of_students, models=0))
        title = "training" if pretrained is None else "fine-tuning"
        needs.append(tuning.need(f"{title}, {_count(len(known), 'fold')}", known))
        from_scratch = finetune.also_from_scratch and pretrained is not None
        if from_scratch:
            scratch_too = rehearse_training(
                "from_scratch", faces, known[0], None, training, seconds, scratch / "scratch"
            )
            needs.append(scratch_too.need("training from scratch", known))
    a_face, memory = measure_prediction(tuning.model, faces, training.machine, seconds / 2)
    networks = 2 if from_scratch else 1
    # Held-out web faces are predicted for the audit and for the annotator's rates.
    n_predicted = networks * sum(n_test for _, _, n_test in sizes) + 2 * n_held_out
    needs.append(Need("prediction", n_predicted, "faces", a_face * n_predicted, memory))
    needs.append(_evaluation(tuning.model, whole, splits, networks, evaluation, seed))
    rows = table(needs)
    logger.info("What the whole run needs:\n%s", as_text(rows))
    for sentence in shortfalls(needs, *free, free_disk(reports), training.machine.device):
        logger.warning("%s", sentence)
    return rows


def _splits(
    whole: FaceStore,
    protocols: ChosenProtocols,
    finetune: FinetuneSettings,
    fold: int | None,
    seed: int,
) -> list[Split]:
    first = split_subjects(whole, protocols, finetune, seed, fold=fold or 1)
    others = range(2, first["n_folds"] + 1) if fold is None else ()
    return [
        first,
        *(split_subjects(whole, protocols, finetune, seed, fold=number) for number in others),
    ]


def _count(n: int, unit: str) -> str:
    return f"{n} {unit}" if n == 1 else f"{n} {unit}s"


def _hashed(faces: FaceStore) -> FaceStore:
    """A slice whose faces count as different ones, as sets are joined by these hashes."""
    return replace(faces, table=faces.table.assign(sha256=faces.table["image"].astype(str)))


def _evaluation(
    model: TrainedModel,
    whole: FaceStore,
    splits: Sequence[Split],
    networks: int,
    evaluation: EvaluationSettings,
    seed: int,
) -> Need:
    """Evaluate a fold of random probabilities with the real labels, and draw its figures."""
    from action_units.rehearsal.training import fitted_thresholds

    split = splits[0]
    drawn = np.random.default_rng(seed)
    aus = model.aus

    def predictions(part: str) -> tuple[pd.DataFrame, float]:
        """Of some frames, and how many times as many there are."""
        rows = np.flatnonzero(np.isin(whole.subjects, split[part]))
        kept = rows[evenly(_EVALUATED, len(rows))]
        some = whole.select(kept)
        probabilities = drawn.random((len(kept), len(aus)), np.float32)
        return predictions_of(some, aus, probabilities), len(rows) / len(kept)

    validation, _ = predictions("validation")
    test, times = predictions("test")
    thresholds = fitted_thresholds(validation, aus, seed)
    curve = pd.DataFrame()
    with peak_memory() as peak, _silent():
        started = time.perf_counter()
        processed, postprocessing = fold_nodes.postprocess(
            model, test, validation, thresholds, whole, split, evaluation, seed
        )
        scored = fold_nodes.evaluate(split, model, processed, postprocessing, curve)
        fold_seconds = time.perf_counter() - started
        of_fold = EvaluatedFold(
            scored, {"finetuned": processed}, {"finetuned": test}, {"finetuned": validation}
        )
        folds = {split["fold"]: of_fold}
        started = time.perf_counter()
        summary = run_nodes.summarise(folds, pd.DataFrame(), evaluation, seed)[2]
        run_nodes.measure_postprocessing(folds, seed)
        run_seconds = time.perf_counter() - started
        started = time.perf_counter()
        run_nodes.draw_figures(folds, summary, whole)
        drawing = time.perf_counter() - started
    n = sum(int(np.isin(whole.subjects, one["test"]).sum()) for one in splits)
    seconds = times * len(splits) * (networks * fold_seconds + run_seconds) + 2 * drawing
    disk = networks * n * processed.memory_usage(index=False, deep=False).sum() / len(processed)
    return Need("evaluation and report", n, "frames", seconds, peak.process, disk=disk)


@contextmanager
def _silent() -> Iterator[None]:
    """No log lines about probabilities that mean nothing."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
