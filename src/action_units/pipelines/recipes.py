"""A recipe by name, from the parameters: the network and how each stage trains it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from action_units.errors import ConfigurationError
from action_units.models.spec import NetworkSpec
from action_units.training.recipe import Recipe

_PARTS = ("network", "pretrain", "finetune")


@dataclass(frozen=True)
class NamedRecipe:
    """The parts of a recipe, checked."""

    name: str
    network: NetworkSpec
    pretrain: Recipe
    finetune: Recipe


def choose_recipe(name: str, recipes: Mapping[str, Any]) -> NamedRecipe:
    """Take one recipe out of the parameters.

    Args:
        name: ``params:recipe``.
        recipes: ``params:recipes``; each has ``network``, ``pretrain`` and ``finetune``.

    Raises:
        ConfigurationError: There is no such recipe, or an option of it is unknown or
            outside its choices.
    """
    if name not in recipes:
        raise ConfigurationError(
            f"recipe={name!r} is unknown; choose one of {', '.join(sorted(recipes))}, or add "
            "it to `recipes` in conf/local/parameters_recipes.yml."
        )
    parts = recipes[name]
    unknown = sorted(set(parts) ^ set(_PARTS))
    if unknown:
        raise ConfigurationError(
            f"recipes.{name} must have exactly the parts {', '.join(_PARTS)}; look at "
            f"{', '.join(unknown)}."
        )
    return NamedRecipe(
        name,
        network=NetworkSpec.from_dict(parts["network"]),
        pretrain=Recipe.from_dict(parts["pretrain"]),
        finetune=Recipe.from_dict(parts["finetune"]),
    )
