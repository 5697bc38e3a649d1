"""Optimisers, the schedule of their rate, layer-wise rates, unfreezing, and the average."""

import math
from collections.abc import Mapping, Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn

from action_units.config import OptimizerName, Schedule
from action_units.errors import ConfigurationError
from action_units.models.network import AUNetwork


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
        network: Its parameters are optimised.
        learning_rate: The first rate; ``set_rate`` sets it at every step.
        weight_decay: Of AdamW; Adam takes none.
        factors: Each parameter's part of the rate; 1 without.
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
    kind = torch.optim.Adam if name == "adam" else torch.optim.AdamW
    return kind(options, lr=learning_rate, fused=fused)


def set_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """Set the rate of the coming step, in each group by its factor."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * group["factor"]


def learning_rate(
    schedule: Schedule, peak: float, step: int, steps: int, steps_per_epoch: int
) -> float:
    """The rate of one step.

    Args:
        schedule: The curve.
        peak: Its highest value.
        step: The step, counted from 0.
        steps: Length of the whole training.
        steps_per_epoch: Length of an epoch.
    """
    if schedule.name == "one_cycle":  # Smith & Topin 2017, arXiv 1708.07120
        top = max(schedule.warmup * steps - 1, 0.0)
        if step <= top:
            rise = step / top if top else 1.0
            return peak * _half_cosine(schedule.start, 1.0, rise)
        return peak * _half_cosine(1.0, schedule.final, (step - top) / (steps - 1 - top))
    warmup = round(schedule.warmup * steps)
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    if schedule.name == "constant":
        return peak
    if schedule.name == "steps":
        epoch = step // steps_per_epoch
        passed = sum(epoch >= milestone for milestone in schedule.milestones)
        return peak * (1.0, *schedule.factors)[passed]
    position = (step - warmup) / max(1, steps - 1 - warmup)
    cosine = 0.5 * (1.0 + math.cos(math.pi * min(position, 1.0)))
    return peak * (schedule.final + (1.0 - schedule.final) * cosine)


def _half_cosine(first: float, last: float, position: float) -> float:
    """From ``first`` at position 0 to ``last`` at 1, level at both ends."""
    return last + (first - last) * 0.5 * (1.0 + math.cos(math.pi * min(position, 1.0)))


class ExponentialAverage:
    """An exponential moving average (EMA) of a network's weights and running statistics.

    The decay warms up as (1 + step) / (10 + step), so a short training is not held back by
    its random start. ``torch.optim.swa_utils.AveragedModel`` is not used: it copies the
    weights of the first step instead of averaging them, and does not know the step.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        """Start from a copy; ``decay`` is the part of the old average that a step keeps."""
        self.network = deepcopy(network).eval()
        self.decay = decay
        self._averages = _floating(self.network)
        self._sources = _floating(network)

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move towards the trained network after a step, counted from 0."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self._averages, self._sources, 1.0 - decay)


def _floating(network: nn.Module) -> list[Tensor]:
    """Parameters and floating buffers, by reference."""
    buffers = [buffer for buffer in network.buffers() if buffer.is_floating_point()]
    return [parameter.detach() for parameter in network.parameters()] + buffers


def rate_factors(network: AUNetwork, decay: float) -> dict[nn.Parameter, float]:
    """Each parameter's part of the learning rate (Howard & Ruder 2018, 1801.06146, 3.2).

    Args:
        network: Its head learns at the full rate.
        decay: The factor between a block's rate and that of the block below it.
    """
    groups = _parameter_groups(network)
    return {
        parameter: decay ** (len(groups) - 1 - depth)
        for depth, group in enumerate(groups)
        for parameter in group
    }


def check_unfreezing(network: AUNetwork, starts: Sequence[int]) -> None:
    """Check that there are not more epochs than the network has blocks.

    Raises:
        ConfigurationError: With the number of blocks.
    """
    blocks = len(network.blocks())
    if len(starts) > blocks:
        raise ConfigurationError(
            f"Recipe option 'unfreeze' is {list(starts)}; this network has {blocks} blocks, "
            "the head among them, so give that many epochs at most."
        )


def freeze(network: AUNetwork, starts: Sequence[int], epoch: int) -> None:
    """Freeze what does not train in an epoch; call it after ``network.train()``.

    The parameters of a frozen block stay as they are, without decay, and its batch
    normalisation uses its running statistics and does not update them. Its dropout stays on.

    Args:
        network: Changed in place.
        starts: The epochs at which blocks start to train, from the head down; the last one
            holds for all blocks below. All train where it is empty.
        epoch: Counted from 0.
    """
    if not starts:
        return
    blocks, groups = network.blocks(), _parameter_groups(network)
    for height, (block, group) in enumerate(zip(blocks[::-1], groups[::-1], strict=True)):
        trains = epoch >= starts[min(height, len(starts) - 1)]
        for parameter in group:
            parameter.requires_grad_(trains)
        if not trains:
            for layer in block.modules():
                if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                    layer.eval()


def _parameter_groups(network: AUNetwork) -> list[list[nn.Parameter]]:
    """The parameters of each block; those of none, as position embeddings, lead the first."""
    groups = [list(block.parameters()) for block in network.blocks()]
    known = {parameter for group in groups for parameter in group}
    loose = [parameter for parameter in network.parameters() if parameter not in known]
    return [loose + groups[0], *groups[1:]]
