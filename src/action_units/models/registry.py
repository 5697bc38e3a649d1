"""From a spec to a network.

A backbone is a file in ``backbones``, named as its architecture and ending in the line
``BACKBONE = …``, the class. The choices of ``NetworkSpec.architecture`` are those files.
"""

from collections.abc import Sequence
from copy import deepcopy
from importlib import import_module
from pkgutil import iter_modules

import torch

from action_units.config import NetworkSpec
from action_units.errors import ConfigurationError
from action_units.models import backbones
from action_units.models.network import AUHead, AUNetwork, Backbone
from action_units.models.trained import TrainedModel


def architectures() -> list[str]:
    """The name of every backbone."""
    return sorted(module.name for module in iter_modules(backbones.__path__))


def check_network(spec: NetworkSpec) -> type[Backbone]:
    """The class of the backbone that a spec names.

    Raises:
        ConfigurationError: The architecture is unknown, or cannot be built as specified.
    """
    if spec.architecture not in architectures():
        raise ConfigurationError(
            f"architecture is {spec.architecture!r}; it must be one of: "
            f"{', '.join(architectures())}."
        )
    module = import_module(f"{backbones.__name__}.{spec.architecture}")
    backbone: type[Backbone] = module.BACKBONE
    backbone.check(spec)
    return backbone


def build_backbone(spec: NetworkSpec) -> Backbone:
    """The backbone that a spec names, not yet initialised; raises as ``check_network``."""
    return check_network(spec)(spec)


def build_network(
    spec: NetworkSpec, n_aus: int, seed: int = 0, prior: Sequence[float] | None = None
) -> AUNetwork:
    """Build a network, on the CPU, with weights that depend on the arguments alone.

    Args:
        spec: What to build.
        n_aus: Number of action units.
        seed: Seed of the initial weights.
        prior: Prevalence of each AU, for the head's bias.
    """
    # Layers of torch and timm draw their first weights from the global generator: it gets
    # our seed for that time and then its own state back.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        network = AUNetwork(build_backbone(spec), n_aus)
    generator = torch.Generator().manual_seed(seed)
    network.backbone.initialise(generator)
    network.head.initialise(generator, prior)
    return network


def rehead(
    model: TrainedModel,
    aus: Sequence[int],
    seed: int,
    prior: Sequence[float] | None = None,
    keep_shared: bool = False,
) -> TrainedModel:
    """Give a copy of a model a new head for other AUs, keeping the backbone's weights.

    Args:
        model: The pre-trained model; it is not changed.
        aus: The AUs of the new head.
        seed: Seed of the new head's weights.
        prior: Prevalence of each new AU, for the bias.
        keep_shared: Take over the old head's weights of the AUs in common; the bias follows
            the prior all the same.
    """
    network = deepcopy(model.network)
    old = network.head.linear
    network.head = AUHead(old.in_features, len(aus))
    network.head.initialise(torch.Generator().manual_seed(seed), prior)
    if keep_shared:
        with torch.no_grad():
            for row, au in enumerate(aus):
                if au in model.aus:
                    network.head.linear.weight[row] = old.weight[model.aus.index(au)]
    provenance = {**model.provenance, "reheaded_from": list(model.aus)}
    return TrainedModel(network, model.spec, tuple(aus), provenance)
