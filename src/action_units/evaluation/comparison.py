"""Two networks, two runs, or ways of postprocessing, compared on the same subjects."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
import pandas as pd

from action_units.errors import ConfigurationError
from action_units.evaluation.metrics import average_sets
from action_units.evaluation.postprocessing.postprocessing import OPTIONS, fit_postprocessing
from action_units.evaluation.postprocessing.smoothing import Smoothing, choose_smoothing
from action_units.evaluation.predictions import Predictions
from action_units.evaluation.scores import MetricScores, score_folds


@dataclass(frozen=True, eq=False)
class Comparison:
    """Every metric of two networks, and their difference.

    Attributes:
        names: The first's and the second's.
        aus: The AUs.
        folds: The folds' numbers.
        first: Of the first, by name of `METRICS`.
        second: Of the second.
        differences: First minus second, paired over subjects.
    """

    names: tuple[str, str]
    aus: tuple[int, ...]
    folds: tuple[int, ...]
    first: dict[str, MetricScores]
    second: dict[str, MetricScores]
    differences: dict[str, MetricScores]

    def table(self) -> pd.DataFrame:
        """One row per metric and AU or average, NaN where undefined."""
        rows = []
        for metric, difference in self.differences.items():
            parts = difference, self.first[metric], self.second[metric]
            for line, one, two in zip(*(part.lines for part in parts), strict=True):
                mean, pooled = line.mean_of_folds, line.pooled
                rows.append(
                    {
                        "measure": metric,
                        "name": line.name,
                        self.names[0]: one.mean_of_folds.value,
                        self.names[1]: two.mean_of_folds.value,
                        "difference": mean.value,
                        "low": mean.low,
                        "high": mean.high,
                        "kept": mean.n_resamples,
                        "pooled_difference": pooled.value,
                        "pooled_low": pooled.low,
                        "pooled_high": pooled.high,
                        "why": mean.why,
                    }
                )
        return pd.DataFrame(rows)


def compare(
    first: Mapping[int, Predictions],
    second: Mapping[int, Predictions],
    seed: int = 0,
    names: tuple[str, str] = ("a", "b"),
) -> Comparison:
    """Score two networks on the same resamples of the same subjects.

    Args:
        first: One network's test subjects, by fold.
        second: The other's.
        seed: Of the bootstrap.
        names: What to call them.

    Raises:
        ConfigurationError: They were not tested on the same folds, AUs, subjects, frames and
            labels; the message names the first difference.
    """
    one, two = names
    if set(first) != set(second):
        raise ConfigurationError(
            f"{one} and {two} cannot be compared: {one} has folds {sorted(first)}, {two} has "
            f"folds {sorted(second)}; evaluate the same folds of both."
        )
    folds = sorted(first)
    for fold in folds:
        _check_same_test(first[fold], second[fold], names, f"fold {fold}")
    ours, theirs = (score_folds({n: run[n] for n in folds}, seed) for run in (first, second))
    return Comparison(
        names=names,
        aus=ours.aus,
        folds=tuple(folds),
        first=ours.scores(),
        second=theirs.scores(),
        differences=(ours - theirs).scores(),
    )


def gain_table(
    folds: Mapping[int, tuple[Predictions, Predictions]], seed: int = 0
) -> pd.DataFrame:
    """Every postprocessing option's metrics on the test subjects, and its gain over raw.

    Args:
        folds: By fold, one network on its validation and on its test subjects.
        seed: Of the bootstrap and of the thresholds.

    Returns:
        One row per option, metric and average: ``option, measure, average``; the mean of
        folds ``value, low, high``; and ``gain, gain_low, gain_high``, option minus raw,
        paired over subjects. Options that need frame numbers are left out without
        them.

    Raises:
        ConfigurationError: A subject is both validated and tested on.
    """
    numbered = all(part.frames is not None for pair in folds.values() for part in pair)
    windows = {
        fold: choose_smoothing(validation) if numbered else Smoothing()
        for fold, (validation, _) in folds.items()
    }
    scored = {
        option: score_folds(
            {
                fold: fit_postprocessing(validation, option, seed, windows[fold]).apply(test)
                for fold, (validation, test) in folds.items()
            },
            seed,
        )
        for option in OPTIONS
        if numbered or "smoothing" not in option
    }
    rows = []
    for option, scores in scored.items():
        gains = scores - scored["raw"]
        for metric in scores.by_fold:
            for average, members in average_sets(scores.aus).items():
                columns = [scores.aus.index(au) for au in members]
                value = scores.mean_of_folds(metric, columns)
                gain = gains.mean_of_folds(metric, columns)
                rows.append(
                    {
                        "option": option,
                        "measure": metric,
                        "average": average,
                        "value": value.value,
                        "low": value.low,
                        "high": value.high,
                        "gain": gain.value,
                        "gain_low": gain.low,
                        "gain_high": gain.high,
                    }
                )
    return pd.DataFrame(rows)


def _check_same_test(
    first: Predictions, second: Predictions, names: tuple[str, str], where: str
) -> None:
    """Check that AUs, subjects, frames and labels are the same."""
    one, two = names
    cannot = f"{one} and {two} cannot be compared in {where}"
    if first.aus != second.aus:
        raise ConfigurationError(f"{cannot}: AUs {first.aus} and {second.aus}.")
    keys = [_rows(part) for part in (first, second)]
    if keys[0] != keys[1]:
        pairs = zip_longest(*keys, fillvalue=("no subject", 0, "none"))
        (subject, frame, labels), (other, at, others) = next((a, b) for a, b in pairs if a != b)
        raise ConfigurationError(
            f"{cannot}: {one} was tested on {subject}, frame {frame}, labels {labels}, where "
            f"{two} has {other}, frame {at}, labels {others}; predict with both on the same "
            "faces."
        )


def _rows(predictions: Predictions) -> list[tuple[str, int, str]]:
    """Subject, frame and labels of every row, sorted: runs may differ in the order."""
    subjects, frames = predictions.subjects, predictions.frames
    numbers = np.zeros(len(subjects), int) if frames is None else frames
    labels = ("".join("?01"[label + 1] for label in row) for row in predictions.labels.tolist())
    return sorted(zip(subjects.tolist(), numbers.tolist(), labels, strict=True))
