"""Any network of the timm library as a backbone."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from action_units.errors import ConfigurationError
from action_units.models.backbone import Backbone
from action_units.models.dropout import SeededDropout
from action_units.models.optional_timm import import_timm
from action_units.models.spec import NetworkSpec

HEAD_DROPOUT = 0.2


class TimmBackbone(Backbone):
    """A timm model without its classifier.

    Its input is shifted and scaled to the mean and deviation the model was made for, so
    that pre-trained weights see what they know. Its own dropout and stochastic depth,
    which draw from torch's global generator, are off; ``SeededDropout`` stands before the
    head instead.
    """

    gain: Tensor
    offset: Tensor
    own_buffers: ClassVar[frozenset[str]] = frozenset({"gain", "offset"})

    def __init__(self, spec: NetworkSpec) -> None:
        """Build it with timm's own initial weights, drawn from torch's global generator.

        Args:
            spec: Name, input size and channels, dropout.

        Raises:
            ConfigurationError: The model does not take such an input.
        """
        super().__init__()
        self.network = _create(spec)
        _turn_off_dropout(self.network)
        mean, deviation = _statistics(self.network, spec.channels)
        # Pixels lie in [-1, 1] here, and in [0, 1] where the statistics come from.
        self.register_buffer("gain", 0.5 / deviation)
        self.register_buffer("offset", (0.5 - mean) / deviation)
        self.dropout = SeededDropout(HEAD_DROPOUT * spec.dropout)
        self.n_features = self._count_features(spec)

    def forward(self, x: Tensor) -> Tensor:
        """Features of faces.

        Args:
            x: (N, C, S, S), pixels scaled to [-1, 1].

        Returns:
            (N, F).
        """
        scaled = torch.addcmul(self.offset, x, self.gain)
        features: Tensor = self.dropout(self.network(scaled))
        return features

    def blocks(self) -> list[nn.Module]:
        """The model's children that have parameters, lists of layers taken apart."""
        parts: list[nn.Module] = []
        for child in self.network.children():
            listed = isinstance(child, nn.Sequential | nn.ModuleList)
            parts += list(child.children()) if listed else [child]
        return [part for part in parts if any(True for _ in part.parameters())]

    def initialise(self, generator: torch.Generator) -> None:
        """Keep timm's initial weights, which suit each of its models."""

    @torch.no_grad()
    def _count_features(self, spec: NetworkSpec) -> int:
        face = torch.zeros(1, spec.channels, spec.image_size, spec.image_size)
        try:
            shape = self.network.eval()(face).shape
        except (RuntimeError, AssertionError, ValueError) as error:
            raise _refusal(spec, error) from error
        finally:
            self.network.train()
        if len(shape) != 2:
            raise _refusal(spec, f"it gives features of shape {tuple(shape)}")
        return int(shape[1])


def _create(spec: NetworkSpec) -> nn.Module:
    timm = import_timm()
    known = {"pretrained": False, "num_classes": 0, "in_chans": spec.channels}
    try:
        network: nn.Module = timm.create_model(
            spec.timm_model, **known, img_size=spec.image_size
        )
    except TypeError:  # a network that takes any size
        network = timm.create_model(spec.timm_model, **known)
    except (RuntimeError, AssertionError, ValueError) as error:
        raise _refusal(spec, error) from error
    return network


def _refusal(spec: NetworkSpec, why: object) -> ConfigurationError:
    size = f"{spec.image_size} × {spec.image_size} × {spec.channels}"
    return ConfigurationError(
        f"timm's {spec.timm_model} cannot be a backbone for faces of {size} ({why}); choose "
        "another image_size or timm_model."
    )


def _turn_off_dropout(network: nn.Module) -> None:
    for layer in network.modules():
        if isinstance(layer, nn.modules.dropout._DropoutNd):
            layer.p = 0.0
        elif hasattr(layer, "drop_prob"):  # stochastic depth
            layer.drop_prob = 0.0  # type: ignore[assignment]


def _statistics(network: nn.Module, channels: int) -> tuple[Tensor, Tensor]:
    """Mean and deviation of the model's input, each (C, 1, 1); of grey, their averages."""
    made_for = getattr(network, "pretrained_cfg", None) or {}
    values = []
    for name in ("mean", "std"):
        value = torch.tensor(made_for.get(name, (0.5,)), dtype=torch.float32)
        value = value if len(value) == channels else value.mean().expand(channels)
        values.append(value.reshape(channels, 1, 1).clone())
    return values[0], values[1]
