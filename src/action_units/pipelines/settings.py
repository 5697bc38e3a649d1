"""What the training nodes need of a run's parameters, checked before anything is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from action_units.errors import ConfigurationError
from action_units.models.spec import NetworkSpec

if TYPE_CHECKING:
    from action_units.training.recipe import Recipe

_PARTS = ("network", "pretrain", "finetune", "from_scratch", "flip_average")
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
            ConfigurationError: There is no such recipe, or an option of it is unknown
                or outside its choices, or a launcher has started several of this run.
        """
        from action_units.training.recipe import Recipe

        name, recipes = parameters["recipe"], parameters["recipes"]
        if name not in recipes:
            raise ConfigurationError(
                f"recipe={name!r} is unknown; choose one of {', '.join(sorted(recipes))}, or "
                "add it to `recipes` in conf/local/parameters_recipes.yml."
            )
        parts = recipes[name]
        if odd := sorted(set(parts) ^ set(_PARTS)):
            raise ConfigurationError(
                f"recipes.{name} must have exactly the parts {', '.join(_PARTS)}; look at "
                f"{', '.join(odd)}."
            )
        return cls(
            recipe=name,
            network=NetworkSpec.from_dict(parts["network"]),
            pretrain=Recipe.from_dict(parts["pretrain"]),
            finetune=Recipe.from_dict(parts["finetune"]),
            from_scratch=Recipe.from_dict(parts["from_scratch"]),
            flip_average=bool(parts["flip_average"]),
            seed=parameters["seed"],
            restart=parameters["restart"],
            machine={key: parameters[key] for key in _MACHINE},
        )
