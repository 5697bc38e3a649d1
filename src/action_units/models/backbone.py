"""What every backbone is: a network from faces to features, in ordered blocks."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn


class Backbone(nn.Module, ABC):
    """From faces (N, C, S, S), pixels scaled to [-1, 1], to features (N, F).

    Attributes:
        n_features: F.
        own_buffers: Names in its state that no file of pre-trained weights holds.
    """

    n_features: int
    own_buffers: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def blocks(self) -> list[nn.Module]:
        """Its parts from the input up; layer-wise rates and unfreezing go by them."""

    def initialise(self, generator: torch.Generator) -> None:
        """Fill all layers from one generator (He et al. 2015, arXiv 1502.01852).

        Convolutions and linear layers get normal weights of variance 2 / fan-in and zero
        biases; normalisation layers start as the identity.

        Args:
            generator: A CPU generator.
        """
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of each pixel, (N, C, H, W) to the same."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise; free of copies where channels lie last in memory."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def normalisation(kind: str, channels: int) -> list[nn.Module]:
    """The layers that normalise a map: one, or none.

    Args:
        kind: ``batch``, ``layer`` or ``none``.
        channels: Of the map.
    """
    if kind == "batch":
        return [nn.BatchNorm2d(channels)]
    return [ChannelNorm(channels, eps=1e-6)] if kind == "layer" else []
