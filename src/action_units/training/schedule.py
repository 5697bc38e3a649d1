"""Learning rates as pure functions of the step."""

import math
from dataclasses import dataclass
from typing import Literal

from action_units.errors import ConfigurationError
from action_units.models.options import Options, option


@dataclass(frozen=True)
class Schedule(Options):
    """How the learning rate changes over a training."""

    name: Literal["constant", "steps", "cosine", "one_cycle"] = option(
        "cosine", "Shape of the curve."
    )
    warmup: float = option(
        0.05,
        "Part of all steps over which the rate rises: linearly from zero, or with one_cycle "
        "by half a cosine from `start`.",
        low=0,
        high=0.9,
    )
    start: float = option(
        0.04, "one_cycle: the first rate, as a part of the peak rate.", low=0, high=1
    )
    final: float = option(
        0.01,
        "cosine and one_cycle: the last rate, as a part of the peak rate.",
        low=0,
        high=1,
    )
    milestones: tuple[int, ...] = option(
        (20, 40), "steps: the epochs, counted from 0, at which the rate changes.", low=1
    )
    factors: tuple[float, ...] = option(
        (0.5, 0.1),
        "steps: the rate from each milestone on, as a part of the peak rate.",
        above=0,
    )

    def __post_init__(self) -> None:
        """Check what the options say together."""
        super().__post_init__()
        if len(self.milestones) != len(self.factors):
            raise ConfigurationError(
                f"Schedule has {len(self.milestones)} milestones and {len(self.factors)} "
                "factors; it needs one factor a milestone."
            )
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ConfigurationError(
                f"Schedule option 'milestones' is {list(self.milestones)}; "
                "the epochs must rise."
            )


def learning_rate(
    schedule: Schedule, peak: float, step: int, steps: int, steps_per_epoch: int
) -> float:
    """The rate of one step.

    Args:
        schedule: The curve.
        peak: Its highest value.
        step: The step, counted from 0.
        steps: Length of the whole training.
        steps_per_epoch: Length of an epoch.
    """
    if schedule.name == "one_cycle":  # Smith & Topin 2017, arXiv 1708.07120
        top = max(schedule.warmup * steps - 1, 0.0)
        if step <= top:
            rise = step / top if top else 1.0
            return peak * _half_cosine(schedule.start, 1.0, rise)
        return peak * _half_cosine(1.0, schedule.final, (step - top) / (steps - 1 - top))
    warmup = round(schedule.warmup * steps)
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    if schedule.name == "constant":
        return peak
    if schedule.name == "steps":
        epoch = step // steps_per_epoch
        passed = sum(epoch >= milestone for milestone in schedule.milestones)
        return peak * (1.0, *schedule.factors)[passed]
    position = (step - warmup) / max(1, steps - 1 - warmup)
    cosine = 0.5 * (1.0 + math.cos(math.pi * min(position, 1.0)))
    return peak * (schedule.final + (1.0 - schedule.final) * cosine)


def _half_cosine(first: float, last: float, position: float) -> float:
    """From ``first`` at position 0 to ``last`` at 1, level at both ends."""
    return last + (first - last) * 0.5 * (1.0 + math.cos(math.pi * min(position, 1.0)))
