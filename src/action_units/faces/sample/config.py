"""The two samples' parameters: plain dictionaries in, checked dataclasses out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from action_units.errors import ConfigurationError
from action_units.facs.action_units import PRETRAIN_AUS, au_columns

_Rates = dict[str, float]


def _rates(*values: float) -> Callable[[], _Rates]:
    return lambda: dict(zip(au_columns(PRETRAIN_AUS), values, strict=True))


class _FromMapping:
    """Shared checks of configuration dataclasses."""

    @classmethod
    def from_mapping(cls, parameters: Mapping[str, Any]) -> Self:
        """Build from plain values as they stand in a YAML file.

        Raises:
            ConfigurationError: An unknown name, or a value outside its range.
        """
        known = [f.name for f in fields(cls)]  # type: ignore[arg-type]
        for name in parameters:
            if name not in known:
                raise ConfigurationError(
                    f"{cls.__name__} has no parameter {name!r}; there are {', '.join(known)}."
                )
        return cls(**parameters)

    def as_mapping(self) -> dict[str, Any]:
        """Every parameter as a plain value."""
        return asdict(self)  # type: ignore[call-overload, no-any-return]

    def _within(self, low: float, high: float, *names: str) -> None:
        for name in names:
            value = getattr(self, name)
            whole = type(self).__annotations__[name] == "int"
            wrong = isinstance(value, bool) or not isinstance(
                value, int if whole else (int, float)
            )
            if wrong or not low <= value <= high:
                kind = "a whole number" if whole else "a number"
                raise ConfigurationError(
                    f"{type(self).__name__}.{name} is {value!r}; it must be {kind} from "
                    f"{low} to {high}."
                )


@dataclass(frozen=True)
class DisfaSampleConfig(_FromMapping):
    """The rendered stand-in for DISFA: 27 subjects, one video each.

    Attributes:
        seed: Decides everything that is drawn.
        frames_per_subject: Pictures in each video.
        stride: Frames of 20 per second between two pictures; at 48 a video of 100
            pictures spans the four minutes of DISFA's, and neighbours differ.
        width: Picture columns.
        height: Picture rows.
        jpeg_quality: Of the video's frames, 1–100.
        mean_event: Mean number of pictures that an expression lasts.
        strength: Factor on how far every face moves; lower is harder.
        expressiveness: Spread (log) between subjects in how far a face moves at the
            same coded intensity.
        occlusion: Share of pictures in which something hides part of the face.
        distractors: Factor on how often the uncoded AUs 7, 10, 14, 23, 28, 45 appear.
    """

    seed: int = 1911
    frames_per_subject: int = 100
    stride: int = 48
    width: int = 224
    height: int = 192
    jpeg_quality: int = 92
    mean_event: float = 3.0
    strength: float = 1.7
    expressiveness: float = 0.15
    occlusion: float = 0.04
    distractors: float = 1.0

    def __post_init__(self) -> None:
        self._within(0, 2**31 - 1, "seed")
        self._within(24, 4845, "frames_per_subject")
        self._within(1, 1000, "stride")
        self._within(160, 1024, "width", "height")
        self._within(1, 100, "jpeg_quality")
        self._within(1, 20, "mean_event")
        self._within(0, 1, "expressiveness", "occlusion")
        self._within(0, 5, "distractors")
        self._within(0.1, 2, "strength")


@dataclass(frozen=True)
class WebSampleConfig(_FromMapping):
    """The rendered stand-in for web photographs with OpenFace's noisy labels.

    Attributes:
        seed: Decides everything that is drawn.
        photographs: How many, half of them of women.
        identities: How many people; even.
        size: Rows of a photograph; its columns vary around that.
        jpeg_quality: 1–100.
        turn: Factor on head rotation (1: standard deviations of 9° yaw, 5° pitch, roll).
        occlusion: Share of photographs in which something hides part of the face.
        strength: As in ``DisfaSampleConfig``.
        expressiveness: As in ``DisfaSampleConfig``.
        sensitivity: By AU column, how often a clearly shown AU is labelled present.
        false_alarms: By AU column, how often an AU that is not there at all is labelled
            present. Between intensities 0 and 2 the chance runs smoothly from one to
            the other, so traces are often called present.
        failures: Share of rows that OpenFace gave up on: ``success`` 0 and labels at random.
    """

    seed: int = 1911
    photographs: int = 6000
    identities: int = 2000
    size: int = 192
    jpeg_quality: int = 90
    turn: float = 1.0
    occlusion: float = 0.12
    strength: float = 1.7
    expressiveness: float = 0.15
    sensitivity: _Rates = field(
        default_factory=_rates(
            0.95, 0.94, 0.84, 0.93, 0.94, 0.93, 0.90, 0.93, 0.96, 0.93, 0.93, 0.68, 0.88, 0.84,
            0.95, 0.93, 0.88, 0.92,
        )
    )  # fmt: skip
    false_alarms: _Rates = field(
        default_factory=_rates(
            0.37, 0.34, 0.03, 0.16, 0.28, 0.34, 0.08, 0.36, 0.25, 0.52, 0.36, 0.01, 0.19, 0.04,
            0.18, 0.16, 0.14, 0.12,
        )
    )  # fmt: skip
    failures: float = 0.02

    def __post_init__(self) -> None:
        self._within(0, 2**31 - 1, "seed")
        self._within(2, 1_000_000, "identities")
        self._within(2, 10_000_000, "photographs")
        self._within(160, 1024, "size")
        self._within(1, 100, "jpeg_quality")
        self._within(0, 2, "turn")
        self._within(0.1, 2, "strength")
        self._within(0, 1, "occlusion", "expressiveness", "failures")
        if self.identities % 2 or self.photographs % 2:
            raise ConfigurationError(
                f"WebSampleConfig.identities ({self.identities}) and photographs "
                f"({self.photographs}) must both be even, half women and half men."
            )
        if self.photographs < self.identities:
            raise ConfigurationError(
                f"WebSampleConfig.photographs is {self.photographs}, fewer than the "
                f"{self.identities} identities; every identity needs at least one."
            )
        for name in ("sensitivity", "false_alarms"):
            self._check_rates(name)

    def _check_rates(self, name: str) -> None:
        rates = getattr(self, name)
        columns = au_columns(PRETRAIN_AUS)
        if not isinstance(rates, Mapping):
            raise ConfigurationError(
                f"WebSampleConfig.{name} is {rates!r}; it must be a rate by AU column, such as "
                "AU01: 0.5."
            )
        for column in [*columns, *(extra for extra in rates if extra not in columns)]:
            value = rates.get(column)
            number = value if isinstance(value, (int, float)) else -1.0
            if column not in columns or isinstance(value, bool) or not 0 <= number <= 1:
                raise ConfigurationError(
                    f"WebSampleConfig.{name} gives {value!r} for {column}; it must be a rate "
                    f"from 0 to 1 for each of {columns[0]} … {columns[-1]}, the 18 "
                    "pre-training AUs, and for nothing else."
                )
