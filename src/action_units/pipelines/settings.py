"""What the training nodes need of a run's parameters, checked before anything is done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from action_units.errors import ConfigurationError
from action_units.hints import own_settings
from action_units.models.spec import NetworkSpec

if TYPE_CHECKING:
    from action_units.training.recipe import Recipe

_STAGES = ("pretrain", "finetune", "from_scratch")
_PARTS = ("network", *_STAGES, "flip_average")
_MACHINE = (
    "device", "precision", "threads", "compilation", "devices", "micro_batch",
    "faces_in_memory", "tensorboard",
)  # fmt: skip


@dataclass(frozen=True)
class TrainingSettings:
    """The chosen recipe and where to train.

    Attributes:
        recipe: Its name.
        network: The network it builds.
        pretrain: How it pre-trains.
        finetune: How it fine-tunes.
        from_scratch: How the comparison without pre-training trains.
        flip_average: Whether a face is asked about together with its mirror image.
        seed: Of everything random.
        restart: Throw an unfinished run away.
        machine: Where and how to train, by the names that ``train`` has for it.
    """

    recipe: str
    network: NetworkSpec
    pretrain: Recipe
    finetune: Recipe
    from_scratch: Recipe
    flip_average: bool
    seed: int
    restart: bool
    machine: Mapping[str, Any]

    @classmethod
    def read(cls, parameters: Mapping[str, Any]) -> Self:
        """Take them from the whole of a run's parameters.

        Raises:
            ConfigurationError: There is no such recipe, an option of it is unknown or
                outside its choices, or this computer cannot train as is asked.
        """
        from action_units.training.arguments import check_arguments

        name, recipes = parameters["recipe"], parameters["recipes"]
        if name not in recipes:
            raise ConfigurationError(
                f"recipe={name!r} is unknown; choose one of {', '.join(sorted(recipes))}, or "
                f"add it to `recipes` in {own_settings('parameters_recipes.yml')}."
            )
        parts = recipes[name]
        if not isinstance(parts, Mapping) or (odd := set(parts) ^ set(_PARTS)):
            at = ", ".join(sorted(map(str, odd))) if isinstance(parts, Mapping) else repr(parts)
            raise ConfigurationError(
                f"recipes.{name} must have exactly the parts {', '.join(_PARTS)}; look at {at}."
            )
        place = f"recipes.{name}"
        if type(parts["flip_average"]) is not bool:
            raise ConfigurationError(
                f"{place}.flip_average is {parts['flip_average']!r}; it must be true or false."
            )
        with told(f"{place}.network"):
            network = NetworkSpec.from_dict(parts["network"])
        stages = {part: _recipe(parts[part], network, f"{place}.{part}") for part in _STAGES}
        if stages["finetune"].backbone_weights is not None:
            raise ConfigurationError(
                f"{place}.finetune.backbone_weights is {stages['finetune'].backbone_weights}; "
                "fine-tuning starts from the pre-trained model, so leave it null there."
            )
        seed, restart = parameters["seed"], parameters["restart"]
        machine = {key: parameters[key] for key in _MACHINE}
        check_arguments(seed=seed, restart=restart, **machine)
        return cls(
            recipe=name,
            network=network,
            **stages,
            flip_average=parts["flip_average"],
            seed=seed,
            restart=restart,
            machine=machine,
        )


def _recipe(values: Mapping[str, Any], network: NetworkSpec, place: str) -> Recipe:
    """A stage's recipe, as far as it can be checked before the stages ahead of it have run."""
    from action_units.models.registry import build_network
    from action_units.training.blocks import check_unfreezing
    from action_units.training.recipe import Recipe

    with told(place):
        recipe = Recipe.from_dict(values)
        if recipe.unfreeze:
            check_unfreezing(build_network(network, 1), recipe.unfreeze)
    return recipe


@contextmanager
def told(place: str) -> Iterator[None]:
    """Say where among the parameters it is that something is wrong."""
    try:
        yield
    except ConfigurationError as error:
        raise ConfigurationError(f"{place}: {error}") from error
