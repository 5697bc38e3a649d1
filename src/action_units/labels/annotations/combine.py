"""The labels of two annotators as one: their mean as a soft target, or what they agree on.

An annotator's vote on an AU is the probability that it gives, or else its presence. An AU that
one of the two does not give, or whose label it lacks in a face, has the other's vote alone.
"""

import logging
from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd

from action_units.labels.action_units import au_column, aus_of_columns
from action_units.labels.annotations.read import PRESENT_FROM
from action_units.labels.coded_frames import MISSING

Combination: TypeAlias = Literal["mean", "agreement"]

logger = logging.getLogger(__name__)


def combine(
    first: pd.DataFrame, second: pd.DataFrame, how: Combination, names: Sequence[str]
) -> pd.DataFrame:
    """Labels of the faces that both have annotated, and log how often they differ.

    Args:
        first: A row a face, with ``image`` and the columns of ``Annotations.table``.
        second: The same, in any order.
        how: ``mean``: ``AU01_p`` is the mean of the two votes, and ``AU01`` is present from
            one half on. ``agreement``: ``AU01`` is the presence of both, and missing where
            they differ; of the other values those of `first` stay.
        names: Of the two annotators, for the log.

    Returns:
        The faces of both, in the order of `first`, with its other columns.
    """
    both = first[first["image"].isin(second["image"])].reset_index(drop=True)
    other = second.set_index("image").loc[both["image"]].reset_index()
    numbers = {*aus_of_columns(both.columns), *aus_of_columns(other.columns)}
    aus = [au_column(au) for au in sorted(numbers)]
    keeps = "pr" if how == "agreement" else ""
    drop = [f"{au}_{kind}" for au in aus for kind in "pr" if kind not in keeps]
    labels, values = dict[str, np.ndarray](), dict[str, np.ndarray]()
    counts = []
    for au in aus:
        present = np.stack([_presence(table, au) for table in (both, other)])  # (2, N)
        known = present != MISSING
        differ = known.all(axis=0) & (present[0] != present[1])
        if how == "agreement":
            labels[au] = np.where(differ, MISSING, present.max(axis=0))
        else:
            votes = np.stack([_vote(table, au) for table in (both, other)])
            given = known.sum(axis=0)
            total = np.where(known, votes, 0.0).sum(axis=0)
            mean = np.divide(total, given, out=np.full(len(both), np.nan), where=given > 0)
            is_present = mean >= PRESENT_FROM["p"]
            labels[au] = np.where(given > 0, is_present, MISSING)
            values[f"{au}_p"] = mean.astype(np.float32)
        counts.append(f"{au} {int(differ.sum()):,} of {int(known.all(axis=0).sum()):,}")
    logger.info("%s and %s differ in %s", *names, ", ".join(counts))
    kept = both.drop(columns=[name for name in (*aus, *drop) if name in both])
    new = {au: label.astype(np.int8) for au, label in labels.items()} | values
    return pd.concat([kept, pd.DataFrame(new, index=kept.index)], axis=1)


def _presence(table: pd.DataFrame, au: str) -> np.ndarray:
    """0, 1 or ``MISSING``, (N,)."""
    if au not in table:
        return np.full(len(table), MISSING)
    return table[au].to_numpy(np.int8)


def _vote(table: pd.DataFrame, au: str) -> np.ndarray:
    """A probability, or else the presence, (N,)."""
    name = f"{au}_p"
    if name not in table:
        return _presence(table, au).astype(np.float64)
    votes = table[name].to_numpy(np.float64)
    return np.where(np.isnan(votes), _presence(table, au), votes)
