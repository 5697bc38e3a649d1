"""A small residual network, made for training on two CPU cores in minutes.

Channels are multiples of 16 at width 1 because oneDNN's bfloat16 kernels are about twice
as fast there. The first convolution already halves the picture. Features are the whole
4×4 map rather than its mean: an AU is a place on the face as much as a texture, and crops
are aligned well enough to distinguish a brow from a mouth by position.
"""

from torch import Tensor, nn
from torch.nn import functional

from action_units.config import NetworkSpec
from action_units.models.dropout import SeededDropout
from action_units.models.network import Backbone, normalisation

STAGES = (16, 32, 64, 128)
HEAD_DROPOUT = 0.2


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions around a shortcut (He et al. 2015, arXiv 1512.03385)."""

    def __init__(self, channels: int, out: int, stride: int, norm: str) -> None:
        """Build it; the first convolution and the shortcut have the stride."""
        super().__init__()
        self.first = _convolution(channels, out, 3, stride, norm)
        self.second = _convolution(out, out, 3, 1, norm)
        # With less than 16 channels the shortcut's pixels are picked before its convolution:
        # the float32 gradient of a strided 1×1 one crashes in oneDNN on maps from 48 pixels.
        self.pick = stride if channels < 16 else 1
        self.shortcut: nn.Module = nn.Identity()
        if channels != out or stride != 1:
            self.shortcut = _convolution(channels, out, 1, stride // self.pick, norm)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, S, S) -> (N, C', S', S')."""
        inner = self.second(functional.relu(self.first(x)))
        picked = x[:, :, :: self.pick, :: self.pick] if self.pick > 1 else x
        return functional.relu(inner + self.shortcut(picked))


class ResidualNetwork(Backbone):
    """A stem at half size and four residual stages; 0.33 M parameters at width 1."""

    def __init__(self, spec: NetworkSpec) -> None:
        """Build it."""
        super().__init__()
        norm = spec.norm("batch")
        channels = spec.scaled(STAGES[0])
        self.stem = nn.Sequential(
            _convolution(spec.channels, channels, 3, 2, norm), nn.ReLU(inplace=True)
        )
        blocks: list[nn.Module] = []
        for number, out in enumerate(map(spec.scaled, STAGES)):
            blocks.append(ResidualBlock(channels, out, 1 if number == 0 else 2, norm))
            channels = out
        self.stages = nn.Sequential(*blocks)
        self.flatten = nn.Flatten()
        self.dropout = SeededDropout(HEAD_DROPOUT * spec.dropout)
        self.n_features = channels * (spec.image_size // 16) ** 2

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, S, S) -> (N, F)."""
        features: Tensor = self.dropout(self.flatten(self.stages(self.stem(x))))
        return features

    def blocks(self) -> list[nn.Module]:
        """The stem and the four stages."""
        return [self.stem, *self.stages]


def _convolution(channels: int, out: int, kernel: int, stride: int, norm: str) -> nn.Module:
    bias = norm == "none"
    convolution = nn.Conv2d(channels, out, kernel, stride, padding=kernel // 2, bias=bias)
    layers = normalisation(norm, out)
    return nn.Sequential(convolution, *layers) if layers else convolution


BACKBONE = ResidualNetwork
