"""Rates of training and prediction, measured by the stages' own functions on a slice."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from action_units import stages
from action_units.config import MachineConfig, Recipe, TrainingConfig
from action_units.faces.store import FaceStore
from action_units.files import temporary_folder
from action_units.models.model_files import model_bytes
from action_units.models.trained import TrainedModel
from action_units.rehearsal.estimate import Need
from action_units.rehearsal.memory import Peak, peak_memory
from action_units.rehearsal.slices import SCRATCH, training_slice
from action_units.training.data import input_shape
from action_units.training.device import choose_machine, free_memory
from action_units.training.length import TrainingLength
from action_units.training.state import NAME
from action_units.training.streaming import WINDOW_BYTES, are_streamed
from action_units.training.validation import VALIDATION_BATCH

EPOCHS = 3
"""Of a short training; the first is not counted: it allocates, chooses kernels, compiles."""
MOST_STEPS = 500
"""Of an epoch; more would not make the rate surer."""


@dataclass(frozen=True)
class Rehearsed:
    """What one training was measured to take.

    Attributes:
        recipe: How it trains.
        machine: Where.
        model: The network of the short training.
        start: Seconds before its first step and after its last.
        step: Seconds of a step, after warm-up.
        evaluation: Seconds of the evaluation of a validation face.
        disk: Bytes of its state and of its result.
        face: Bytes of a face in its memory.
        peak: Of memory, without the faces.
    """

    recipe: Recipe
    machine: MachineConfig
    model: TrainedModel
    start: float
    step: float
    evaluation: float
    disk: float
    face: int
    peak: Peak

    def need(self, stage: str, sizes: Sequence[tuple[int, int]]) -> Need:
        """Of trainings one after the other.

        Args:
            stage: What they are called.
            sizes: How many faces each learns from and validates on.
        """
        lengths = [TrainingLength(self.recipe, n_training) for n_training, _ in sizes]
        steps = sum(length.steps for length in lengths)
        evaluated = sum(
            length.evaluations * n_validation
            for length, (_, n_validation) in zip(lengths, sizes, strict=True)
        )
        seconds = len(sizes) * self.start + steps * self.step + evaluated * self.evaluation
        faces = max(self.face * sum(size) for size in sizes)
        device = choose_machine(self.machine).torch_device
        if are_streamed(self.machine.faces_in_memory, faces, device):
            faces = min(faces, 2 * WINDOW_BYTES)
        memory, on_device = self.peak.process, self.peak.device
        if on_device is None:
            memory += faces
        else:
            on_device += faces
        disk = len(sizes) * self.disk
        return Need(stage, steps, "steps", seconds, memory, on_device, disk)


def rehearse_training(
    faces: FaceStore,
    size: tuple[int, int],
    pretrained: TrainedModel | None = None,
    *,
    training: TrainingConfig,
    seconds: float,
    pretrains: bool = False,
) -> Rehearsed:
    """Train for a few steps, by the stage's own function, and take the times of its curve.

    Args:
        faces: A slice; it is repeated to fill batches.
        size: How many faces the whole training learns from and validates on.
        pretrained: The network that fine-tuning starts from; None to start from scratch.
        training: As configured.
        seconds: About how long to measure.
        pretrains: Whether this is pre-training.

    Raises:
        ActionUnitsError: As the stage.
    """
    tunes = "from_scratch" if pretrained is None else "finetune"
    stage = "pretrain" if pretrains else tunes
    recipe = getattr(training.recipe, stage)
    length = TrainingLength(recipe, size[0])
    n_validation = min(size[1], VALIDATION_BATCH)
    config = _short(training, stage)

    def train(steps: int, state: Path) -> tuple[TrainedModel, pd.DataFrame, float, Peak]:
        own, split = training_slice(faces, steps * length.batch_size, n_validation)
        with peak_memory(choose_machine(config.machine).device) as peak:
            started = time.perf_counter()
            if pretrains:
                model, curve, _ = stages.pretrain(own, state, config)
            else:
                model, _, curve, _ = stages.finetune(own, split, pretrained, state, config)
            took = time.perf_counter() - started
        trained = steps * length.batch_size / curve["faces_per_second"]
        return model, curve.assign(trained=trained), took, peak

    with temporary_folder(SCRATCH) as state:
        steps = 1
        model, curve, took, peak = train(steps, state / "first")
        affordable = math.floor(seconds / (EPOCHS * curve["trained"].iloc[-1]))
        if (more := min(affordable, length.steps_per_epoch, MOST_STEPS)) > 1:
            steps = more
            model, curve, took, peak = train(steps, state / "second")
        checkpoint = next(state.rglob(NAME)).stat().st_size
    later = curve.iloc[1:].mean()
    network = training.recipe.network
    return Rehearsed(
        recipe,
        training.machine,
        model,
        start=max(0.0, took - curve["seconds"].sum()),
        step=later["trained"] / steps,
        evaluation=max(0.0, later["seconds"] - later["trained"]) / max(1, n_validation),
        disk=checkpoint + len(model_bytes(model)),
        face=math.prod(input_shape(faces.faces, network.image_size, network.channels)),
        peak=peak,
    )


def _short(training: TrainingConfig, stage: str) -> TrainingConfig:
    """The configured training, but of few epochs, each evaluated and saved, on one device."""
    short: dict[str, Any] = {"epochs": EPOCHS, "steps": None, "validate_every": 1}
    short |= {"patience": None, "unfreeze": ()}
    options = getattr(training.recipe, stage).model_copy(update=short)
    recipe = training.recipe.model_copy(update={stage: options, "student": 0.0})
    machine = training.machine
    if machine.devices == "torchrun":
        machine = machine.model_copy(update={"devices": None})
    update = {"recipe": recipe, "restart": False, "machine": machine}
    return training.model_copy(update=update)


def measure_prediction(
    model: TrainedModel, faces: FaceStore, machine: MachineConfig, seconds: float, total: int
) -> Need:
    """Predict test faces for some seconds, as a stage does; returns the need of `total`."""
    n, device = 64, choose_machine(machine).device
    for _ in range(2):  # the first is the warm-up
        tested, split = training_slice(faces, n, 0)
        test = {**split, "test": split["train"]}
        with peak_memory(device) as peak:
            started = time.perf_counter()
            stages.predict_test_subjects(model, tested, test, machine.device)
            each = (time.perf_counter() - started) / n
        n = max(64, min(2000, math.floor(seconds / each)))
    return Need("prediction", total, "faces", each * total, peak.process, peak.device)


def free_memories(machine: MachineConfig) -> tuple[float, float | None]:
    """Free bytes of memory, and of the GPU that trains; None where it is none."""
    device = choose_machine(machine).torch_device
    on_device = free_memory(device) if device.type == "cuda" else None
    return free_memory(torch.device("cpu")), on_device
