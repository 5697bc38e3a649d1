"""A run over its folds: what was scored, how pre-training compares, what to beware of."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pandas as pd

from action_units.errors import ConfigurationError
from action_units.evaluation.results import FoldEvaluation
from action_units.evaluation.scores import (
    Estimate,
    ModelScores,
    ScoreLine,
    floor,
    paired_differences,
    score,
)

_SHARED = {
    "config_hash": "configurations",
    "recipe": "recipes",
    "data_sha256": "data",
    "packages": "package versions",
}
"""The entries of a fold's provenance that all folds of a run should share."""


@dataclass(frozen=True, eq=False)
class RunSummary:
    """A run of one to all folds.

    Attributes:
        folds: The folds that are there, by number.
        n_folds: How many the protocol has.
        scores: F1 of each network; ``finetuned``, and ``scratch`` if every fold has it.
        floor: F1 of calling everything positive, as score lines.
        difference: Pre-trained minus from scratch, mean of folds, paired over
            subjects, by average; empty without scratch.
        au_difference: The same by AU.
        warnings: Sentences on what a reader must know.
    """

    folds: tuple[FoldEvaluation, ...]
    n_folds: int
    scores: dict[str, ModelScores]
    floor: ModelScores
    difference: dict[str, Estimate]
    au_difference: dict[int, Estimate]
    warnings: tuple[str, ...]

    @property
    def aus(self) -> tuple[int, ...]:
        """The AUs."""
        return self.folds[0].aus

    @property
    def protocol(self) -> str:
        """The fold protocol's name."""
        return self.folds[0].protocol

    @property
    def rendered(self) -> bool:
        """The faces are rendered, not people's."""
        return self.folds[0].rendered

    def table(self) -> pd.DataFrame:
        """One row per AU and average: floor, folds, mean of folds, pooled, scratch."""
        scratch = self.scores.get("scratch")
        rows = [
            self._row(
                line,
                self.floor.aus[au],
                scratch.aus[au] if scratch else None,
                self.au_difference.get(au),
            )
            for au, line in self.scores["finetuned"].aus.items()
        ]
        rows += [
            self._row(
                line,
                self.floor.averages[name],
                scratch.averages[name] if scratch else None,
                self.difference.get(name),
            )
            for name, line in self.scores["finetuned"].averages.items()
        ]
        return pd.DataFrame(rows)

    @staticmethod
    def _row(
        line: ScoreLine, floor: ScoreLine, scratch: ScoreLine | None, apart: Estimate | None
    ) -> dict[str, Any]:
        apart = apart or Estimate(math.nan)
        return {
            "name": line.name,
            "floor": floor.mean_of_folds.value,
            **{f"fold{fold}": value for fold, value in line.by_fold.items()},
            "mean_of_folds": line.mean_of_folds.value,
            "mean_low": line.mean_of_folds.low,
            "mean_high": line.mean_of_folds.high,
            "pooled": line.pooled.value,
            "scratch_mean_of_folds": scratch.mean_of_folds.value if scratch else math.nan,
            "difference": apart.value,
            "difference_low": apart.low,
            "difference_high": apart.high,
            "defined": line.defined,
            "possible": line.possible,
        }

    def to_json(self) -> dict[str, Any]:
        """The summary without the folds, JSON values, null for what is undefined."""
        return {
            "protocol": self.protocol,
            "rendered": self.rendered,
            "folds": [fold.fold for fold in self.folds],
            "n_folds": self.n_folds,
            "models": {name: scores.to_json() for name, scores in self.scores.items()},
            "floor": self.floor.to_json(),
            "difference": {name: e.to_json() for name, e in self.difference.items()},
            "au_difference": {str(au): e.to_json() for au, e in self.au_difference.items()},
            "warnings": list(self.warnings),
        }


def summarise(folds: Iterable[FoldEvaluation], n_folds: int = 3, seed: int = 0) -> RunSummary:
    """Put the folds of one run together.

    Args:
        folds: One to all of a protocol's folds.
        n_folds: How many the protocol has.
        seed: Of the bootstrap.

    Raises:
        ConfigurationError: No fold, a fold twice, or folds that must not be
            averaged: another protocol, other AUs, rendered faces beside people's,
            or a subject tested in two folds.
    """
    ordered = tuple(sorted(folds, key=lambda fold: fold.fold))
    _check(ordered)
    ours = {fold.fold: fold.finetuned.people for fold in ordered}
    other = {fold.fold: fold.scratch.people for fold in ordered if fold.scratch is not None}
    aus = ordered[0].aus
    by_model = {"finetuned": score(ours, aus, seed)}
    au_difference: dict[int, Estimate] = {}
    difference: dict[str, Estimate] = {}
    if other.keys() == ours.keys():
        by_model["scratch"] = score(other, aus, seed)
        au_difference, difference = paired_differences(ours, other, aus, seed)
    return RunSummary(
        folds=ordered,
        n_folds=n_folds,
        scores=by_model,
        floor=floor(ours, aus),
        difference=difference,
        au_difference=au_difference,
        warnings=tuple(_warnings(ordered, n_folds)),
    )


def _check(folds: Sequence[FoldEvaluation]) -> None:
    if not folds:
        raise ConfigurationError(
            "no fold has been evaluated yet: run `kedro run --pipeline evaluate`."
        )
    for fold, following in pairwise(folds):
        if fold.fold == following.fold:
            raise ConfigurationError(
                f"fold {fold.fold} is given twice: each fold is averaged once."
            )
    first = folds[0]
    tested: dict[str, int] = {}
    for fold in folds:
        for what in ("protocol", "rendered", "aus"):
            if getattr(fold, what) != getattr(first, what):
                raise ConfigurationError(
                    f"folds {first.fold} and {fold.fold} cannot be averaged: their {what} "
                    f"differs, {getattr(first, what)} and {getattr(fold, what)}."
                )
        for subject in fold.test:
            if subject in tested:
                raise ConfigurationError(
                    f"{subject} is tested in fold {tested[subject]} and in fold {fold.fold}: "
                    "each subject is tested once."
                )
            tested[subject] = fold.fold


def _warnings(folds: Sequence[FoldEvaluation], n_folds: int) -> Iterable[str]:
    if len(folds) < n_folds:
        there = ", ".join(str(fold.fold) for fold in folds)
        yield (
            f"{len(folds)} of {n_folds} folds are evaluated (fold {there}): "
            "the averages run over these alone."
        )
    for key, what in _SHARED.items():
        if any(fold.provenance.get(key) != folds[0].provenance.get(key) for fold in folds):
            yield f"The folds were run with different {what}, so their average mixes them."
    if 0 < sum(fold.scratch is not None for fold in folds) < len(folds):
        yield "Not every fold has a network trained from scratch, so none is compared."
