"""Optimisers, and the running average of weights that is evaluated in their place."""

from collections.abc import Mapping
from copy import deepcopy

import torch
from torch import nn

from action_units.config import OptimizerName


def build_optimizer(
    name: OptimizerName,
    network: nn.Module,
    learning_rate: float,
    weight_decay: float,
    factors: Mapping[nn.Parameter, float] | None = None,
) -> torch.optim.Optimizer:
    """Adam (Kingma & Ba 2014) or AdamW (Loshchilov & Hutter 2017).

    Weight decay spares biases and normalisation layers, whose parameters have one axis.

    Args:
        name: Which.
        network: Whose parameters to optimise.
        learning_rate: The first rate; the loop sets it at every step.
        weight_decay: Of AdamW; Adam takes none.
        factors: Each parameter's part of the rate; 1 without.

    Returns:
        The optimiser; each of its groups has a ``factor``, by which ``set_rate`` goes.
    """
    parameters = list(network.parameters())
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter in parameters:
        decay = weight_decay if name == "adamw" and parameter.ndim > 1 else 0.0
        factor = 1.0 if factors is None else factors[parameter]
        groups.setdefault((factor, decay), []).append(parameter)
    options = [
        {"params": members, "weight_decay": decay, "factor": factor}
        for (factor, decay), members in groups.items()
    ]
    fused = parameters[0].device.type in ("cpu", "cuda")
    if name == "adam":
        return torch.optim.Adam(options, lr=learning_rate, fused=fused)
    return torch.optim.AdamW(options, lr=learning_rate, fused=fused)


def set_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """Set the rate of the coming step, in each group by its factor."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * group["factor"]


class AveragedWeights:
    """An exponential moving average of a network's weights and running statistics.

    The decay warms up as (1 + step) / (10 + step), so a short training is not held back
    by its random start.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        """Start from a copy.

        Args:
            network: The network that is trained.
            decay: Part of the old average that a step keeps.
        """
        self.network = deepcopy(network).eval()
        self.decay = decay
        self._averages = _floating(self.network)
        self._sources = _floating(network)

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move towards the trained network.

        Args:
            step: The step just done, counted from 0.
        """
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self._averages, self._sources, 1.0 - decay)


def _floating(network: nn.Module) -> list[torch.Tensor]:
    """Parameters and floating buffers, by reference."""
    buffers = [b for b in network.buffers() if b.is_floating_point()]
    return [p.detach() for p in network.parameters()] + buffers
