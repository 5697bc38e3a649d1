"""Any network of timm, an optional library of image networks, as a backbone.

timm is imported only when a network of it is used: the import takes seconds, and it needs a
torchvision that fits the installed torch to the build.
"""

import difflib
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from action_units.config import NetworkSpec
from action_units.errors import ConfigurationError
from action_units.extras import import_extra
from action_units.models.dropout import SeededDropout
from action_units.models.network import Backbone

HEAD_DROPOUT = 0.2
_TORCHVISION = (
    ", with a torchvision of the same build as torch (for a CPU build, the one of PyTorch's "
    "CPU index)"
)


class TimmBackbone(Backbone):
    """A timm model without its classifier.

    Its input is shifted and scaled to the mean and deviation the model was made for, which
    pre-trained weights need. Its own dropout and stochastic depth, which draw from torch's
    global generator, are off; ``SeededDropout`` stands before the head instead.
    """

    gain: Tensor
    offset: Tensor
    own_buffers: ClassVar[frozenset[str]] = frozenset({"gain", "offset"})

    def __init__(self, spec: NetworkSpec) -> None:
        """Build it with timm's own initial weights, drawn from torch's global generator.

        Raises:
            ConfigurationError: The model does not take such an input.
        """
        super().__init__()
        self.network = _create(spec)
        for layer in self.network.modules():
            if isinstance(layer, nn.modules.dropout._DropoutNd):
                layer.p = 0.0
            elif hasattr(layer, "drop_prob"):  # stochastic depth
                layer.drop_prob = 0.0  # type: ignore[assignment]
        mean, deviation = _statistics(self.network, spec.channels)
        # Pixels lie in [-1, 1] here, and in [0, 1] where the statistics come from.
        self.register_buffer("gain", 0.5 / deviation)
        self.register_buffer("offset", (0.5 - mean) / deviation)
        self.dropout = SeededDropout(HEAD_DROPOUT * spec.dropout)
        self.n_features = self._count_features(spec)

    @classmethod
    def check(cls, spec: NetworkSpec) -> None:
        """Raise ConfigurationError where timm lacks the model or it is sized otherwise."""
        for name, value, only in (
            ("width", spec.width, 1.0),
            ("normalisation", spec.normalisation, "default"),
        ):
            if value != only:
                raise ConfigurationError(
                    f"{name} is {value}; a timm model has its own, so leave it {only} and "
                    "choose another timm_model."
                )
        check_timm_model(spec.timm_model)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, S, S) -> (N, F)."""
        scaled = torch.addcmul(self.offset, x, self.gain)
        features: Tensor = self.dropout(self.network(scaled))
        return features

    def blocks(self) -> list[nn.Module]:
        """The model's children that have parameters, lists of layers unpacked."""
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
            raise _unusable(spec, error) from error
        finally:
            self.network.train()
        if len(shape) != 2:
            raise _unusable(spec, f"it gives features of shape {tuple(shape)}")
        return int(shape[1])


BACKBONE = TimmBackbone


def check_timm_model(name: str | None) -> None:
    """Check that timm has a model.

    Raises:
        ConfigurationError: It has not, with the nearest names; or timm is not installed.
    """
    if name is None:
        raise ConfigurationError(
            "timm_model is missing; architecture timm needs a name, such as resnet18."
        )
    names = [str(known) for known in _import_timm().list_models()]
    if name not in names:
        near = difflib.get_close_matches(name, names, n=5, cutoff=0.5)
        guess = f"the nearest are: {', '.join(near)}" if near else "none is similar"
        raise ConfigurationError(
            f"timm_model is {name!r}, which is not among timm's {len(names)} models; {guess}."
        )


def _import_timm() -> Any:
    try:
        return import_extra("timm", "timm", "architecture timm", _TORCHVISION)
    except (ImportError, RuntimeError) as error:  # a torchvision of another build
        raise ConfigurationError(
            f"timm is installed but cannot be imported ({error}): install "
            f"'action-units[timm]'{_TORCHVISION}."
        ) from error


def _create(spec: NetworkSpec) -> nn.Module:
    timm = _import_timm()
    options = {"pretrained": False, "num_classes": 0, "in_chans": spec.channels}
    try:
        network: nn.Module = timm.create_model(
            spec.timm_model, **options, img_size=spec.image_size
        )
    except TypeError:  # a network that takes any size
        network = timm.create_model(spec.timm_model, **options)
    except (RuntimeError, AssertionError, ValueError) as error:
        raise _unusable(spec, error) from error
    return network


def _unusable(spec: NetworkSpec, reason: object) -> ConfigurationError:
    size = f"{spec.image_size} × {spec.image_size} × {spec.channels}"
    return ConfigurationError(
        f"timm's {spec.timm_model} cannot be a backbone for faces of {size} ({reason}); choose "
        "another image_size or timm_model."
    )


def _statistics(network: nn.Module, channels: int) -> tuple[Tensor, Tensor]:
    """Mean and deviation of the model's input, each (C, 1, 1); for grey, their averages."""
    made_for = getattr(network, "pretrained_cfg", None) or {}
    values = []
    for name in ("mean", "std"):
        value = torch.tensor(made_for.get(name, (0.5,)), dtype=torch.float32)
        value = value if len(value) == channels else value.mean().expand(channels)
        values.append(value.reshape(channels, 1, 1).clone())
    return values[0], values[1]
