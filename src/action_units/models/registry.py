"""From a spec to a network; a new backbone is one more line here."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from action_units.models.head import AUHead, initialise_head
from action_units.models.residual import ResidualNetwork
from action_units.models.spec import Architecture, NetworkSpec
from action_units.models.vgg import VGG13

BACKBONES: dict[Architecture, Callable[[NetworkSpec], nn.Module]] = {
    "residual": ResidualNetwork,
    "vgg13": VGG13,
}
"""Every architecture: a module from (N, C, S, S) to (N, F) with an ``n_features``."""


class AUNetwork(nn.Module):
    """A backbone and an AU head."""

    def __init__(self, backbone: nn.Module, n_aus: int) -> None:
        """Put them together.

        Args:
            backbone: Maps faces (N, C, S, S) to features (N, F); has ``n_features``.
            n_aus: Number of action units.
        """
        super().__init__()
        self.backbone = backbone
        self.head = AUHead(int(backbone.n_features), n_aus)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Logits of faces.

        Args:
            x: (N, C, S, S), pixels scaled to [-1, 1].

        Returns:
            float32 (N, A).
        """
        logits: Tensor = self.head(self.backbone(x))
        return logits


def build_network(
    spec: NetworkSpec, n_aus: int, seed: int = 0, prior: Sequence[float] | None = None
) -> AUNetwork:
    """Build a network with weights that depend on the arguments alone.

    Args:
        spec: What to build.
        n_aus: Number of action units.
        seed: Seed of the initial weights.
        prior: Prevalence of each AU, for the head's bias.

    Returns:
        The network, on the CPU, in float32.
    """
    network = AUNetwork(BACKBONES[spec.architecture](spec), n_aus)
    generator = torch.Generator().manual_seed(seed)
    initialise(network.backbone, generator)
    initialise_head(network.head, generator, prior)
    return network


def initialise(module: nn.Module, generator: torch.Generator) -> None:
    """Fill all layers from one generator (He et al. 2015, arXiv 1502.01852).

    Args:
        module: Its convolutions and linear layers get normal weights of variance
            2 / fan-in and zero biases; normalisation layers start as the identity.
        generator: A CPU generator.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
