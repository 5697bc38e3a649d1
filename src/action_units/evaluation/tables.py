"""The per-AU table of one fold, its averages, and how both are written down."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from action_units.evaluation import bootstrap, metrics
from action_units.evaluation.bootstrap import RESAMPLES, SubjectCounts, mean_defined
from action_units.evaluation.metrics import Confusion, Floats, PredictionError
from action_units.facs.action_units import (
    AU_NAMES,
    EIGHT_AUS,
    au_columns,
    aus_of_columns,
)

AVERAGED = (
    "f1",
    "f1_at_half",
    "f1_norm",
    "precision",
    "recall",
    "balanced_accuracy",
    "mcc",
    "auc",
    "average_precision",
    "brier",
    "floor_f1",
)
"""The columns of an AU table that an average over AUs makes sense of."""


def au_table(
    labels: ArrayLike,
    probabilities: ArrayLike,
    thresholds: ArrayLike,
    aus: Sequence[int],
    subjects: ArrayLike | None = None,
    fallback: Sequence[bool] | None = None,
    seed: Sequence[int] = (0,),
    resamples: int = RESAMPLES,
) -> pd.DataFrame:
    """One row per AU, undefined figures NaN.

    Args:
        labels: 1, 0 or −1 where missing, (N, A).
        probabilities: (N, A).
        thresholds: Present means probability ≥ threshold, (A,).
        aus: The AUs of the columns.
        subjects: Each frame's subject, (N,); without it the columns
            ``n_subjects_with_positives``, ``f1_low``, ``f1_high`` are undefined.
        fallback: Which thresholds could not be fitted, (A,); none by default.
        seed: Numbers that name the bootstrap draw.
        resamples: Resamples of the subjects.

    Raises:
        PredictionError: As `metrics.checked`, or lengths that do not fit.
    """
    y, p = metrics.checked(labels, probabilities)
    limits = np.asarray(thresholds, np.float64)  # (A,)
    if not len(aus) == limits.size == y.shape[1]:
        raise PredictionError(
            f"{len(aus)} AUs and {limits.size} thresholds for {y.shape[1]} columns of labels: "
            "expected one of each per column."
        )
    if subjects is None:
        people = None
        counts = metrics.confusion(y, p >= limits)
    else:
        people = bootstrap.subject_counts(y, p >= limits, subjects)
        counts = people.counts.sum()
    columns = {
        "au": list(aus),
        "name": [AU_NAMES.get(au, f"AU {au}") for au in aus],
        "n": counts.n,
        "support": counts.support,
        **_people_columns(people, len(aus)),
        "prevalence": metrics.prevalence(counts),
        "threshold": limits,
        "threshold_fallback": list(fallback or [False] * len(aus)),
        **_count_figures(counts),
        **_intervals(people, len(aus), seed, resamples),
        "f1_at_half": metrics.f1(metrics.confusion(y, p >= 0.5)),
        **_rank_figures(y, p),
        "brier": metrics.brier(y, p),
        "floor_f1": metrics.floor_f1(counts),
    }
    return pd.DataFrame(columns)


def prediction_arrays(
    predictions: pd.DataFrame, aus: Sequence[int] | None = None
) -> tuple[tuple[int, ...], metrics.Labels, Floats]:
    """The AUs, labels (N, A) and probabilities (N, A) of a predictions table.

    Args:
        predictions: Labels in ``AU01`` …, probabilities in ``AU01_p`` ….
        aus: Which AUs; all that have a label column by default.

    Raises:
        PredictionError: A column is missing, or as `metrics.checked`.
    """
    chosen = tuple(aus) if aus is not None else aus_of_columns(predictions.columns)
    names = au_columns(chosen)
    scores = [f"{name}_p" for name in names]
    if missing := [c for c in (*names, *scores) if c not in predictions.columns]:
        raise PredictionError(
            f"the predictions have no column {missing[0]!r}: expected labels in "
            f"{names[0] if names else 'AU01'!s} … and probabilities in "
            f"{scores[0] if scores else 'AU01_p'} … for the same AUs."
        )
    y, p = metrics.checked(predictions[names].to_numpy(), predictions[scores].to_numpy())
    return chosen, y, p


def average_sets(aus: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """The sets that averages run over: the literature's eight AUs, and all."""
    sets = {f"{len(aus)} AUs": tuple(aus)}
    if set(EIGHT_AUS) < set(aus):
        sets = {"8 AUs": EIGHT_AUS, **sets}
    return sets


def averages_table(
    table: pd.DataFrame,
    people: SubjectCounts | None = None,
    seed: Sequence[int] = (0,),
    resamples: int = RESAMPLES,
) -> pd.DataFrame:
    """Plain means over AUs, one row per set of `average_sets`.

    Args:
        table: From `au_table`.
        people: The fold's counts per subject, for the interval of the F1 mean, which
            is undefined where fewer than two subjects show any of the AUs.
        seed: Numbers that name the bootstrap draw.
        resamples: Resamples of the subjects.

    Returns:
        Columns average, n_aus, n_defined (AUs whose F1 is defined: the mean runs
        over these), f1_low, f1_high, and the columns of `AVERAGED`, each a mean
        over the AUs where it is defined.
    """
    aus = table["au"].tolist()
    drawn = bootstrap.resampled_f1(people, seed, resamples) if people else None
    enough = people.with_positives >= 2 if people else np.zeros(len(aus), np.bool_)  # (A,)
    rows = []
    for name, members in average_sets(aus).items():
        index = [aus.index(au) for au in members]
        part = table.iloc[index]
        low = high = math.nan
        if drawn is not None and enough[index].any():
            ends = bootstrap.interval(mean_defined(drawn[:, index]))
            low, high = float(ends[0]), float(ends[1])
        rows.append(
            {
                "average": name,
                "n_aus": len(members),
                "n_defined": int(part["f1"].notna().sum()),
                "f1_low": low,
                "f1_high": high,
                **{c: float(mean_defined(part[c].to_numpy(np.float64))) for c in AVERAGED},
            }
        )
    return pd.DataFrame(rows)


def to_csv(table: pd.DataFrame) -> str:
    """CSV with ``n/a`` for what is undefined."""
    return table.to_csv(index=False, na_rep="n/a", lineterminator="\n")


def to_records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of plain Python values, None for what is undefined."""
    rows = table.to_dict(orient="records")
    return [{str(name): plain(value) for name, value in row.items()} for row in rows]


def from_records(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """The table of `to_records`; None becomes NaN in columns of numbers."""
    table = pd.DataFrame(list(rows))
    for column in table.columns:
        if table[column].map(lambda v: v is None or isinstance(v, (int, float))).all():
            kept = table[column].map(lambda v: isinstance(v, (bool, int))).all()
            table[column] = table[column] if kept else table[column].astype(np.float64)
    return table


def plain(value: Any) -> Any:
    """A NumPy scalar as Python's, an undefined number as None."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _people_columns(people: SubjectCounts | None, n_aus: int) -> dict[str, Any]:
    if people is None:
        return {"n_subjects": np.full(n_aus, np.nan), "n_subjects_with_positives": np.nan}
    return {
        "n_subjects": len(people.subjects),
        "n_subjects_with_positives": people.with_positives,
    }


def _count_figures(counts: Confusion) -> dict[str, Floats]:
    return {
        "precision": metrics.precision(counts),
        "recall": metrics.recall(counts),
        "f1": metrics.f1(counts),
        "f1_norm": metrics.f1_norm(counts),
        "balanced_accuracy": metrics.balanced_accuracy(counts),
        "mcc": metrics.mcc(counts),
    }


def _intervals(
    people: SubjectCounts | None, n_aus: int, seed: Sequence[int], resamples: int
) -> dict[str, Floats]:
    if people is None:
        return {"f1_low": np.full(n_aus, np.nan), "f1_high": np.full(n_aus, np.nan)}
    low, high = bootstrap.f1_interval(people, seed, resamples)
    return {"f1_low": low, "f1_high": high}


def _rank_figures(labels: metrics.Labels, probabilities: Floats) -> dict[str, list[float]]:
    rankings = [
        metrics.rank(labels[:, column], probabilities[:, column])
        for column in range(labels.shape[1])
    ]
    return {
        "auc": [ranking.auc() for ranking in rankings],
        "average_precision": [ranking.average_precision() for ranking in rankings],
    }
