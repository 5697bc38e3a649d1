"""Predictions taken apart by column name, and tables as CSV and JSON."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from action_units.evaluation import metrics
from action_units.evaluation.metrics import Floats, PredictionError
from action_units.labels.action_units import EIGHT_AUS, au_columns, aus_of_columns


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


def reasons(row: Mapping[str, Any]) -> dict[str, str]:
    """Why figures of an AU's row are undefined, by figure.

    Args:
        row: Of the table of `au_report.au_report`.
    """
    parts = (part.partition(": ") for part in str(row["why"]).split("; ") if part)
    return {name: why for name, _, why in parts}
