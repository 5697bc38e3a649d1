"""Which trainings answer how much data a classifier needs.

A cell of the web set is (people, at most so many photographs of each). The axis of photographs
has fewer and fewer people with the most of each, that of photographs a person has all people
with fewer and fewer of each, and that of people has about as many photographs in all: one of
everyone, or more of fewer. They meet in cells that are trained once.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from action_units.config import Axis, StudySettings
from action_units.errors import ConfigurationError
from action_units.labels.sampling import GENDERS, sample_faces

FEW = 0.1
"""The part of the people who have the most photographs of each person by default."""

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class WebSample:
    """What is learned from the web set: so many people, at most so many faces of each."""

    people: int
    per_person: int


@dataclass(frozen=True)
class Point:
    """A point of an axis.

    Attributes:
        axis: Which one.
        web: What is pre-trained on; None is from scratch.
        subjects: How many coded subjects train; None is all of the fold.
    """

    axis: Axis
    web: WebSample | None
    subjects: int | None = None


@dataclass(frozen=True)
class Plan:
    """The points of all axes.

    Attributes:
        points: From small to large; those from scratch after the pre-trained ones.
        left_out: A sentence for each axis that the data cannot give.
    """

    points: tuple[Point, ...]
    left_out: tuple[str, ...]


def log_steps(largest: int, smallest: int, factor: float) -> list[int]:
    """Whole numbers from large to small, each about `factor` times the next.

    Returns:
        Ascending; `largest` is in it, and nothing below `smallest`.
    """
    sizes, size = [largest], largest / factor
    while round(size) >= smallest:
        sizes.append(round(size))
        size /= factor
    return sorted(set(sizes))


def make_plan(settings: StudySettings, web: "WebPeople", n_training: Sequence[int]) -> Plan:
    """Choose the points.

    Args:
        settings: Of the study.
        web: The people of the web set.
        n_training: How many coded subjects train in each fold.

    Raises:
        ConfigurationError: No axis has two points.
    """
    most, people = web.per_person, web.people
    full = WebSample(people, most)
    each = log_steps(most, 1, settings.factor)
    sizes: dict[Axis, list[Point]] = {
        "photographs": [
            Point("photographs", WebSample(n, most))
            for n in map(web.even, log_steps(people, 2, settings.factor))
            if n * web.mean(most) >= settings.smallest_photographs
        ],
        "people": [
            Point("people", WebSample(web.even(round(people / web.mean(k))), k))
            for k in reversed(each)
        ],
        "per_person": [Point("per_person", WebSample(people, k)) for k in each],
        "subjects": [
            Point("subjects", full, None if n == min(n_training) else n)
            for n in log_steps(min(n_training), settings.smallest_subjects, settings.factor)
        ],
    }
    photographs = f"{people:,} people with {people * web.mean(most):,.0f} photographs, at most"
    there = f"the web set has {photographs} {most} of each"
    why = {
        "photographs": f"{there}, and smallest_photographs is {settings.smallest_photographs}",
        "people": there,
        "per_person": there,
        "subjects": f"{min(n_training)} coded subjects train, and smallest_subjects is "
        f"{settings.smallest_subjects}",
    }
    chosen = {axis: sizes[axis] for axis in settings.axes if len(sizes[axis]) > 1}
    left_out = tuple(
        f"The axis {axis} is left out: {why[axis]}, which gives one size at "
        f"factor={settings.factor:g}."
        for axis in settings.axes
        if axis not in chosen
    )
    if not chosen:
        raise ConfigurationError(f"study: no axis has two sizes. {' '.join(left_out)}")
    # The level without pre-training stands in all figures.
    chosen.setdefault("subjects", [Point("subjects", full)])
    points = [point for axis in sizes if axis in chosen for point in chosen[axis]]
    scratch = [Point("subjects", None, point.subjects) for point in chosen["subjects"]]
    return Plan((*points, *scratch), left_out)


@dataclass(frozen=True, eq=False)
class WebPeople:
    """The people of a web set who are not held out.

    Attributes:
        table: Of their photographs: ``image, subject, gender`` and ``row``, its place in the
            face store.
        per_person: The most photographs of a person that are used.
        people: How many people can be drawn.
        even_gender: Draw as many women as men.
    """

    table: pd.DataFrame
    per_person: int
    people: int
    even_gender: bool

    @classmethod
    def of(cls, table: pd.DataFrame, per_person: int | None, even_gender: bool) -> "WebPeople":
        """Those whom the study draws from.

        Args:
            table: A row a face: ``image``, ``subject``, ``split`` and ``gender``.
            per_person: The most photographs of a person; None takes as many as one person in
                ten has.
            even_gender: Draw as many women as men.

        Raises:
            ConfigurationError: There are fewer than two people, or nobody has so many.
        """
        table = table.assign(row=np.arange(len(table)))
        table = table[table["split"] == "train"]
        counts = table["subject"].value_counts()  # descending
        people = len(counts)
        if even_gender:
            of_each = table.groupby("gender")["subject"].nunique()
            people = 2 * int(min(of_each.get(gender, 0) for gender in GENDERS))
        if people < 2:
            raise ConfigurationError(
                f"study: people of the web set to draw from: {people}"
                f"{', half women and half men' * even_gender}; two are needed."
            )
        if per_person is not None and per_person > counts.iloc[0]:
            raise ConfigurationError(
                f"study.per_person is {per_person}, but nobody in the web set has more than "
                f"{counts.iloc[0]} photographs to train on; lower it, or set it to null."
            )
        most = int(counts.iloc[math.ceil(FEW * len(counts)) - 1])
        return cls(table, per_person or most, people, even_gender)

    def mean(self, per_person: int) -> float:
        """Photographs of a person on average, at most so many of each."""
        counts = self.table["subject"].value_counts()
        return float(counts.clip(upper=per_person).mean())

    def even(self, people: int) -> int:
        """A number of people that can be half women and half men where that is asked for."""
        return people + people % 2 if self.even_gender else people

    def draw(self, sample: WebSample, seed: int) -> Rows:
        """The places of a sample's photographs in the face store, ascending.

        Samples of one seed are nested along each axis, as ``sample_faces`` draws them.
        """
        drawn = sample_faces(
            self.table,
            seed=seed,
            per_identity=sample.per_person,
            identities=sample.people,
            even_gender=self.even_gender,
        )
        return drawn["row"].to_numpy(np.int64)


def draw_subjects(subjects: Sequence[str], n: int | None, seed: int) -> list[str]:
    """Draw those of a fold's training subjects who train, sorted; a larger `n` adds some."""
    if n is None:
        return sorted(subjects)
    names = sorted(subjects)
    table = pd.DataFrame({"image": names, "subject": names, "gender": 0})
    drawn = sample_faces(table, seed=seed, identities=n, even_gender=False)
    return sorted(drawn["subject"])
