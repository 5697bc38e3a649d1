"""Dropout whose mask is a pure function of a seed.

``torch.nn.Dropout`` draws from a hidden generator, so the masks of a resumed run would
depend on everything drawn before. Here each layer holds the seed of the current step and
draws from a generator made for that one call: nothing has to be saved or restored, no
other code can disturb it, and two trainings in one process do not share state.
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

    def forward(self, x: Tensor) -> Tensor:
        """Zero a random part of ``x`` and scale the rest; the identity in evaluation."""
        if not self.training or self.rate == 0.0:
            return x
        generator = torch.Generator(device=x.device)
        generator.manual_seed(self.seed)
        keep = torch.empty_like(x).bernoulli_(1.0 - self.rate, generator=generator)
        return x * keep.div_(1.0 - self.rate)

    def extra_repr(self) -> str:
        """The rate, for printing."""
        return f"rate={self.rate}"


def seed_dropout(network: nn.Module, seed: int) -> None:
    """Give every dropout layer of a network its seed for one step.

    Args:
        network: Any module; layers are numbered in the order of ``modules()``.
        seed: The step's seed, 0 <= seed < 2**63.
    """
    layers = (layer for layer in network.modules() if isinstance(layer, SeededDropout))
    for number, layer in enumerate(layers):
        layer.seed = (seed + number * 0x9E3779B97F4A7C15) % 2**63
