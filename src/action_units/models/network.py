"""A network: a backbone that turns faces into features, and a head with one logit an AU."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from action_units.config import NetworkSpec
from action_units.errors import ConfigurationError


class Backbone(nn.Module, ABC):
    """From faces (N, C, S, S), pixels scaled to [-1, 1], to features (N, F).

    Attributes:
        n_features: F.
        own_buffers: Names in its state that no file of pre-trained weights holds.
        can_checkpoint: Whether it can compute parts of the forward pass again in the backward
            pass, and so hold less in memory.
        checkpointing: Whether it does.
    """

    n_features: int
    own_buffers: ClassVar[frozenset[str]] = frozenset()
    can_checkpoint: ClassVar[bool] = False
    checkpointing: bool = False

    @classmethod
    def other_names(cls, name: str) -> tuple[str, ...]:
        """What a tensor is called in files of weights that others have published."""
        return ()

    @classmethod
    def check(cls, spec: NetworkSpec) -> None:
        """Raise ConfigurationError where the architecture cannot be built as specified."""
        if spec.timm_model is not None:
            raise ConfigurationError(
                f"timm_model is {spec.timm_model!r} and architecture is {spec.architecture}; "
                "set architecture: timm, or leave the name out."
            )
        if spec.image_size % 16:
            raise ConfigurationError(
                f"image_size is {spec.image_size}; the network halves it four times, so it "
                "must be a multiple of 16, such as 48, 64 or 112."
            )

    @abstractmethod
    def blocks(self) -> list[nn.Module]:
        """Its parts from the input up, for layer-wise rates and unfreezing."""

    def initialise(self, generator: torch.Generator) -> None:
        """Fill all layers from one CPU generator (He et al. 2015, arXiv 1502.01852).

        Convolutions and linear layers get normal weights of variance 2 / fan-in and zero
        biases; normalisation layers start as the identity.
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
    """The layers that normalise a map: one for ``batch`` or ``layer``, or none."""
    if kind == "batch":
        return [nn.BatchNorm2d(channels)]
    return [ChannelNorm(channels, eps=1e-6)] if kind == "layer" else []


class AUHead(nn.Module):
    """A linear layer from features to logits, always in float32.

    Under bfloat16 autocast a logit would keep eight bits and thousands of faces would tie.
    """

    def __init__(self, n_features: int, n_aus: int) -> None:
        """Make the layer; ``initialise`` fills it."""
        super().__init__()
        self.linear = nn.Linear(n_features, n_aus)

    def forward(self, features: Tensor) -> Tensor:
        """Features (N, F) of any floating type to logits, float32 (N, A)."""
        with torch.autocast(features.device.type, enabled=False):
            logits: Tensor = self.linear(features.float())
        return logits

    def initialise(
        self, generator: torch.Generator, prior: Sequence[float] | None = None
    ) -> None:
        """Fill the layer with small weights and the prior's log-odds.

        Starting at the log-odds of each AU's prevalence spares the first epochs the work of
        finding out that most AUs are rare (Lin et al. 2017, arXiv 1708.02002, section 3.3).

        Args:
            generator: A CPU generator.
            prior: Prevalence of each AU; the bias is zero without.
        """
        nn.init.normal_(self.linear.weight, std=0.01, generator=generator)
        nn.init.zeros_(self.linear.bias)
        if prior is not None:
            with torch.no_grad():
                self.linear.bias.copy_(torch.tensor([log_odds(p) for p in prior]))


class AUNetwork(nn.Module):
    """A backbone and an AU head."""

    def __init__(self, backbone: Backbone, n_aus: int) -> None:
        """Put a new head for ``n_aus`` action units on a backbone."""
        super().__init__()
        self.backbone = backbone
        self.head = AUHead(backbone.n_features, n_aus)

    def forward(self, x: Tensor) -> Tensor:
        """Faces (N, C, S, S), pixels scaled to [-1, 1], to logits, float32 (N, A)."""
        logits: Tensor = self.head(self.backbone(x))
        return logits

    def blocks(self) -> list[nn.Module]:
        """The backbone's blocks from the input up, then the head."""
        return [*self.backbone.blocks(), self.head]


def log_odds(prevalence: float) -> float:
    """The logit of a prevalence, clipped to [0.001, 0.999]."""
    p = min(max(prevalence, 0.001), 0.999)
    return math.log(p / (1.0 - p))
