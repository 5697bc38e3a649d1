"""Dropout whose mask is a pure function of a seed.

``torch.nn.Dropout`` draws from a hidden generator, so the masks of a resumed run would
depend on everything drawn before. Here each layer holds the seed of the current step and
sets a generator of its own to it in every call: nothing has to be saved or restored, no
other code can disturb it, and two trainings in one process do not share state. A batch that
goes through in parts gets the masks of the whole. The generator stays the same object, so that
a CUDA graph can be told of it.
"""

import torch
from torch import Tensor, nn


class SeededDropout(nn.Module):
    """Inverted dropout; the caller sets ``seed`` before each training step."""

    def __init__(self, rate: float) -> None:
        """Choose the rate.

        Args:
            rate: Probability of a value to be set to zero, in [0, 1).
        """
        super().__init__()
        self.rate = rate
        self.seed = 0
        self.part: slice | None = None
        self.batch = 0
        self.generator: torch.Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Zero a random part of ``x`` and scale the rest; the identity in evaluation."""
        if not self.training or self.rate == 0.0:
            return x
        if self.generator is None or self.generator.device != x.device:
            self.generator = torch.Generator(device=x.device)
        generator = self.generator.manual_seed(self.seed)
        if self.part is None:
            keep = torch.empty_like(x).bernoulli_(1.0 - self.rate, generator=generator)
        else:
            # Values are drawn in the order of memory: so the whole lies as its part does.
            whole = x[:1].expand(self.batch, *x.shape[1:])
            keep = torch.empty_like(whole, memory_format=_layout(x))
            keep = keep.bernoulli_(1.0 - self.rate, generator=generator)[self.part].clone()
        return x * keep.div_(1.0 - self.rate)

    def extra_repr(self) -> str:
        """The rate, for printing."""
        return f"rate={self.rate}"


def _layout(x: Tensor) -> torch.memory_format:
    """The order of memory of a batch, which may be of one face."""
    if x.ndim != 4 or x.is_contiguous():
        return torch.contiguous_format
    return torch.channels_last


def seed_dropout(
    network: nn.Module, seed: int, part: slice | None = None, batch: int = 0
) -> None:
    """Give every dropout layer of a network its seed for one step.

    Args:
        network: Any module; layers are numbered in the order of ``modules()``.
        seed: The step's seed, 0 <= seed < 2**63.
        part: Which faces of the step's batch go through the network now; all without.
        batch: How many faces that batch has.
    """
    layers = (layer for layer in network.modules() if isinstance(layer, SeededDropout))
    for number, layer in enumerate(layers):
        layer.seed = (seed + number * 0x9E3779B97F4A7C15) % 2**63
        layer.part, layer.batch = part, batch
