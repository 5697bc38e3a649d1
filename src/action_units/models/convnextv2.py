"""ConvNeXt V2 (Woo et al. 2023, arXiv 2301.00808), whose published weights can be loaded.

Tensors have the names and shapes that the library timm gives them, so that a file of its
weights, or of the authors', fills the network (``models.pretrained``). The sizes are files in
``backbones``. Features are the mean of the last map, as the weights were trained.
"""

import re
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from action_units.config import NetworkSpec
from action_units.errors import ConfigurationError
from action_units.models.dropout import SeededDropout
from action_units.models.network import Backbone, ChannelNorm

KERNEL = 7
EXPANSION = 4
EPSILON = 1e-6
DROP_PATH = 0.1
"""Rate of the last block's stochastic depth; it rises from zero at the first."""
HEAD_DROPOUT = 0.2
SMALLEST = 32
# Of the photographs that the weights were trained on (ImageNet), red, green and blue in [0, 1].
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)

# Names of the authors' tensors, by those here.
_AUTHORS = (
    (r"^stem\.", "downsample_layers.0."),
    (r"^stages\.(\d)\.downsample\.", r"downsample_layers.\1."),
    (r"^stages\.(\d)\.blocks\.", r"stages.\1."),
    (r"^head\.norm\.", "norm."),
    (r"\.conv_dw\.", ".dwconv."),
    (r"\.mlp\.fc([12])\.", r".pwconv\1."),
    (r"\.mlp\.grn\.weight$", ".grn.gamma"),
    (r"\.mlp\.grn\.bias$", ".grn.beta"),
)


class ResponseNorm(nn.Module):
    """Global response normalisation: channels compete by their norms over the map."""

    def __init__(self, channels: int) -> None:
        """Start as the identity."""
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(N, H, W, C) -> (N, H, W, C)."""
        # In float32: squares of a whole map add up.
        norm = x.float().square().sum((1, 2), keepdim=True).sqrt()  # (N, 1, 1, C)
        share = (norm / (norm.mean(-1, keepdim=True) + EPSILON)).to(x.dtype)
        return x + self.weight * (x * share) + self.bias


class ResponseMlp(nn.Module):
    """Two layers within each pixel, with a response normalisation between them."""

    def __init__(self, channels: int) -> None:
        """Build it."""
        super().__init__()
        self.fc1 = nn.Linear(channels, EXPANSION * channels)
        self.grn = ResponseNorm(EXPANSION * channels)
        self.fc2 = nn.Linear(EXPANSION * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, H, W, C) -> (N, H, W, C)."""
        shrunk: Tensor = self.fc2(self.grn(functional.gelu(self.fc1(x))))
        return shrunk


class Block(nn.Module):
    """A wide depthwise convolution, then two layers within each pixel, around a shortcut."""

    def __init__(self, channels: int, drop: float) -> None:
        """Build it.

        Args:
            channels: Of its input and output.
            drop: The probability that a face passes by the shortcut alone.
        """
        super().__init__()
        self.conv_dw = nn.Conv2d(
            channels, channels, KERNEL, padding=KERNEL // 2, groups=channels
        )
        self.norm = nn.LayerNorm(channels, eps=EPSILON)
        self.mlp = ResponseMlp(channels)
        self.drop = SeededDropout(drop)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        inner: Tensor = self.norm(self.conv_dw(x).permute(0, 2, 3, 1))
        inner = self.mlp(inner).permute(0, 3, 1, 2)
        if self.training and self.drop.rate:
            inner = inner * self.drop(inner.new_ones(len(inner), 1, 1, 1))
        return x + inner


class Stage(nn.Module):
    """Blocks of one width, after a halving of the map, but in the first."""

    def __init__(self, channels: int, out: int, drops: list[float]) -> None:
        """Build as many blocks as there are rates of stochastic depth."""
        super().__init__()
        self.downsample: nn.Module = nn.Identity()
        if channels != out:
            self.downsample = nn.Sequential(
                ChannelNorm(channels, eps=EPSILON), nn.Conv2d(channels, out, 2, 2)
            )
        self.blocks = nn.Sequential(*(Block(out, drop) for drop in drops))

    def forward(self, x: Tensor, recompute: bool = False) -> Tensor:
        """(N, C, H, W) -> (N, C', H', W').

        Args:
            x: The map.
            recompute: Do not keep what is within a block for the backward pass, but compute it
                again there. Masks of dropout are functions of a seed, so it is the same.
        """
        y: Tensor = self.downsample(x)
        for block in self.blocks:
            if recompute:
                y = checkpoint(block, y, use_reentrant=False, preserve_rng_state=False)
            else:
                y = block(y)
        return y


class ConvNeXtV2(Backbone):
    """A stem of patches of 4 × 4 and four stages; its sizes are its subclasses."""

    CHANNELS: ClassVar[tuple[int, ...]]
    DEPTHS: ClassVar[tuple[int, ...]]
    can_checkpoint: ClassVar[bool] = True
    own_buffers: ClassVar[frozenset[str]] = frozenset({"gain", "offset"})
    gain: Tensor
    offset: Tensor

    def __init__(self, spec: NetworkSpec) -> None:
        """Build it."""
        super().__init__()
        deviation, mean = _statistics(DEVIATION, spec), _statistics(MEAN, spec)
        # Pixels lie in [-1, 1] here, and in [0, 1] where the statistics come from.
        self.register_buffer("gain", 0.5 / deviation)
        self.register_buffer("offset", (0.5 - mean) / deviation)
        widths = [spec.scaled(channels) for channels in self.CHANNELS]
        highest = min(0.9, DROP_PATH * spec.dropout)
        drops = np.linspace(0.0, highest, sum(self.DEPTHS)).tolist()
        self.stem = nn.Sequential(
            nn.Conv2d(spec.channels, widths[0], 4, 4), ChannelNorm(widths[0], eps=EPSILON)
        )
        self.stages = nn.ModuleList()
        for before, out, depth in zip([widths[0], *widths], widths, self.DEPTHS, strict=False):
            self.stages.append(Stage(before, out, drops[:depth]))
            drops = drops[depth:]
        self.head = nn.ModuleDict({"norm": nn.LayerNorm(widths[-1], eps=EPSILON)})
        self.dropout = SeededDropout(HEAD_DROPOUT * spec.dropout)
        self.n_features = widths[-1]

    @classmethod
    def check(cls, spec: NetworkSpec) -> None:
        """Raise ConfigurationError where it cannot be built as specified."""
        super().check(spec)
        if spec.image_size < SMALLEST:
            raise ConfigurationError(
                f"image_size is {spec.image_size}; {spec.architecture} halves it five times, "
                f"so it must be at least {SMALLEST}."
            )
        if spec.normalisation not in ("default", "layer"):
            raise ConfigurationError(
                f"normalisation is {spec.normalisation}; {spec.architecture} is normalised by "
                "layer, so leave it default."
            )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, S, S) -> (N, F)."""
        x = self.stem(torch.addcmul(self.offset, x, self.gain))
        recompute = self.checkpointing and self.training and torch.is_grad_enabled()
        for stage in self.stages:
            x = stage(x, recompute)
        features: Tensor = self.dropout(self.head["norm"](x.mean((2, 3))))
        return features

    def blocks(self) -> list[nn.Module]:
        """The stem and the four stages, the last with the closing norm."""
        *first, last = self.stages
        return [self.stem, *first, nn.Sequential(last, self.head)]

    def initialise(self, generator: torch.Generator) -> None:
        """Truncated normal weights of deviation 0.02 and zero biases, as the authors do."""
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02, generator=generator)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    @classmethod
    def other_names(cls, name: str) -> tuple[str, ...]:
        """A tensor's name in the authors' files."""
        for pattern, there in _AUTHORS:
            name = re.sub(pattern, there, name)
        return (name,)


def _statistics(values: tuple[float, ...], spec: NetworkSpec) -> Tensor:
    """(C, 1, 1); for grey their mean."""
    value = torch.tensor(values)
    if spec.channels == 1:
        value = value.mean(0, keepdim=True)
    return value.reshape(-1, 1, 1).clone()
