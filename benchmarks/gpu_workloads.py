"""What the looks of ``benchmarks.gpu`` train: the paper's network, and recipe ``large``."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode

from action_units.config import MachineConfig, NetworkSpec, Recipe, RecipeConfig
from action_units.labels.action_units import PRETRAIN_AUS
from action_units.models.registry import build_network
from action_units.training.job import TrainingJob

RECIPES = Path(__file__).parents[1] / "conf/base/parameters_recipes.yml"
PAPERS_NETWORK = NetworkSpec(architecture="vgg13")
PAPERS_RECIPE = Recipe(epochs=2, optimizer="adam", learning_rate=1e-4)
"""The paper's, with the loop's defaults where they cost time."""


@dataclass(frozen=True)
class Setup:
    """What the looks share.

    Attributes:
        device: ``cuda``, or for a try ``cpu``.
        smoke: Very small, to see that everything goes through.
        faces: Of an epoch of the paper's network.
        batches: Of the paper's network.
        rounds: Of works that are measured in turns.
        peaks: TFLOP/s by precision, where known.
    """

    device: str = "cpu"
    smoke: bool = True
    faces: int = 64
    batches: tuple[int, ...] = (16,)
    rounds: int = 2
    peaks: dict[str, float] = field(default_factory=dict)

    @property
    def precisions(self) -> tuple[str, ...]:
        """That the device has."""
        return ("fp32", "bf16") if self.device == "cpu" else ("fp32", "tf32", "bf16")

    def part_of_peak(self, rate: float, gigaflops: float, precision: str) -> str:
        """What a number of faces a second is of the device's peak, where that is known."""
        peak = self.peaks.get(precision)
        return f", {rate * gigaflops / 1e3 / peak:.3f} of peak" if peak else ""


class Workload:
    """Made-up faces and labels, and how they are trained on."""

    def __init__(self, device: str, spec: NetworkSpec, n: int, recipe: Recipe = PAPERS_RECIPE):
        random = np.random.default_rng(0)
        self.device, self.spec, self.n, self.recipe = torch.device(device), spec, n, recipe
        shape = (n, spec.image_size, spec.image_size) + ((3,) if spec.channels == 3 else ())
        self.faces = random.integers(0, 256, shape, np.uint8)
        self.labels = (random.random((n, len(PRETRAIN_AUS))) < 0.2).astype(np.int8)
        self.intensities = 5.0 * self.labels * random.random(self.labels.shape)

    def job(self, batch: int, precision: str, **options: Any) -> TrainingJob:
        """Of a training on them; options of the machine stand among the arguments."""
        names = [name for name in MachineConfig.model_fields if name in options]
        machine = {name: options.pop(name) for name in names}
        return TrainingJob(
            self.spec,
            self.recipe.model_copy(update={"batch_size": batch}),
            self.faces,
            self.labels,
            np.arange(self.n),
            [],
            PRETRAIN_AUS,
            seed=0,
            intensities=self.intensities,
            machine=MachineConfig(device=str(self.device), precision=precision, **machine),
            **options,
        )

    def gigaflops(self) -> float:
        """Of one face and step: a forward pass, and a backward one that is twice that.

        torch's counter takes a depthwise convolution's backward pass for a dense one's.
        """
        network = build_network(self.spec, len(PRETRAIN_AUS))
        x = torch.zeros(1, self.spec.channels, self.spec.image_size, self.spec.image_size)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(x)
        return 3 * counter.get_total_flops() / 1e9


def papers(setup: Setup) -> Workload:
    """The paper's network."""
    small = {"width": 0.125, "image_size": 16} if setup.smoke else {}
    return Workload(setup.device, PAPERS_NETWORK.model_copy(update=small), setup.faces)


def large(setup: Setup, n: int) -> Workload:
    """Recipe ``large`` on faces of 112 pixels in colour, as it pre-trains."""
    content = yaml.safe_load(RECIPES.read_text())["recipes"]["large"]
    recipe = RecipeConfig.read(content)
    size: dict[str, Any] = {"image_size": 112}
    if setup.smoke:
        size, n = {"architecture": "convnextv2_atto", "width": 0.2, "image_size": 32}, 64
    spec = recipe.network.model_copy(update=size)
    return Workload(setup.device, spec, n, recipe.pretrain.model_copy(update={"epochs": 2}))
