"""Learning rates as pure functions of the step."""

import math

from action_units.config import Schedule


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
