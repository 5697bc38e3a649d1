"""Dropout with a mask that is a pure function of a seed.

``torch.nn.Dropout`` draws from a hidden generator, so the masks of a resumed run would
depend on everything drawn before. Here each layer holds the seed of the current step and
sets a generator of its own to it in every call: nothing has to be saved or restored, and two
trainings in one process do not share state. A batch that goes through in parts gets the masks
of the whole. The generator stays the same object, so that a CUDA graph can register it.

torch's compiler does not draw: a compiled network is given masks that are drawn ahead, which
are those of the uncompiled one.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

_Shape = tuple[torch.Size, torch.dtype, torch.device, torch.memory_format]


class SeededDropout(nn.Module):
    """Inverted dropout at a rate in [0, 1); ``seed_dropout`` comes before each step."""

    def __init__(self, rate: float) -> None:
        """Choose the rate, the probability of a value to be set to zero."""
        super().__init__()
        self.rate = rate
        self.seed = 0
        self.part: slice | None = None
        self.batch = 0
        self.generator: torch.Generator | None = None
        self._shapes: dict[int, _Shape] = {}
        self._ahead: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Zero a random part of ``x`` and scale the rest; the identity in evaluation."""
        if not self.training or self.rate == 0.0:
            return x
        if torch.compiler.is_compiling():
            assert self._ahead is not None, "draw_ahead comes before a compiled pass"
            return x * self._ahead
        self._shapes[len(x)] = x.shape, x.dtype, x.device, _layout(x)
        return x * self._mask(x)

    def draw_ahead(self, faces: int) -> None:
        """Draw the mask of the compiled pass to come.

        Args:
            faces: In its batch; a batch of this size must have run uncompiled before.
        """
        if self.training and self.rate > 0.0:
            shape, kind, device, layout = self._shapes[faces]
            x = torch.empty(shape, dtype=kind, device=device, memory_format=layout)
            self._ahead = self._mask(x)

    def _mask(self, x: Tensor) -> Tensor:
        """The factors of the values of ``x``, in its order of memory."""
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
        return keep.div_(1.0 - self.rate)

    def extra_repr(self) -> str:
        """The rate, for printing."""
        return f"rate={self.rate}"


def _layout(x: Tensor) -> torch.memory_format:
    """The order of memory of a batch, which may be of one face."""
    if x.ndim != 4 or x.is_contiguous():
        return torch.contiguous_format
    return torch.channels_last


def dropouts(network: nn.Module) -> list[SeededDropout]:
    """The dropout layers of a network, in the order of ``modules()``."""
    return [layer for layer in network.modules() if isinstance(layer, SeededDropout)]


def seed_dropout(
    layers: Iterable[SeededDropout], seed: int, part: slice | None = None, batch: int = 0
) -> None:
    """Give every dropout layer of a network its seed for one step.

    Args:
        layers: All of the network's, as ``dropouts`` gives them.
        seed: The step's seed, 0 <= seed < 2**63.
        part: The faces of the step's batch that go through the network now; all without.
        batch: The number of faces in that batch.
    """
    for number, layer in enumerate(layers):
        layer.seed = (seed + number * 0x9E3779B97F4A7C15) % 2**63
        layer.part, layer.batch = part, batch
