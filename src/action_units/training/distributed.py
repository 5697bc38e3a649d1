"""Several processes that train one network together.

Every process takes a part of each global batch. The gradients of the parts are summed, and all
processes make the same update, so that they hold the same weights at every step; the main
process alone writes. What a step computes is that of one process up to rounding: the loss is
divided by the known labels of the whole batch, batch normalisation takes its statistics over
the whole batch, and dropout masks are those of the whole batch.

This is plain ``torch.distributed``, one all-reduce a step. A framework such as Lightning Fabric
would add seconds to every start and wrap the network to *average* gradients over processes,
which is another loss where labels are missing or parts are unequal.
"""

import io
import logging
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from action_units.errors import ActionUnitsError
from action_units.training.interruption import StopRequest
from action_units.training.state import Checkpoints

logger = logging.getLogger(__name__)

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class LostProcessError(ActionUnitsError):
    """Another process of the training has ended."""


@dataclass(frozen=True)
class ProcessGroup:
    """The processes of a training, as one of them sees them; a single one by default.

    Attributes:
        rank: The number of this process, counted from 0.
        size: How many there are.
        device: The device of its tensors.
    """

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def is_main(self) -> bool:
        """Whether this process writes and logs."""
        return self.rank == 0

    def all_reduce(self, tensors: Sequence[Tensor]) -> None:
        """Sum tensors over the processes, in place; all get the same bits."""
        if self.size == 1:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        with self.lost_processes():
            dist.all_reduce(flat)
        parts = torch.split(flat, [tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.reshape(tensor.shape))

    def broadcast(self, content: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """The main process's tensors and plain values, on the CPU of every process."""
        if self.size == 1:
            return None if content is None else dict(content)
        file = io.BytesIO()
        if self.is_main:
            torch.save(content, file)
        length = torch.tensor(file.getbuffer().nbytes, device=self.device)
        with self.lost_processes():
            dist.broadcast(length, 0)
        data = torch.zeros(int(length), dtype=torch.uint8)
        if self.is_main:
            data = torch.frombuffer(file.getbuffer(), dtype=torch.uint8)
        data = data.to(self.device)
        with self.lost_processes():
            dist.broadcast(data, 0)
        if self.is_main:
            return None if content is None else dict(content)
        received = io.BytesIO(data.cpu().numpy().tobytes())
        loaded: dict[str, Any] | None = torch.load(
            received, map_location="cpu", weights_only=True
        )
        return loaded

    @contextmanager
    def lost_processes(self) -> Iterator[None]:
        """Turn torch's many errors about a lost process into one sentence.

        Raises:
            LostProcessError: Another process has ended, or did not come in time.
        """
        try:
            yield
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[0][:200]
            raise LostProcessError(
                f"Process {self.rank + 1} of {self.size} stops because another one has ended "
                f"or cannot be reached ({reason}). The last checkpoint is untouched; the same "
                "command resumes from there."
            ) from error


def split(n: int, parts: int, unit: int = 1) -> list[slice]:
    """Split ``n`` faces into parts as equal as possible.

    Args:
        n: How many faces.
        parts: How many parts.
        unit: Faces that stay together: 2 keeps the pairs of mixup.
    """
    units = -(-n // unit)
    bounds = [min(n, units * number // parts * unit) for number in range(parts + 1)]
    return [slice(*pair) for pair in pairwise(bounds)]


class SyncFlags:
    """Whether a signal has arrived in any process, and whether the main one has to save.

    A signal may reach one process, or all at different steps; processes that stop at
    different steps would wait for each other for ever. So the flags are summed along with the
    gradients, at steps at which the loss is read anyway: to send and to read them makes a
    GPU's process wait.
    """

    def __init__(
        self, group: ProcessGroup, stop: StopRequest, checkpoints: Checkpoints
    ) -> None:
        """Read this process's signals and clock."""
        self._group, self._stop, self._checkpoints = group, stop, checkpoints
        self.signal: int | None = None
        self.save = False

    def tensor(self) -> Tensor | None:
        """This process's flags, to be summed over all; None in a single process."""
        if self._group.size == 1:
            return None
        flags = [float(self._stop.number == number) for number in _SIGNALS]
        return torch.tensor([*flags, float(self._checkpoints.due)], device=self._group.device)

    def update(self, summed: Tensor | None = None) -> None:
        """Set ``signal`` and ``save``.

        Args:
            summed: The sum over all processes; without, several keep what they had.
        """
        if self._group.size == 1:
            self.signal, self.save = self._stop.number, self._checkpoints.due
            return
        self.save = False
        if summed is not None:
            *signals, due = summed.tolist()
            received = [number for number, n in zip(_SIGNALS, signals, strict=True) if n]
            self.signal = int(received[0]) if received else None
            self.save = bool(due)


class SharedBatchNorm(nn.BatchNorm2d):
    """``BatchNorm2d`` with the statistics of the whole global batch in training.

    Unlike ``torch.nn.SyncBatchNorm`` it also works on the CPU. Its parameters and buffers
    are the tensors of the layer that it replaces.
    """

    def __init__(self, layer: nn.BatchNorm2d, group: ProcessGroup) -> None:
        """Take over a layer."""
        super().__init__(layer.num_features, layer.eps, layer.momentum)
        self.weight, self.bias = layer.weight, layer.bias
        for name, buffer in layer.named_buffers():
            setattr(self, name, buffer)
        self.train(layer.training)
        self.group = group

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same; B may differ between the processes."""
        if not self.training:
            return super().forward(x)
        y, mean, variance, n = _Normalise.apply(  # type: ignore[no-untyped-call]
            x, self.weight, self.bias, self.eps, self.group
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
    """Normalisation with sums, forward and backward, over all processes."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float, group: ProcessGroup
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        values, channels = x.float(), x.shape[1]
        own_n = values.new_tensor(values.numel() // channels)
        own_variance, own_mean = torch.var_mean(values, (0, 2, 3), correction=0)
        # Each process fills its row; means and variances are then joined exactly, where
        # sums of squares would cancel (Chan et al. 1983).
        rows = values.new_zeros(group.size, 2 * channels + 1)
        rows[group.rank] = torch.cat([own_n[None], own_mean, own_variance])
        with group.lost_processes():
            dist.all_reduce(rows)
        counts, means, variances = torch.split(rows, [1, channels, channels], dim=1)
        n = counts.sum()
        mean = (counts * means).sum(0) / n
        variance = (counts * (variances + (means - mean).square())).sum(0) / n
        scale = torch.rsqrt(variance + eps)
        normal = (values - _wide(mean)) * _wide(scale)
        ctx.save_for_backward(normal, weight, scale, n)
        ctx.group = group
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
        with ctx.group.lost_processes():
            dist.all_reduce(sums)
        mean_slope, mean_product = sums / n
        centred = slope - _wide(mean_slope) - normal * _wide(mean_product)
        of_x = (centred * _wide(weight * scale)).to(gradients[0].dtype)
        return of_x, of_weight, of_bias, None, None


def share_batch_statistics(network: nn.Module, group: ProcessGroup) -> None:
    """Let every batch normalisation of a network work over all processes, in place."""
    if group.size == 1:
        return
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.BatchNorm2d:
                setattr(parent, name, SharedBatchNorm(child, group))
    others = {
        type(layer).__name__
        for layer in network.modules()
        if isinstance(layer, nn.modules.batchnorm._BatchNorm)
        and not isinstance(layer, SharedBatchNorm)
    }
    if others and group.is_main:
        logger.warning(
            "The network's layers %s normalise each process's part of a batch by itself, so "
            "the result depends on the number of processes.",
            ", ".join(sorted(others)),
        )


def _wide(values: Tensor) -> Tensor:
    """(C,) -> (1, C, 1, 1)."""
    return values[None, :, None, None]
