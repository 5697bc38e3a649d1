"""The study of how much data training needs."""

from collections import Counter
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field

from action_units.config.base import Count, Settings

Axis: TypeAlias = Literal["photographs", "people", "per_person", "subjects"]


def _once(values: list[Axis] | list[int]) -> list[Axis] | list[int]:
    if not values:
        raise ValueError("the list is empty; name at least one")
    if twice := [value for value, n in Counter(values).items() if n > 1]:
        raise ValueError(f"{twice[0]!r} is listed twice; name each once")
    return values


class StudySettings(Settings):
    """What varies, how finely, and how often it is repeated."""

    axes: Annotated[list[Axis], AfterValidator(_once)]
    """Of photographs, people, per_person and subjects."""
    factor: Annotated[int | float, Field(gt=1, le=100)]
    """Each size of an axis is the next larger one divided by this."""
    smallest_photographs: Count
    """Where the axis of photographs ends."""
    smallest_subjects: Count
    """Where the axis of coded subjects ends."""
    per_person: Count | None
    """Photographs of a person, at most; null takes as many as one person in ten has."""
    seeds: Count
    """Repetitions; each draws other faces and other weights."""
    folds: Annotated[list[Count], AfterValidator(_once)] | None
    """Of the fold protocol; null is all."""
    pretrain_steps: Count | None
    """Of every pre-training; null is what the recipe takes for all photographs."""
    finetune_steps: Count | None
    """Of every fine-tuning and training from scratch; null is what the recipe takes for all
    subjects."""
    workers: Count | None
    """Trainings at once; null is one for each core, or one on a GPU."""
