"""A small network in the style of ConvNeXt (Liu et al. 2022, arXiv 2201.03545).

The paper's block in a net for faces of 64 pixels: the stem cuts the picture into patches
of 4 × 4, and three stages end in a map of a sixteenth of the side. As in the residual
network, features are that whole map and not its mean.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from action_units.config import NetworkSpec
from action_units.models.dropout import SeededDropout
from action_units.models.network import Backbone, normalisation

STAGES = ((32, 2), (64, 2), (128, 2))
"""Channels and blocks of each stage."""
KERNEL = 7
EXPANSION = 4
FIRST_SCALE = 0.1
HEAD_DROPOUT = 0.2


class ConvNeXtBlock(nn.Module):
    """A wide depthwise convolution, then two layers within each pixel, around a shortcut."""

    def __init__(self, channels: int, norm: str) -> None:
        """Build it; the map is normalised after the depthwise convolution."""
        super().__init__()
        self.spatial = nn.Sequential(
            nn.Conv2d(channels, channels, KERNEL, padding=KERNEL // 2, groups=channels),
            *normalisation(norm, channels),
        )
        self.expand = nn.Conv2d(channels, EXPANSION * channels, 1)
        self.shrink = nn.Conv2d(EXPANSION * channels, channels, 1)
        # The paper starts at 1e-6 for trainings a hundred times as long.
        self.scale = nn.Parameter(torch.full((channels,), FIRST_SCALE))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, S, S) -> (N, C, S, S)."""
        inner: Tensor = self.shrink(functional.gelu(self.expand(self.spatial(x))))
        return x + self.scale[:, None, None] * inner


class ConvNeXt(Backbone):
    """A stem of patches and three stages; 0.44 M parameters at width 1."""

    def __init__(self, spec: NetworkSpec) -> None:
        """Build it."""
        super().__init__()
        norm = spec.norm("layer")
        channels: int = spec.channels
        stages: list[nn.Module] = []
        for number, (width, depth) in enumerate(STAGES):
            out = spec.scaled(width)
            step = 4 if number == 0 else 2
            halving = [nn.Conv2d(channels, out, step, step), *normalisation(norm, out)]
            blocks = [ConvNeXtBlock(out, norm) for _ in range(depth)]
            stages.append(nn.Sequential(*halving, *blocks))
            channels = out
        self.stages = nn.Sequential(*stages)
        self.norm = nn.Sequential(*normalisation(norm, channels))
        self.flatten = nn.Flatten()
        self.dropout = SeededDropout(HEAD_DROPOUT * spec.dropout)
        self.n_features = channels * (spec.image_size // 16) ** 2

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, S, S) -> (N, F)."""
        features: Tensor = self.dropout(self.flatten(self.norm(self.stages(x))))
        return features

    def blocks(self) -> list[nn.Module]:
        """The three stages, the first with the stem, the last with the closing norm."""
        first, *middle, last = self.stages
        return [first, *middle, nn.Sequential(last, self.norm)]


BACKBONE = ConvNeXt
