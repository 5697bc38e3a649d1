"""VGG13 as in Fung & McDuff (FG 2020, arXiv 1911.05946), widths and dropout adjustable."""

from itertools import pairwise

from torch import Tensor, nn

from action_units.config import NetworkSpec
from action_units.models.dropout import SeededDropout
from action_units.models.network import Backbone, normalisation

BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (256, 256, 256))
FULLY_CONNECTED = 1024
BLOCK_DROPOUT = 0.25
FULLY_CONNECTED_DROPOUT = 0.5


class VGG13(Backbone):
    """Ten 3×3 convolutions in four blocks, then two fully connected layers.

    Each block ends in a 2×2 max-pool and dropout. Fine-tuning keeps everything here and
    replaces the head, as the paper cuts after the second fully connected layer.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        """Build it."""
        super().__init__()
        norm = spec.norm("none")
        layers: list[nn.Module] = []
        self._ends = [0]
        channels: int = spec.channels
        for block in BLOCKS:
            for out in map(spec.scaled, block):
                bias = norm == "none"
                layers.append(nn.Conv2d(channels, out, 3, padding=1, bias=bias))
                layers += [*normalisation(norm, out), nn.ReLU(inplace=True)]
                channels = out
            layers += [nn.MaxPool2d(2), SeededDropout(BLOCK_DROPOUT * spec.dropout)]
            self._ends.append(len(layers))
        self.convolutions = nn.Sequential(*layers)
        self.n_features = spec.scaled(FULLY_CONNECTED)
        side = spec.image_size // 2 ** len(BLOCKS)
        rate = FULLY_CONNECTED_DROPOUT * spec.dropout
        self.fully_connected = nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels * side * side, self.n_features),
            nn.ReLU(inplace=True),
            SeededDropout(rate),
            nn.Linear(self.n_features, self.n_features),
            nn.ReLU(inplace=True),
            SeededDropout(rate),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, S, S) -> (N, F)."""
        features: Tensor = self.fully_connected(self.convolutions(x))
        return features

    def blocks(self) -> list[nn.Module]:
        """The four blocks of convolutions and the two fully connected layers."""
        parts = [self.convolutions[start:end] for start, end in pairwise(self._ends)]
        return [*parts, self.fully_connected[:4], self.fully_connected[4:]]


BACKBONE = VGG13
