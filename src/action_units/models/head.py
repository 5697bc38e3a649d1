"""The last layer: one logit an action unit."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class AUHead(nn.Module):
    """A linear layer from features to logits, always in float32.

    Under bfloat16 autocast a logit would keep eight bits and thousands of faces would tie.
    """

    def __init__(self, n_features: int, n_aus: int) -> None:
        """Make the layer; ``initialise_head`` fills it.

        Args:
            n_features: Length of the feature vector.
            n_aus: Number of action units.
        """
        super().__init__()
        self.linear = nn.Linear(n_features, n_aus)

    def forward(self, features: Tensor) -> Tensor:
        """Logits of features.

        Args:
            features: (N, F), any floating type.

        Returns:
            float32 (N, A).
        """
        with torch.autocast(features.device.type, enabled=False):
            logits: Tensor = self.linear(features.float())
        return logits


def initialise_head(
    head: AUHead, generator: torch.Generator, prior: Sequence[float] | None = None
) -> None:
    """Fill a head with small weights and the prior's log-odds.

    Starting at the log-odds of each AU's prevalence spares the first epochs the work of
    finding out that most AUs are rare (Lin et al. 2017, arXiv 1708.02002, section 3.3).

    Args:
        head: The layer to fill.
        generator: A CPU generator.
        prior: Prevalence of each AU, clipped to [0.001, 0.999]; zeros in the bias without.
    """
    nn.init.normal_(head.linear.weight, std=0.01, generator=generator)
    nn.init.zeros_(head.linear.bias)
    if prior is not None:
        with torch.no_grad():
            head.linear.bias.copy_(torch.tensor([log_odds(p) for p in prior]))


def log_odds(prevalence: float) -> float:
    """The logit of a prevalence, clipped to [0.001, 0.999]."""
    p = min(max(prevalence, 0.001), 0.999)
    return math.log(p / (1.0 - p))
