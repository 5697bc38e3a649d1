"""The scores of a study: each point's F1 with its interval, and the gain of pre-training."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from action_units.config import Axis
from action_units.evaluation.metrics import Floats, average_sets, mean_defined
from action_units.evaluation.scores import BootstrapScores, Estimate, bootstrap_scores
from action_units.evaluation.subject_statistics import SubjectStatistics, pool_subjects
from action_units.study.cells import read_result
from action_units.study.plan import Point
from action_units.study.run import Cell


@dataclass(frozen=True)
class Score:
    """F1 of a point, averaged over AUs, folds and seeds.

    Attributes:
        f1: With its interval over test subjects.
        by_seed: Of each seed alone.
        gain: Over the networks from scratch with as many coded subjects, paired over test
            subjects; None for those themselves.
    """

    f1: Estimate
    by_seed: tuple[float, ...]
    gain: Estimate | None


@dataclass(frozen=True)
class StudyRow:
    """A point of the study with its scores.

    Attributes:
        point: The point.
        size: Its place on the axis.
        photographs: Web photographs learned from, on average over seeds.
        subjects: Coded subjects who train, on average over folds.
        scores: By average over AUs, ``8 AUs`` and ``12 AUs``.
    """

    point: Point
    size: float
    photographs: float
    subjects: float
    scores: Mapping[str, Score]


@dataclass(frozen=True)
class StudyResult:
    """All points with their scores.

    Attributes:
        rows: In the order of the plan.
        seeds: How many each point is averaged over.
        folds: The folds' numbers.
        steps: Of every pre-training, and of every training on coded subjects.
        left_out: A sentence for each axis that the data cannot give.
        rendered: Of the coded sets at least one is rendered.
    """

    rows: tuple[StudyRow, ...]
    seeds: int
    folds: tuple[int, ...]
    steps: tuple[int, int]
    left_out: tuple[str, ...]
    rendered: bool

    def of_axis(self, axis: Axis, pretrained: bool = True) -> list[StudyRow]:
        """The rows of an axis, ascending."""
        rows = [
            row
            for row in self.rows
            if row.point.axis == axis and (row.point.web is not None) == pretrained
        ]
        return sorted(rows, key=lambda row: row.size)

    @property
    def axes(self) -> list[Axis]:
        """Those with two points or more."""
        names = dict.fromkeys(row.point.axis for row in self.rows)
        return [axis for axis in names if len(self.of_axis(axis)) > 1]

    @property
    def full(self) -> StudyRow:
        """Pre-trained on all photographs, fine-tuned on all coded subjects."""
        return self.of_axis("subjects")[-1]

    @property
    def scratch(self) -> StudyRow:
        """From scratch with all coded subjects."""
        return self.of_axis("subjects", pretrained=False)[-1]

    def table(self) -> pd.DataFrame:
        """One row for each point and average over AUs."""
        return pd.DataFrame(
            [
                {
                    "axis": row.point.axis,
                    "pretrained": row.point.web is not None,
                    "size": row.size,
                    **_web_columns(row.point, row.photographs),
                    "coded_subjects": row.subjects,
                    "average": average,
                    "f1": score.f1.value,
                    "low": score.f1.low,
                    "high": score.f1.high,
                    "lowest_seed": min(score.by_seed),
                    "highest_seed": max(score.by_seed),
                    "gain": math.nan if score.gain is None else score.gain.value,
                    "gain_low": math.nan if score.gain is None else score.gain.low,
                    "gain_high": math.nan if score.gain is None else score.gain.high,
                }
                for row in self.rows
                for average, score in row.scores.items()
            ]
        )


def score_cells(
    folder: Path, cells: Sequence[Cell], aus: Sequence[int], seed: int
) -> tuple[tuple[StudyRow, ...], pd.DataFrame]:
    """Score finished trainings.

    Args:
        folder: Of the study's trainings.
        cells: The points with their trainings.
        aus: Of the coded sets.
        seed: Of the bootstrap, the same for all, so that differences are paired.

    Returns:
        The rows, and a table with a row for each training: its point, seed, fold and F1.
    """
    averages = {
        name: [list(aus).index(au) for au in members]
        for name, members in average_sets(aus).items()
    }
    scored = [_by_seed(folder, cell, aus, seed) for cell in cells]
    means = [mean_of_seeds(list(seeds.values())) for seeds in scored]
    scratch = {
        cell.point.subjects: mean
        for cell, mean in zip(cells, means, strict=True)
        if cell.point.web is None
    }
    rows, trainings = [], []
    for cell, seeds, mean in zip(cells, scored, means, strict=True):
        point = cell.point
        n_subjects = [len(one.split["train"]) for one in cell.trainings.values() if one.split]
        subjects = float(np.mean(n_subjects))
        gains = None if point.web is None else mean - scratch[point.subjects]
        scores = {
            name: Score(
                mean.mean_of_folds("f1", columns),
                tuple(one.mean_of_folds("f1", columns).value for one in seeds.values()),
                None if gains is None else gains.mean_of_folds("f1", columns),
            )
            for name, columns in averages.items()
        }
        size = size_of(point, cell.photographs, subjects)
        rows.append(StudyRow(point, size, cell.photographs, subjects, scores))
        for (training_seed, fold), training in cell.trainings.items():
            f1 = seeds[training_seed].by_fold["f1"][
                list(seeds[training_seed].folds).index(fold)
            ]
            trainings.append(
                {
                    "axis": point.axis,
                    "pretrained": point.web is not None,
                    **_web_columns(point, cell.photographs),
                    "coded_subjects": len(training.split["train"]) if training.split else 0,
                    "seed": training_seed,
                    "fold": fold,
                    **{
                        f"f1_{name.replace(' ', '_').lower()}": float(mean_defined(f1[columns]))
                        for name, columns in averages.items()
                    },
                    "training": training.key[:16],
                    "started_from": (training.initial or "")[:16],
                }
            )
    return tuple(rows), pd.DataFrame(trainings)


def size_of(point: Point, photographs: float, subjects: float) -> float:
    """A point's place on its axis."""
    if point.axis == "subjects" or point.web is None:
        return subjects
    people = point.web.people
    sizes = {"photographs": photographs, "people": people, "per_person": photographs / people}
    return sizes[point.axis]


def mean_of_seeds(seeds: Sequence[BootstrapScores]) -> BootstrapScores:
    """The mean of networks that were tested on the same subjects, resample by resample."""

    def mean(name: str) -> dict[str, Floats]:
        each = [getattr(one, name) for one in seeds]
        return {
            metric: mean_defined(np.stack([one[metric] for one in each]), axis=0)
            for metric in each[0]
        }

    return replace(
        seeds[0],
        by_fold=mean("by_fold"),
        by_fold_resampled=mean("by_fold_resampled"),
        pooled=mean("pooled"),
        pooled_resampled=mean("pooled_resampled"),
    )


def _by_seed(
    folder: Path, cell: Cell, aus: Sequence[int], seed: int
) -> dict[int, BootstrapScores]:
    scored = {}
    for training_seed in sorted({one for one, _ in cell.trainings}):
        folds = {
            fold: read_result(folder, training)
            for (one, fold), training in cell.trainings.items()
            if one == training_seed
        }
        statistics = {fold: SubjectStatistics(counts) for fold, counts in folds.items()}
        whole = SubjectStatistics(pool_subjects(list(folds.values())))
        scored[training_seed] = bootstrap_scores(statistics, whole, aus, seed)
    return scored


def _web_columns(point: Point, photographs: float) -> dict[str, float]:
    web = point.web
    return {
        "people": web.people if web else 0,
        "at_most_per_person": web.per_person if web else 0,
        "photographs": photographs,
    }
