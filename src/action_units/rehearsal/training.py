"""Rates of a training, measured by a short one of the same network, recipe and machine."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import torch

from action_units import stages
from action_units.config import MachineConfig, TrainingConfig
from action_units.evaluation.postprocessing.thresholds import choose_thresholds
from action_units.faces.store import FaceStore
from action_units.labels.action_units import au_columns
from action_units.models.model_files import model_bytes
from action_units.models.torch_files import read_torch_file
from action_units.models.trained import TrainedModel
from action_units.rehearsal.estimate import (
    Need,
    TrainingRates,
    TrainingSize,
    training_need,
)
from action_units.rehearsal.memory import Peak, peak_memory
from action_units.rehearsal.slices import training_slice
from action_units.training.data import input_shape
from action_units.training.device import choose_machine, free_memory
from action_units.training.length import TrainingLength
from action_units.training.state import NAME, save_checkpoint
from action_units.training.streaming import WINDOW_BYTES, are_streamed
from action_units.training.validation import VALIDATION_BATCH

Stage = Literal["pretrain", "finetune", "from_scratch"]

WARM_UP = 1
"""Epochs that are not measured: the first steps allocate, choose kernels and compile."""
MEASURED = 3
MOST_STEPS = 500
"""Of an epoch; more would not make the rate surer."""


@dataclass(frozen=True)
class Rehearsed:
    """A training that was rehearsed.

    Attributes:
        stage: Which of the recipe's.
        rates: What it takes.
        model: The network of the short training.
        face_bytes: Of a face in the memory of the training.
        training: As configured.
    """

    stage: Stage
    rates: TrainingRates
    model: TrainedModel
    face_bytes: int
    training: TrainingConfig

    def size(self, n_training: int, n_validation: int) -> TrainingSize:
        """Of a training on so many faces, with the bytes of those that are in memory."""
        machine = choose_machine(self.training.machine)
        n_bytes = self.face_bytes * (n_training + n_validation)
        requested = self.training.machine.faces_in_memory
        if are_streamed(requested, n_bytes, machine.torch_device):
            n_bytes = min(n_bytes, 2 * WINDOW_BYTES)
        length = TrainingLength(getattr(self.training.recipe, self.stage), n_training)
        return TrainingSize(length, n_validation, n_bytes)

    def need(self, title: str, sizes: Sequence[tuple[int, int]], models: int = 1) -> Need:
        """Of trainings on so many faces, each to learn from and to validate on."""
        return training_need(title, self.rates, [self.size(*size) for size in sizes], models)


def rehearse_training(
    stage: Stage,
    faces: FaceStore,
    size: tuple[int, int],
    pretrained: TrainedModel | None,
    training: TrainingConfig,
    seconds: float,
    folder: Path,
) -> Rehearsed:
    """Train for a few steps, by the stage's own function, and take the times of its curve.

    Args:
        stage: Which of the recipe's trainings.
        faces: A slice; it is repeated to fill batches.
        size: How many faces the whole training learns from and validates on.
        pretrained: The network that fine-tuning starts from.
        training: As configured.
        seconds: About how long to measure.
        folder: A scratch folder of this measurement alone.

    Raises:
        ActionUnitsError: As the stage.
    """
    length = TrainingLength(getattr(training.recipe, stage), size[0])
    n_validation = min(size[1], VALIDATION_BATCH)
    short = _Short(stage, faces, length.batch_size, n_validation, pretrained, training, folder)
    timed = short.train(1, WARM_UP + 1)
    step = float(timed.trained.iloc[-1])
    affordable = math.floor(seconds / ((WARM_UP + MEASURED) * step))
    if affordable >= 2:
        steps = min(affordable, length.steps_per_epoch, MOST_STEPS)
        timed = short.train(steps, WARM_UP + MEASURED)
    save, n_bytes = _saving(timed.checkpoint, folder)
    trained, whole = timed.trained.iloc[WARM_UP:], timed.curve["seconds"]
    evaluated = (whole.iloc[WARM_UP:] - trained).clip(lower=0).mean()
    rates = TrainingRates(
        start=max(0.0, timed.seconds - float(whole.sum()) - len(whole) * save),
        step=float(trained.sum() / (timed.steps * len(trained))),
        evaluation=float(evaluated / n_validation) if n_validation else 0.0,
        save=save,
        checkpoint=n_bytes,
        model=len(model_bytes(timed.model)),
        memory=timed.peak.process,
        device_memory=timed.peak.device,
    )
    network = training.recipe.network
    face = math.prod(input_shape(faces.faces, network.image_size, network.channels))
    return Rehearsed(stage, rates, timed.model, face, training)


def measure_prediction(
    model: TrainedModel, faces: FaceStore, machine: MachineConfig, seconds: float
) -> tuple[float, int]:
    """Seconds that a stage takes to predict a test face, and bytes of memory.

    Args:
        model: A fine-tuned network.
        faces: A slice.
        machine: Where to compute.
        seconds: About how long to measure.
    """
    device = choose_machine(machine).device
    n, took, peak_bytes = 64, 0.0, 0
    for _ in range(2):  # the first is the warm-up
        tested, split = training_slice(faces, n, 0)
        with peak_memory(device) as peak:
            started = time.perf_counter()
            stages.predict_test_subjects(
                model, tested, {**split, "test": split["train"]}, machine.device
            )
            took = (time.perf_counter() - started) / n
        peak_bytes = max(peak_bytes, peak.process)
        n = max(64, min(2000, math.floor(seconds / took)))
    return took, peak_bytes


def fitted_thresholds(
    predictions: pd.DataFrame, aus: Sequence[int], seed: int
) -> dict[str, object]:
    """Thresholds of predictions, as a training fits them."""
    columns = au_columns(aus)
    thresholds = choose_thresholds(
        predictions[columns],
        predictions[[f"{column}_p" for column in columns]].to_numpy(),
        subjects=predictions["subject"].to_numpy(),
        seed=seed,
    )
    return thresholds.to_json(aus)


@dataclass(frozen=True)
class _Timed:
    """A short training: its curve and result, and what it took.

    Attributes:
        steps: Of each epoch.
        curve: A row an epoch.
        model: The network.
        seconds: Of all of it.
        peak: Of memory.
        checkpoint: Its state on disk.
    """

    steps: int
    batch_size: int
    curve: pd.DataFrame
    model: TrainedModel
    seconds: float
    peak: Peak
    checkpoint: Path

    @property
    def trained(self) -> "pd.Series[float]":
        """Seconds that each epoch trained, without its evaluation."""
        return self.steps * self.batch_size / self.curve["faces_per_second"]


@dataclass(frozen=True)
class _Short:
    """Short trainings of a stage."""

    stage: Stage
    faces: FaceStore
    batch_size: int
    n_validation: int
    pretrained: TrainedModel | None
    training: TrainingConfig
    folder: Path

    def train(self, steps: int, epochs: int) -> _Timed:
        """Train epochs of so many steps, each evaluated and saved."""
        own, split = training_slice(self.faces, steps * self.batch_size, self.n_validation)
        folder, config = self.folder / str(steps), self._config(epochs)
        with peak_memory(choose_machine(config.machine).device) as peak:
            started = time.perf_counter()
            if self.stage == "pretrain":
                model, curve, _ = stages.pretrain(own, folder, config)
            elif self.stage == "finetune":
                model, _, curve, _ = stages.finetune(
                    own, split, self.pretrained, folder, config
                )
            else:
                model, _, curve, _ = stages.train_from_scratch(own, split, folder, config)
            seconds = time.perf_counter() - started
        checkpoint = next(folder.rglob(NAME))
        return _Timed(steps, self.batch_size, curve, model, seconds, peak, checkpoint)

    def _config(self, epochs: int) -> TrainingConfig:
        """The configured training, but short, and evaluated after each epoch."""
        short: dict[str, Any] = {"epochs": epochs, "steps": None, "validate_every": 1}
        short |= {"patience": None, "unfreeze": ()}
        options = getattr(self.training.recipe, self.stage).model_copy(update=short)
        recipe = self.training.recipe.model_copy(update={self.stage: options, "student": 0.0})
        machine = self.training.machine
        if machine.devices == "torchrun":
            machine = machine.model_copy(update={"devices": None})
        update = {"recipe": recipe, "restart": False, "machine": machine}
        return self.training.model_copy(update=update)


def _saving(checkpoint: Path, folder: Path) -> tuple[float, int]:
    """Seconds and bytes of saving a training's state."""
    state = read_torch_file(checkpoint)["state"]
    started = time.perf_counter()
    path = save_checkpoint(folder / "again", {}, state)
    return time.perf_counter() - started, path.stat().st_size


def free_memories(machine: MachineConfig) -> tuple[float, float | None]:
    """Free bytes of memory, and of the GPU that trains; None where it is none."""
    device = choose_machine(machine).torch_device
    on_device = free_memory(device) if device.type == "cuda" else None
    return free_memory(torch.device("cpu")), on_device
