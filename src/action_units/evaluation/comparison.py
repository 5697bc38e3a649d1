"""Two networks, or two runs, side by side on the same subjects."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
import pandas as pd

from action_units.errors import ConfigurationError
from action_units.evaluation.judging import BootstrapScores, differences, judge, score
from action_units.evaluation.predictions import Predictions, pool
from action_units.evaluation.scores import Differences, ModelScores
from action_units.evaluation.subject_statistics import subject_statistics


@dataclass(frozen=True, eq=False)
class Comparison:
    """How two networks compare in every figure.

    Attributes:
        names: The first's and the second's.
        aus: The AUs.
        folds: The folds' numbers.
        first: Every figure of the first, by name of `measures.MEASURES`.
        second: Every figure of the second.
        differences: First minus second, paired over subjects.
    """

    names: tuple[str, str]
    aus: tuple[int, ...]
    folds: tuple[int, ...]
    first: dict[str, ModelScores]
    second: dict[str, ModelScores]
    differences: dict[str, Differences]

    def table(self) -> pd.DataFrame:
        """One row per figure and AU or average, undefined figures NaN."""
        return pd.DataFrame(
            [
                self._row(measure, index)
                for measure, found in self.differences.items()
                for index in range(len(found.lines))
            ]
        )

    def _row(self, measure: str, index: int) -> dict[str, Any]:
        apart = self.differences[measure].lines[index]
        one, two = self.first[measure].lines[index], self.second[measure].lines[index]
        return {
            "measure": measure,
            "name": apart.name,
            self.names[0]: one.mean_of_folds.value,
            self.names[1]: two.mean_of_folds.value,
            "difference": apart.mean_of_folds.value,
            "low": apart.mean_of_folds.low,
            "high": apart.mean_of_folds.high,
            "kept": apart.mean_of_folds.kept,
            "pooled_difference": apart.pooled.value,
            "pooled_low": apart.pooled.low,
            "pooled_high": apart.pooled.high,
            "why": apart.mean_of_folds.why,
        }

    def to_json(self) -> dict[str, Any]:
        """JSON values, null for what is undefined."""
        return {
            "names": list(self.names),
            "aus": list(self.aus),
            "folds": list(self.folds),
            "first": {name: scores.to_json() for name, scores in self.first.items()},
            "second": {name: scores.to_json() for name, scores in self.second.items()},
            "differences": {n: apart.to_json() for n, apart in self.differences.items()},
        }


def compare(
    first: Mapping[int, Predictions],
    second: Mapping[int, Predictions],
    seed: int = 0,
    names: tuple[str, str] = ("a", "b"),
) -> Comparison:
    """Judge two networks on the same resamples of the same subjects.

    Args:
        first: One network's test subjects, by fold.
        second: The other's.
        seed: Of the bootstrap.
        names: What to call them.

    Raises:
        ConfigurationError: They were not tested on the same folds, AUs, subjects,
            frames and labels; the sentence names the first difference.
    """
    one, two = names
    if set(first) != set(second):
        raise ConfigurationError(
            f"{one} and {two} cannot be compared: {one} has folds {sorted(first)}, {two} has "
            f"folds {sorted(second)}; evaluate the same folds of both."
        )
    folds = sorted(first)
    for fold in folds:
        check_same_test(first[fold], second[fold], names, f"fold {fold}")
    judged = [score_folds({n: run[n] for n in folds}, seed) for run in (first, second)]
    return Comparison(
        names=names,
        aus=judged[0].aus,
        folds=tuple(folds),
        first=score(judged[0]),
        second=score(judged[1]),
        differences=differences(judged[0], judged[1]),
    )


def score_folds(folds: Mapping[int, Predictions], seed: int = 0) -> BootstrapScores:
    """All figures of one network over its folds, from what it said of each frame."""
    statistics = {number: subject_statistics(part) for number, part in folds.items()}
    parts = list(folds.values())
    return judge(statistics, subject_statistics(pool(parts)), parts[0].aus, seed)


def check_same_test(
    first: Predictions, second: Predictions, names: tuple[str, str], where: str
) -> None:
    """Refuse two networks that were not asked about the same frames.

    Raises:
        ConfigurationError: Other AUs, subjects, frames or labels.
    """
    one, two = names
    cannot = f"{one} and {two} cannot be compared in {where}"
    if first.aus != second.aus:
        raise ConfigurationError(f"{cannot}: AUs {first.aus} and {second.aus}.")
    keys = [_rows(part) for part in (first, second)]
    if keys[0] != keys[1]:
        pairs = zip_longest(*keys, fillvalue=("nobody", 0, "nothing"))
        (who, frame, labels), (other, at, others) = next((a, b) for a, b in pairs if a != b)
        raise ConfigurationError(
            f"{cannot}: {one} was tested on {who}, frame {frame}, labels {labels}, where {two} "
            f"has {other}, frame {at}, labels {others}; predict with both on the same faces."
        )


def _rows(answers: Predictions) -> list[tuple[str, int, str]]:
    """Subject, frame and labels of every row, sorted: runs may differ in the order."""
    numbers = np.zeros(len(answers.subjects)) if answers.frames is None else answers.frames
    labels = ("".join("?01"[label + 1] for label in row) for row in answers.labels.tolist())
    rows = zip(answers.subjects.tolist(), numbers.astype(int).tolist(), labels, strict=True)
    return sorted(rows)
