"""Figures across folds: by fold, mean of folds and pooled, with intervals over subjects.

Two numbers are often confused. The *mean of folds* computes a figure in each fold and
averages; the literature prints it. The *pooled* figure takes the frames of all folds
together and computes it once. They differ, and each is reported under its own name.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Self, TypeVar

from action_units.evaluation import tables


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval over subjects; NaN where undefined.

    Attributes:
        value: The figure.
        low: Low end of the interval.
        high: High end.
        kept: Bootstrap resamples in which the figure is defined; the interval is
            theirs alone.
        why: Why the figure or its interval is undefined; empty where both are there.
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    kept: int = 0
    why: str = ""

    def to_json(self) -> dict[str, Any]:
        """JSON values, null for what is undefined."""
        names = ("value", "low", "high", "kept", "why")
        return {name: tables.plain(getattr(self, name)) for name in names}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Estimate":
        """The estimate that `to_json` wrote."""
        value, low, high = (_number(content[name]) for name in ("value", "low", "high"))
        return cls(value, low, high, kept=int(content["kept"]), why=str(content["why"]))


@dataclass(frozen=True)
class ScoreLine:
    """One figure of one AU, or of an average over AUs, across the folds of one network.

    Attributes:
        name: ``AU12`` or ``12 AUs``.
        by_fold: In each fold.
        mean_of_folds: Mean of the folds where it is defined.
        pooled: Of the frames of all folds together; of an average, the mean over
            AUs of their pooled figures.
        defined: Over how many (AU, fold) pairs `mean_of_folds` runs …
        possible: … of how many.
        why: Why it is undefined, of the folds where it is.
    """

    name: str
    by_fold: dict[int, float]
    mean_of_folds: Estimate
    pooled: Estimate
    defined: int
    possible: int
    why: dict[int, str]

    def to_json(self) -> dict[str, Any]:
        """JSON values, null for what is undefined."""
        return {
            "name": self.name,
            "by_fold": {str(fold): tables.plain(v) for fold, v in self.by_fold.items()},
            "mean_of_folds": self.mean_of_folds.to_json(),
            "pooled": self.pooled.to_json(),
            "defined": self.defined,
            "possible": self.possible,
            "why": {str(fold): reason for fold, reason in self.why.items()},
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "ScoreLine":
        """The line that `to_json` wrote."""
        return cls(
            name=str(content["name"]),
            by_fold={int(fold): _number(v) for fold, v in content["by_fold"].items()},
            mean_of_folds=Estimate.from_json(content["mean_of_folds"]),
            pooled=Estimate.from_json(content["pooled"]),
            defined=int(content["defined"]),
            possible=int(content["possible"]),
            why={int(fold): str(reason) for fold, reason in content["why"].items()},
        )


@dataclass(frozen=True)
class DifferenceLine:
    """By how much one figure differs between two networks, of one AU or average.

    Attributes:
        name: ``AU12`` or ``12 AUs``.
        mean_of_folds: First minus second, each a mean of folds, paired over subjects.
        pooled: First minus second, each of the frames of all folds together.
    """

    name: str
    mean_of_folds: Estimate
    pooled: Estimate

    def to_json(self) -> dict[str, Any]:
        """JSON values, null for what is undefined."""
        return {
            "name": self.name,
            "mean_of_folds": self.mean_of_folds.to_json(),
            "pooled": self.pooled.to_json(),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "DifferenceLine":
        """The line that `to_json` wrote."""
        return cls(
            name=str(content["name"]),
            mean_of_folds=Estimate.from_json(content["mean_of_folds"]),
            pooled=Estimate.from_json(content["pooled"]),
        )


Line = TypeVar("Line", bound=ScoreLine | DifferenceLine)


@dataclass(frozen=True)
class _Lines(Generic[Line]):
    """One figure, all lines: AUs by number, averages by name."""

    aus: dict[int, Line]
    averages: dict[str, Line]

    _line: ClassVar[type[ScoreLine] | type[DifferenceLine]]

    @property
    def lines(self) -> list[Line]:
        """AUs first, then averages."""
        return [*self.aus.values(), *self.averages.values()]

    def to_json(self) -> dict[str, Any]:
        """JSON values, null for what is undefined."""
        return {
            "aus": {str(au): line.to_json() for au, line in self.aus.items()},
            "averages": {name: line.to_json() for name, line in self.averages.items()},
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """What `to_json` wrote."""
        read: Callable[[Mapping[str, Any]], Any] = cls._line.from_json
        return cls(
            aus={int(au): read(line) for au, line in content["aus"].items()},
            averages={name: read(line) for name, line in content["averages"].items()},
        )


class ModelScores(_Lines[ScoreLine]):
    """One figure of one network."""

    _line = ScoreLine


class Differences(_Lines[DifferenceLine]):
    """By how much one figure differs between two networks."""

    _line = DifferenceLine


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
