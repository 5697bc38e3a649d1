"""The trainings of a study, each in a process of its own, and what they leave.

A training's folder is called after the fingerprint of all that decides its result, so the same
training is never done twice, whichever axes, folds and studies it belongs to. The folder names
the people in it before it holds anything that was learned from them. A finished training has
``pretrained.safetensors`` or ``result.json``; one that was killed has the state that it resumes
from.
"""

import hashlib
import io
import json
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import rich

from action_units.config import Recipe, TrainingConfig
from action_units.csv_text import to_csv
from action_units.evaluation.metrics import Confusion
from action_units.evaluation.postprocessing.thresholds import FittedThresholds
from action_units.evaluation.predictions import (
    Predictions,
    check_no_shared_subjects,
    check_not_fitted_on_test,
    check_not_trained_on_test,
)
from action_units.evaluation.subject_statistics import SubjectCounts, subject_counts
from action_units.faces.store import FaceStore
from action_units.files import make_folder, temporary_folder, write_text
from action_units.fingerprint import of_values
from action_units.models.model_files import load_model, save_model
from action_units.models.trained import TrainedModel
from action_units.stages import (
    Split,
    finetune,
    predict_test_subjects,
    pretrain,
    train_from_scratch,
)
from action_units.study.plan import Rows

WEB, CODED = "web", "coded"
PEOPLE, MODEL, RESULT, STATE = "people.csv", "pretrained.safetensors", "result.json", "state"

REHEARSED_STEPS = 8
_REHEARSED_FACES = 256
"""Of those that choose the epoch."""


@dataclass(frozen=True, eq=False)
class Training:
    """One training of a study; small enough to be sent to another process.

    Attributes:
        key: Fingerprint of all that decides its result.
        rows: The faces of it that the training may see: of the web set those to learn from
            and those held out, of a coded set those of all its subjects here.
        split: Of a coded set, the fold's subjects; None is pre-training.
        training: The recipe with the steps of this training, the seed and the machine.
        initial: The key of the pre-training to start from; None is random weights.
        n_learned: Faces to learn from.
        n_checked: Faces that choose the epoch.
        n_tested: Faces that are predicted at the end.
    """

    key: str
    rows: Rows = field(repr=False)
    split: Split | None
    training: TrainingConfig
    initial: str | None
    n_learned: int
    n_checked: int
    n_tested: int = 0

    @property
    def recipe(self) -> Recipe:
        """Of its stage."""
        recipe = self.training.recipe
        if self.split is None:
            return recipe.pretrain
        return recipe.from_scratch if self.initial is None else recipe.finetune

    @property
    def steps(self) -> int:
        """Its length."""
        assert self.recipe.steps is not None  # `at_steps` sets it
        return self.recipe.steps

    @property
    def kind(self) -> str:
        """Trainings of one kind take equally long for a step."""
        return "pre-training" if self.split is None else "fine-tuning"

    def is_finished(self, folder: Path) -> bool:
        """Whether its result lies in the study's folder."""
        return (folder / self.key / (MODEL if self.split is None else RESULT)).is_file()

    def seconds(self, pace: "Pace") -> float:
        """How long it takes at this pace."""
        looks = -(-self.steps // (self.recipe.validate_every * self._steps_per_epoch))
        predicted = looks * self.n_checked
        if self.split is not None:
            flips = 2 if self.training.recipe.flip_average else 1
            predicted += flips * (self.n_checked + self.n_tested)
        return pace.step * self.steps + pace.face * predicted

    @property
    def _steps_per_epoch(self) -> int:
        return self.n_learned // min(self.recipe.batch_size, self.n_learned)


@dataclass(frozen=True)
class Pace:
    """Seconds that a step takes, and the prediction of a face."""

    step: float
    face: float


def at_steps(recipe: Recipe, steps: int, all_faces: int, faces: int) -> Recipe:
    """A recipe for fewer faces that has as many steps, evaluations and milestones.

    What a recipe counts in epochs keeps its place in the training: fewer faces make shorter
    epochs, of which there are then more.

    Args:
        recipe: For all faces.
        steps: The length.
        all_faces: How many the recipe is meant for.
        faces: How many are learned from here.
    """
    here = faces // min(recipe.batch_size, faces)
    stretch = (steps / here) / (own_steps(recipe, all_faces) / _per_epoch(recipe, all_faces))
    schedule = recipe.schedule
    milestones: list[int] = []
    for epoch in schedule.milestones:
        milestones.append(max(round(epoch * stretch), milestones[-1] + 1 if milestones else 1))
    return recipe.model_copy(
        update={
            "steps": steps,
            "validate_every": max(1, round(recipe.validate_every * stretch)),
            "patience": None,
            "unfreeze": tuple(round(epoch * stretch) for epoch in recipe.unfreeze),
            "schedule": schedule.model_copy(update={"milestones": tuple(milestones)}),
        }
    )


def own_steps(recipe: Recipe, faces: int) -> int:
    """How many steps a recipe takes for so many faces."""
    return recipe.steps or recipe.epochs * _per_epoch(recipe, faces)


def _per_epoch(recipe: Recipe, faces: int) -> int:
    return faces // min(recipe.batch_size, faces)


class Fingerprints:
    """Fingerprints of trainings on one face store."""

    def __init__(self, faces: FaceStore) -> None:
        """Hash each row of the table, which has the hash of its crop."""
        self._rows = pd.util.hash_pandas_object(faces.table, index=False).to_numpy()
        self._size, self._aus = list(faces.faces.shape[1:]), list(faces.aus)

    def of(self, rows: Rows, recipe: Recipe, training: TrainingConfig, *others: Any) -> str:
        """The fingerprint of a training; where it runs changes it by rounding only."""
        seen = hashlib.sha256(self._rows[rows].tobytes()).hexdigest()
        network = training.recipe.network.to_json()
        how = (training.name, network, recipe.to_json(), training.seed)
        return of_values(seen, self._size, self._aus, *how, *others)


def run_training(folder: Path, stores: Path, training: Training) -> None:
    """Do a training, or resume it where it was killed; its folder then has the result.

    Args:
        folder: Of the study's trainings.
        stores: Folder of the face stores `WEB` and `CODED`.
        training: Its `initial`, if any, is finished.
    """
    own = folder / training.key
    faces = _faces(stores, training)
    make_folder(own)
    write_text(own / PEOPLE, to_csv(_people(faces, training)))
    if training.split is None:
        save_model(pretrain(faces, own / STATE, training.training)[0], own / MODEL)
    else:
        content = _result(faces, _initial(folder, training), own / STATE, training)
        write_text(own / RESULT, json.dumps(content) + "\n")
    shutil.rmtree(own / STATE)


def run_in_worker(folder: Path, stores: Path, training: Training) -> None:
    """As ``run_training``, without the progress and the warnings of each training."""
    with _quietly():
        run_training(folder, stores, training)


def rehearse(stores: Path, training: Training) -> Pace:
    """Do the first steps of a training, twice, and time the second.

    Args:
        stores: Folder of the face stores; a temporary folder is made there.
        training: It starts from random weights, which take as long.
    """
    faces = _faces(stores, training)
    held_out = _held_out(faces, training)
    batch = training.recipe.batch_size
    few = np.concatenate(
        [
            np.flatnonzero(~held_out)[: batch * REHEARSED_STEPS],
            np.flatnonzero(held_out)[:: max(1, held_out.sum() // _REHEARSED_FACES)],
        ]
    )
    faces = faces.select(np.sort(few))
    recipe = training.training.recipe
    stage = "pretrain" if training.split is None else "from_scratch"
    short = training.recipe.model_copy(
        update={"steps": REHEARSED_STEPS, "validate_every": REHEARSED_STEPS, "unfreeze": ()}
    )
    config = training.training.model_copy(
        update={"recipe": recipe.model_copy(update={stage: short})}
    )
    with _quietly(), temporary_folder("rehearsal", stores) as scratch:
        for number in range(2):  # the first also loads and compiles
            state = scratch / str(number)
            if training.split is None:
                curve = pretrain(faces, state, config)[1]
            else:
                curve = train_from_scratch(faces, training.split, state, config)[2]
    n_batch = min(batch, int((~_held_out(faces, training)).sum()))
    trained = (REHEARSED_STEPS * n_batch / curve["faces_per_second"]).mean()
    looked = curve["seconds"].sum() - trained
    return Pace(trained / REHEARSED_STEPS, looked / max(1, _held_out(faces, training).sum()))


def read_result(folder: Path, training: Training) -> SubjectCounts:
    """The confusion counts of a finished training's test subjects."""
    content = json.loads((folder / training.key / RESULT).read_text())
    counts = {kind: np.array(values, np.int64) for kind, values in content["counts"].items()}
    return SubjectCounts(tuple(content["subjects"]), Confusion(**counts))


def _initial(folder: Path, training: Training) -> TrainedModel | None:
    if training.initial is None:
        return None
    return load_model(folder / training.initial / MODEL)


def _result(
    faces: FaceStore, initial: TrainedModel | None, state: Path, training: Training
) -> dict[str, Any]:
    """Train, choose thresholds on validation subjects, and count on test subjects."""
    split, config = training.split, training.training
    assert split is not None
    test = split["test"]
    check_no_shared_subjects(split["train"] + split["validation"], test, "the study")
    if initial is None:
        model, thresholds, _, _ = train_from_scratch(faces, split, state, config)
    else:
        model, thresholds, _, _ = finetune(faces, split, initial, state, config)
    fitted = FittedThresholds.from_json(thresholds, model.aus)
    check_not_trained_on_test(model.provenance, test)
    check_not_fitted_on_test(fitted.fitted_on, test)
    table = predict_test_subjects(model, faces, split, config.machine.device)
    predictions = Predictions.read(table, fitted.values, model.aus)
    counted = subject_counts(predictions.labels, predictions.predicted, predictions.subjects)
    return {
        "aus": list(model.aus),
        "subjects": list(counted.subjects),
        "counts": {kind: values.tolist() for kind, values in vars(counted.counts).items()},
        "thresholds": list(fitted.values),
    }


def _people(faces: FaceStore, training: Training) -> pd.DataFrame:
    if training.split is None:
        return faces.table[["subject", "split"]].drop_duplicates(ignore_index=True)
    return pd.DataFrame(
        [
            {"subject": subject, "split": part}
            for part in ("train", "validation", "test")
            for subject in training.split[part]
        ]
    )


def _held_out(faces: FaceStore, training: Training) -> npt.NDArray[np.bool_]:
    if training.split is None:
        return (faces.table["split"] == "test").to_numpy()
    return np.isin(faces.subjects, training.split["validation"])


def _faces(stores: Path, training: Training) -> FaceStore:
    faces = _open(stores / (WEB if training.split is None else CODED))
    return faces if len(faces) == len(training.rows) else faces.select(training.rows)


@cache
def _open(store: Path) -> FaceStore:
    return FaceStore.open(store)


@contextmanager
def _quietly() -> Iterator[None]:
    """Many trainings at once draw no bars, and warn of what the whole study shares once."""
    console, logger = rich.get_console(), logging.getLogger("action_units")
    drawn, level = console.__dict__, logger.level
    rich.reconfigure(file=io.StringIO())
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:  # a single worker is the calling process
        console.__dict__ = drawn
        logger.setLevel(level)
