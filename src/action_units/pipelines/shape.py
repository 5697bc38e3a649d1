"""What pipelines are built for: the sets and the number of folds."""

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Self

from action_units.config import Parameters
from action_units.errors import ConfigurationError

_NAME = re.compile(r"([^\[\]]+)\[(.*)\]")


@dataclass(frozen=True)
class Shape:
    """What pipelines are built for.

    Pipelines are fixed before parameters are known, so Kedro lists those of the default shape,
    which is the sample's. The name of one of another shape says which, such as
    ``finetune[coded=disfa+studio,folds=5]``.

    Attributes:
        coded: The coded sets, with ``+`` between them.
        web: The web sets, likewise.
        folds: How many folds there are.
        on: The coded set that `cross` tests on.
    """

    coded: str = "disfa"
    web: str = "web"
    folds: int = 3
    on: str = "studio"

    @classmethod
    def of(cls, parameters: Parameters, n_subjects: Callable[[str], int]) -> Self:
        """The shape that a run with these parameters needs.

        Args:
            parameters: Of the run.
            n_subjects: Counts the subjects of a coded set; called only for a protocol that has
                a fold for each.

        Raises:
            ConfigurationError: ``fold`` is more than there are.
        """
        folds = parameters.fold_protocols.n_folds(n_subjects)
        if parameters.fold is not None and parameters.fold > folds:
            raise ConfigurationError(
                f"fold is {parameters.fold}, but protocol {parameters.fold_protocols.name!r} "
                f"has {f'the folds 1 to {folds}' if folds > 1 else 'one fold'}."
            )
        return cls(parameters.coded, parameters.web, folds, parameters.on or cls.on)

    @classmethod
    def parse(cls, name: str) -> tuple[str, Self]:
        """The plain name of a pipeline, and its shape; the inverse of ``name``.

        Raises:
            ValueError: The part in brackets is not of a shape.
        """
        match = _NAME.fullmatch(name)
        if match is None:
            return name, cls()
        values = dict(part.split("=", 1) for part in match[2].split(","))
        given: dict[str, Any] = {
            key: int(value) if key == "folds" else value for key, value in values.items()
        }
        if unknown := given.keys() - {field.name for field in fields(cls)}:
            raise ValueError(f"{name!r} has {unknown.pop()!r}, which no shape has")
        return match[1], cls(**given)

    def name(self, pipeline: str) -> str:
        """The name of a pipeline in this shape; the plain name in the default shape."""
        changed = [
            f"{field.name}={getattr(self, field.name)}"
            for field in fields(self)
            if getattr(self, field.name) != field.default
        ]
        return f"{pipeline}[{','.join(changed)}]" if changed else pipeline

    @property
    def coded_sets(self) -> tuple[str, ...]:
        """The names of the coded sets."""
        return tuple(self.coded.split("+"))

    @property
    def web_sets(self) -> tuple[str, ...]:
        """The names of the web sets."""
        return tuple(self.web.split("+"))


DEFAULT = Shape()
"""Of the pipelines that Kedro lists."""
