"""Batch normalisation over the parts of a batch that lie in several processes."""

import logging
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from action_units.training.distributed.team import Team

logger = logging.getLogger(__name__)


class SharedBatchNorm(nn.BatchNorm2d):
    """``BatchNorm2d`` whose statistics in training are those of the whole global batch.

    Unlike ``torch.nn.SyncBatchNorm`` it also works on the CPU. Its parameters and buffers
    are the very tensors of the layer that it stands in for.
    """

    def __init__(self, layer: nn.BatchNorm2d, team: Team) -> None:
        """Stand in for a layer."""
        super().__init__(layer.num_features, layer.eps, layer.momentum)
        self.weight, self.bias = layer.weight, layer.bias
        for name, buffer in layer.named_buffers():
            setattr(self, name, buffer)
        self.train(layer.training)
        self.team = team

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same; B may differ between the processes."""
        if not self.training:
            return super().forward(x)
        y, mean, variance, n = _Normalise.apply(  # type: ignore[no-untyped-call]
            x, self.weight, self.bias, self.eps, self.team
        )
        with torch.no_grad():
            assert self.running_mean is not None
            assert self.running_var is not None
            assert self.num_batches_tracked is not None
            assert self.momentum is not None
            unbiased = variance * (n / (n - 1).clamp(min=1.0))
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(unbiased, self.momentum)
            self.num_batches_tracked += 1
        return y  # type: ignore[no-any-return]


class _Normalise(torch.autograd.Function):
    """Normalisation whose sums, forward and backward, go over all processes."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float, team: Team
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        values, channels = x.float(), x.shape[1]
        own_n = values.new_tensor(values.numel() // channels)
        own_variance, own_mean = torch.var_mean(values, (0, 2, 3), correction=0)
        # Each process fills its row; means and variances are then joined exactly, where
        # sums of squares would cancel (Chan et al. 1983).
        rows = values.new_zeros(team.size, 2 * channels + 1)
        rows[team.rank] = torch.cat([own_n[None], own_mean, own_variance])
        with team.meeting():
            dist.all_reduce(rows)
        counts, means, variances = torch.split(rows, [1, channels, channels], dim=1)
        n = counts.sum()
        mean = (counts * means).sum(0) / n
        variance = (counts * (variances + (means - mean).square())).sum(0) / n
        scale = torch.rsqrt(variance + eps)
        normal = (values - _wide(mean)) * _wide(scale)
        ctx.save_for_backward(normal, weight, scale, n)
        ctx.team = team
        ctx.mark_non_differentiable(mean, variance, n)
        y = torch.addcmul(_wide(bias), normal, _wide(weight)).to(x.dtype)
        return y, mean, variance, n

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        normal, weight, scale, n = ctx.saved_tensors
        slope = gradients[0].float()
        # Of this process's faces alone: the step sums the gradients of all parameters.
        of_bias = slope.sum((0, 2, 3))
        of_weight = (slope * normal).sum((0, 2, 3))
        sums = torch.stack([of_bias, of_weight])
        with ctx.team.meeting():
            dist.all_reduce(sums)
        mean_slope, mean_product = sums / n
        centred = slope - _wide(mean_slope) - normal * _wide(mean_product)
        of_x = (centred * _wide(weight * scale)).to(gradients[0].dtype)
        return of_x, of_weight, of_bias, None, None


def share_batch_statistics(network: nn.Module, team: Team) -> None:
    """Let every batch normalisation of a network work over all processes.

    Args:
        network: Changed in place; parameters and buffers stay the same tensors.
        team: The processes; nothing changes for one alone.
    """
    if team.size == 1:
        return
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.BatchNorm2d:
                setattr(parent, name, SharedBatchNorm(child, team))
    others = {
        type(layer).__name__
        for layer in network.modules()
        if isinstance(layer, nn.modules.batchnorm._BatchNorm)
        and not isinstance(layer, SharedBatchNorm)
    }
    if others and team.leads:
        logger.warning(
            "The network's layers %s normalise each process's part of a batch by itself, so "
            "the result depends on the number of processes.",
            ", ".join(sorted(others)),
        )


def _wide(values: Tensor) -> Tensor:
    """(C,) -> (1, C, 1, 1)."""
    return values[None, :, None, None]
