"""A small residual network, made for training on two CPU cores in minutes.

Channels are multiples of 16 at width 1 because oneDNN's bfloat16 kernels are about twice
as fast there. The first convolution already halves the picture. Features are the whole
4×4 map rather than its mean: an AU is a place on the face as much as a texture, and crops
are aligned well enough to tell a brow from a mouth by position.
"""

from torch import Tensor, nn
from torch.nn import functional

from action_units.models.dropout import SeededDropout
from action_units.models.spec import NetworkSpec

STAGES = (16, 32, 64, 128)
HEAD_DROPOUT = 0.2


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions around a shortcut (He et al. 2015, arXiv 1512.03385)."""

    def __init__(self, channels: int, out: int, stride: int, batch: bool) -> None:
        """Build it.

        Args:
            channels: Input channels.
            out: Output channels.
            stride: Of the first convolution and the shortcut.
            batch: Whether to normalise by batch.
        """
        super().__init__()
        self.first = _convolution(channels, out, 3, stride, batch)
        self.second = _convolution(out, out, 3, 1, batch)
        self.shortcut: nn.Module = nn.Identity()
        if channels != out or stride != 1:
            self.shortcut = _convolution(channels, out, 1, stride, batch)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, S, S) -> (N, C', S', S')."""
        inner = self.second(functional.relu(self.first(x)))
        return functional.relu(inner + self.shortcut(x))


class ResidualNetwork(nn.Module):
    """A stem at half size and four residual stages; 0.33 M parameters at width 1."""

    def __init__(self, spec: NetworkSpec) -> None:
        """Build it.

        Args:
            spec: Width, normalisation, dropout, input size and channels.
        """
        super().__init__()
        batch = spec.batch_normalisation
        channels = spec.scaled(STAGES[0])
        self.stem = nn.Sequential(
            _convolution(spec.channels, channels, 3, 2, batch), nn.ReLU(inplace=True)
        )
        blocks: list[nn.Module] = []
        for number, out in enumerate(map(spec.scaled, STAGES)):
            blocks.append(ResidualBlock(channels, out, 1 if number == 0 else 2, batch))
            channels = out
        self.stages = nn.Sequential(*blocks)
        self.flatten = nn.Flatten()
        self.dropout = SeededDropout(HEAD_DROPOUT * spec.dropout)
        self.n_features = channels * (spec.image_size // 16) ** 2

    def forward(self, x: Tensor) -> Tensor:
        """Features of faces.

        Args:
            x: (N, C, S, S), pixels scaled to [-1, 1].

        Returns:
            (N, F).
        """
        features: Tensor = self.dropout(self.flatten(self.stages(self.stem(x))))
        return features


def _convolution(channels: int, out: int, kernel: int, stride: int, batch: bool) -> nn.Module:
    convolution = nn.Conv2d(channels, out, kernel, stride, padding=kernel // 2, bias=not batch)
    return nn.Sequential(convolution, nn.BatchNorm2d(out)) if batch else convolution
