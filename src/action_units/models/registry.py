"""From a spec to a network; a new backbone is one more line here."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from action_units.models.backbone import Backbone
from action_units.models.convnext import ConvNeXt
from action_units.models.head import AUHead, initialise_head
from action_units.models.residual import ResidualNetwork
from action_units.models.spec import Architecture, NetworkSpec
from action_units.models.timm_backbone import TimmBackbone
from action_units.models.vgg import VGG13

BACKBONES: dict[Architecture, Callable[[NetworkSpec], Backbone]] = {
    "residual": ResidualNetwork,
    "vgg13": VGG13,
    "convnext": ConvNeXt,
    "timm": TimmBackbone,
}
"""Every architecture."""


class AUNetwork(nn.Module):
    """A backbone and an AU head."""

    def __init__(self, backbone: Backbone, n_aus: int) -> None:
        """Put them together.

        Args:
            backbone: Maps faces to features.
            n_aus: Number of action units.
        """
        super().__init__()
        self.backbone = backbone
        self.head = AUHead(backbone.n_features, n_aus)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of faces.

        Args:
            x: (N, C, S, S), pixels scaled to [-1, 1].

        Returns:
            float32 (N, A).
        """
        logits: Tensor = self.head(self.backbone(x))
        return logits

    def blocks(self) -> list[nn.Module]:
        """The backbone's blocks from the input up, then the head."""
        return [*self.backbone.blocks(), self.head]


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
    # Layers of torch and timm draw first weights from the global generator: it is lent to
    # them with a state of ours, and put back.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        network = AUNetwork(BACKBONES[spec.architecture](spec), n_aus)
    generator = torch.Generator().manual_seed(seed)
    network.backbone.initialise(generator)
    initialise_head(network.head, generator, prior)
    return network
