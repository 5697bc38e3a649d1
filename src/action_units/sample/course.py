"""A row of pictures over time: expressions that rise, are held and fade, and traces."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from action_units.labels.action_units import AUSet
from action_units.sample.canvas import Floats
from action_units.sample.muscles import RENDERED_AUS

# Chances of the coded intensities 2, 3, 4, 5 at the height of an expression.
_APEX_ODDS = (0.30, 0.35, 0.23, 0.12)


@dataclass(frozen=True)
class Event:
    """One expression: its AUs and how many pictures it lasts."""

    aus: AUSet
    length: int


def play(events: Sequence[Event], frames: int, rng: np.random.Generator, aus: int) -> Floats:
    """Intensities of a person's pictures, (frames, aus) for the first RENDERED_AUS.

    The events come in a random order with pauses between them; those that find no room are
    cut off at the end.
    """
    course = np.zeros((frames, aus))
    trace = rng.random(course.shape) < 0.045  # below the threshold, in neutral pictures too
    course[trace] = rng.uniform(0.3, 1.3, int(trace.sum()))
    order = rng.permutation(len(events))
    spare = frames - sum(event.length for event in events)
    gaps = rng.multinomial(max(0, spare), np.full(len(events) + 1, 1.0 / (len(events) + 1)))
    start = 0
    for gap, index in zip(gaps, order, strict=False):
        start += int(gap)
        event = events[index]
        _show(course, start, event, rng)
        start += event.length
    return course


def _show(course: Floats, start: int, event: Event, rng: np.random.Generator) -> None:
    """Onset, apex and offset of one expression."""
    stop = min(start + event.length, len(course))
    position = (np.arange(event.length) + 0.5) / event.length
    envelope = np.clip(1.2 - 1.2 * np.abs(position - rng.uniform(0.35, 0.65)), 0.45, 1.0)
    for au in event.aus:
        column = RENDERED_AUS.index(au)
        apex = rng.choice([2, 3, 4, 5], p=_APEX_ODDS) + rng.uniform(-0.48, 0.48)
        apex = min(float(apex), 5.0)
        shown = 1.52 + (apex - 1.52) * envelope
        course[start:stop, column] = shown[: stop - start]
        for frame in (start - 1, stop):  # rising or fading, still below the threshold
            if 0 <= frame < len(course) and course[frame, column] < 0.3:
                course[frame, column] = rng.uniform(0.3, 1.3)
