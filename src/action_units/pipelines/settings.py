"""The chosen recipe and where to train, checked before anything is computed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from action_units.config import MachineConfig, RecipeConfig
from action_units.errors import ConfigurationError
from action_units.hints import own_settings


@dataclass(frozen=True)
class TrainingSettings:
    """The chosen recipe and where to train.

    Attributes:
        name: Of the recipe.
        recipe: The network and how each stage trains it.
        seed: Of everything random.
        restart: Discard an unfinished run.
        machine: Where and how to train.
    """

    name: str
    recipe: RecipeConfig
    seed: int
    restart: bool
    machine: MachineConfig

    @classmethod
    def read(cls, parameters: Mapping[str, Any]) -> Self:
        """Take them from the whole of a run's parameters.

        Raises:
            ConfigurationError: The recipe is unknown, an option of it is unknown or out of
                range, or this computer cannot train with these parameters.
        """
        from action_units.models.registry import build_network, check_network
        from action_units.training.device import check_machine
        from action_units.training.optim import check_unfreezing

        name, recipes = parameters["recipe"], parameters["recipes"]
        if name not in recipes:
            raise ConfigurationError(
                f"recipe={name!r} is unknown; choose one of {', '.join(sorted(recipes))}, or "
                f"add it to `recipes` in {own_settings('parameters_recipes.yml')}."
            )
        recipe = RecipeConfig.read(recipes[name], f"recipes.{name}")
        with told(f"recipes.{name}.network"):
            check_network(recipe.network)
        for stage in ("pretrain", "finetune", "from_scratch"):
            unfreeze = getattr(recipe, stage).unfreeze
            if unfreeze:
                with told(f"recipes.{name}.{stage}"):
                    check_unfreezing(build_network(recipe.network, 1), unfreeze)
        machine = MachineConfig.read(
            {key: parameters[key] for key in MachineConfig.model_fields}
        )
        check_machine(machine)
        return cls(name, recipe, parameters["seed"], parameters["restart"], machine)


@contextmanager
def told(place: str) -> Iterator[None]:
    """Add the place among the parameters to an error."""
    try:
        yield
    except ConfigurationError as error:
        raise ConfigurationError(f"{place}: {error}") from error
