"""The AU report of one network on one fold: every figure of every AU, and averages."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from action_units.evaluation import bootstrap
from action_units.evaluation.bootstrap import RESAMPLES, mean_defined
from action_units.evaluation.metrics import Bools, Floats
from action_units.evaluation.predictions import Predictions
from action_units.evaluation.subject_statistics import (
    MetricValues,
    SubjectStatistics,
    enough,
    subject_statistics,
)
from action_units.evaluation.tables import average_sets
from action_units.labels.action_units import AU_NAMES


def au_report(
    answers: Predictions,
    thresholds: ArrayLike,
    fallback: Sequence[bool] | None = None,
    seed: Sequence[int] = (0,),
    resamples: int = RESAMPLES,
) -> tuple[pd.DataFrame, pd.DataFrame, SubjectStatistics]:
    """Every figure of one network on one fold's test subjects.

    Args:
        answers: The network on these subjects.
        thresholds: That it was called present by, (A,).
        fallback: Which of them could not be fitted, (A,); none by default.
        seed: Numbers that name the bootstrap draw.
        resamples: Resamples of the subjects; with 0 there are no intervals.

    Returns:
        * One row per AU: ``au, name, n, support, n_subjects,
          n_subjects_with_positives, threshold, threshold_fallback``; each figure of
          `measures.MEASURES`, NaN where undefined; its 95 % interval as ``f1_low``,
          ``f1_high`` and the number of resamples it rests on as ``f1_kept``, and so
          on; and ``why``, which `tables.reasons` takes apart.
        * Plain means over AUs, one row per set of `tables.average_sets`: ``average,
          n_aus, n_defined`` (AUs whose F1 is defined), each figure, and as
          ``f1_low``, ``f1_high``, ``f1_kept``, ``f1_defined`` its interval, its
          resamples, and over how many AUs the mean runs.
        * What each subject contributes, for scores across folds.
    """
    statistics = subject_statistics(answers)
    values, drawn = statistics.values, statistics.resampled(seed, resamples)
    firm = {name: enough(statistics.people, name) for name in values}
    table = _au_table(answers.aus, statistics, values, np.asarray(thresholds), fallback)
    table = pd.concat([table, pd.DataFrame(_intervals(drawn, firm))], axis=1)
    reasons = statistics.why_undefined(values)
    table["why"] = ["; ".join(f"{name}: {why}" for name, why in au.items()) for au in reasons]
    return table, _averages(answers.aus, values, drawn, firm), statistics


def _au_table(
    aus: Sequence[int],
    statistics: SubjectStatistics,
    values: MetricValues,
    thresholds: Floats,
    fallback: Sequence[bool] | None,
) -> pd.DataFrame:
    counts = statistics.people.counts.sum()
    return pd.DataFrame(
        {
            "au": list(aus),
            "name": [AU_NAMES.get(au, f"AU {au}") for au in aus],
            "n": counts.n,
            "support": counts.support,
            "n_subjects": len(statistics.people.subjects),
            "n_subjects_with_positives": statistics.people.with_positives,
            "threshold": thresholds,
            "threshold_fallback": list(fallback or [False] * len(aus)),
            **values,
        }
    )


def _intervals(drawn: MetricValues, firm: Mapping[str, Bools]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name, figure in drawn.items():
        low, high = bootstrap.interval(figure)
        columns[f"{name}_low"] = np.where(firm[name], low, np.nan)
        columns[f"{name}_high"] = np.where(firm[name], high, np.nan)
        columns[f"{name}_kept"] = bootstrap.kept(figure)
    return columns


def _averages(
    aus: Sequence[int], values: MetricValues, drawn: MetricValues, firm: Mapping[str, Bools]
) -> pd.DataFrame:
    rows = []
    for average, members in average_sets(aus).items():
        index = [list(aus).index(au) for au in members]
        row: dict[str, Any] = {"average": average, "n_aus": len(members), "n_defined": 0}
        row |= {name: float(mean_defined(figure[index])) for name, figure in values.items()}
        for name, figure in drawn.items():
            means = mean_defined(figure[:, index])  # (R,)
            low = high = math.nan
            if firm[name][index].any():
                low, high = (float(end) for end in bootstrap.interval(means))
            row[f"{name}_low"], row[f"{name}_high"] = low, high
            row[f"{name}_kept"] = int(bootstrap.kept(means))
            row[f"{name}_defined"] = int(np.count_nonzero(~np.isnan(values[name][index])))
        row["n_defined"] = row["f1_defined"]
        rows.append(row)
    return pd.DataFrame(rows)
