"""Everything that changes while a network is trained, and its trip to disk and back."""

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from action_units.models.model_files import plain_state
from action_units.models.network import AUNetwork
from action_units.training.optimizers import AveragedWeights

CURVE_COLUMNS = (
    "epoch",
    "learning_rate",
    "train_loss",
    "validation_loss",
    "validation_macro_f1",
    "validation_average_precision",
    "seconds",
    "faces_per_second",
    "best",
)


@dataclass
class TrainingState:
    """The state between two steps.

    Attributes:
        network: In training, on the device.
        optimizer: Of its parameters.
        averaged: The running average, where the recipe wants one.
        losses: float32 (steps an epoch,), on the device; the epoch's so far.
        step: How many steps are done.
        seconds: Time spent in the current epoch.
        curve: One row an epoch done.
        best: Weights of the best evaluation, on the CPU.
        best_epoch: Its epoch, counted from 1; 0 before the first.
        best_score: Its score; higher is better.
        stale: Evaluations since then.
        finished: Whether nothing is left to do.
    """

    network: AUNetwork
    optimizer: torch.optim.Optimizer
    averaged: AveragedWeights | None
    losses: Tensor
    step: int = 0
    seconds: float = 0.0
    curve: list[dict[str, Any]] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)
    best_epoch: int = 0
    best_score: tuple[float, float] = (-math.inf, -math.inf)
    stale: int = 0
    finished: bool = False

    _PLAIN = (
        "step", "seconds", "curve", "best", "best_epoch", "best_score", "stale", "finished"
    )  # fmt: skip

    @property
    def evaluated(self) -> AUNetwork:
        """The network that is scored and kept: the average where there is one."""
        if self.averaged is None:
            return self.network
        network: AUNetwork = self.averaged.network  # type: ignore[assignment]
        return network

    def judge(self, score: tuple[float, float], epoch: int) -> bool:
        """Note an evaluation.

        Args:
            score: Higher is better; the second number decides between equals.
            epoch: Counted from 1.

        Returns:
            Whether it is the best so far; its weights are then kept.
        """
        if self.best and not score > self.best_score:
            self.stale += 1
            return False
        self.best = plain_state(self.evaluated.state_dict())
        self.best_score, self.best_epoch, self.stale = score, epoch, 0
        for row in self.curve:
            row["best"] = False
        return True

    def is_finite(self) -> bool:
        """Whether every weight and running statistic is a number."""
        networks = {self.network, self.evaluated}
        values = [value for network in networks for value in network.state_dict().values()]
        return bool(torch.stack([torch.isfinite(value).all() for value in values]).all())

    def to_dict(self) -> dict[str, Any]:
        """All of it, in tensors and plain values."""
        averaged = self.averaged
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "averaged": averaged.network.state_dict() if averaged else None,
            "losses": self.losses,
            **{name: getattr(self, name) for name in self._PLAIN},
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Take over what ``to_dict`` gave."""
        self.network.load_state_dict(saved["network"])
        self.optimizer.load_state_dict(saved["optimizer"])
        if self.averaged is not None:
            self.averaged.network.load_state_dict(saved["averaged"])
        self.losses.copy_(saved["losses"])
        for name in self._PLAIN:
            setattr(self, name, saved[name])
