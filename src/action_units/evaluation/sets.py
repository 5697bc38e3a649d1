"""A run on several coded sets together: the scores of each set by itself."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from action_units.evaluation.fold import FoldEvaluation, ModelEvaluation, evaluate_predictions
from action_units.evaluation.metrics import MISSING
from action_units.evaluation.postprocessing.thresholds import FittedThresholds
from action_units.evaluation.summary import RunSummary, summarise
from action_units.labels.action_units import au_column

Tables = Mapping[str, Mapping[int, pd.DataFrame]]
"""Predictions by network and fold."""


def with_sets(summary: RunSummary, predictions: Tables, seed: int = 0) -> RunSummary:
    """A summary with one of each of its sets; unchanged where there is one set only.

    Networks and thresholds are those of the joint run. A set's AUs are those that it is scored
    for in any fold, its folds those in which it has test subjects.

    Args:
        summary: Of all sets together.
        predictions: What `summarise` computed it from; with a column ``set``.
        seed: Of the bootstrap.
    """
    tables = predictions["finetuned"].values()
    if not all("set" in table for table in tables):
        return summary
    names = sorted({str(name) for table in tables for name in table["set"].unique()})
    if len(names) < 2:
        return summary
    found = {name: _summary_of(name, summary, predictions, seed) for name in names}
    return replace(summary, sets={name: one for name, one in found.items() if one is not None})


def _summary_of(
    name: str, summary: RunSummary, predictions: Tables, seed: int
) -> RunSummary | None:
    """Of one set; None where none of its test frames is scored for any AU."""
    own: dict[str, dict[int, pd.DataFrame]] = {
        network: {
            fold: rows
            for fold, table in tables.items()
            if len(rows := table[table["set"] == name])
        }
        for network, tables in predictions.items()
    }
    tested = own["finetuned"]
    aus = [
        au
        for au in summary.aus
        if any((table[au_column(au)] != MISSING).any() for table in tested.values())
    ]
    if not aus:
        return None
    folds = [
        _fold_of(name, {network: own[network][fold.fold] for network in own}, fold, aus)
        for fold in summary.folds
        if fold.fold in tested
    ]
    if len(summary.folds) == summary.n_folds:  # else it is not known in how many it is tested
        folds = [replace(fold, n_folds=len(folds)) for fold in folds]
    # What is said of the folds is said once, of all sets together.
    return replace(summarise(folds, seed, own), warnings=())


def _fold_of(
    name: str, tables: Mapping[str, pd.DataFrame], fold: FoldEvaluation, aus: Sequence[int]
) -> FoldEvaluation:
    """A fold's evaluation on some of its test subjects' frames and some of its AUs."""
    models = {
        network: _evaluate(table, fold.models[network], aus, fold.fold)
        for network, table in tables.items()
    }
    table = tables["finetuned"]
    return replace(
        fold,
        rendered=bool((table["origin"] == "rendered").all())
        if "origin" in table
        else fold.rendered,
        sets=(name,),
        test=tuple(sorted(table["subject"].astype(str).unique())),
        finetuned=models["finetuned"],
        scratch=models.get("scratch"),
    )


def _evaluate(
    table: pd.DataFrame, model: ModelEvaluation, aus: Sequence[int], fold: int
) -> ModelEvaluation:
    fitted = model.au_table.set_index("au").loc[list(aus)]
    thresholds = FittedThresholds(
        tuple(fitted["threshold"].tolist()),
        tuple(fitted["threshold_fallback"].tolist()),
        (float("nan"),) * len(aus),
    )
    return evaluate_predictions(
        table, thresholds, seed=(fold,), provenance=model.provenance, aus=aus
    )
