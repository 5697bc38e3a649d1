"""A run over its folds: what was scored, how pre-training compares, what to beware of."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from action_units.errors import ArtifactError, ConfigurationError
from action_units.evaluation.bootstrap import subject_counts, together
from action_units.evaluation.comparison import score_folds
from action_units.evaluation.fold import FoldEvaluation
from action_units.evaluation.fold_checks import check_folds_agree, warnings_of
from action_units.evaluation.judging import BootstrapScores, differences, judge, score
from action_units.evaluation.predictions import Predictions
from action_units.evaluation.scores import Differences, Estimate, ModelScores, ScoreLine
from action_units.evaluation.subject_statistics import SubjectStatistics
from action_units.hints import command

Tables = Mapping[str, Mapping[int, pd.DataFrame]]
"""By network, by fold, as `Predictions.read` takes them."""


@dataclass(frozen=True, eq=False)
class RunSummary:
    """A run of one to all folds.

    Attributes:
        folds: The folds that are there, by number.
        n_folds: How many the protocol has.
        measures: Every figure of each network; ``finetuned``, and ``scratch`` if every
            fold has it.
        gains: Pre-trained minus from scratch, by figure, paired over subjects; empty
            without scratch.
        warnings: Sentences on what a reader must know.
    """

    folds: tuple[FoldEvaluation, ...]
    n_folds: int
    measures: dict[str, dict[str, ModelScores]]
    gains: dict[str, Differences]
    warnings: tuple[str, ...]

    @property
    def scores(self) -> dict[str, ModelScores]:
        """F1 of each network."""
        return {name: figures["f1"] for name, figures in self.measures.items()}

    @property
    def floor(self) -> ModelScores:
        """F1 of calling everything positive."""
        return self.measures["finetuned"]["floor_f1"]

    @property
    def difference(self) -> dict[str, Estimate]:
        """What pre-training gains in F1, mean of folds, by average."""
        found = self.gains["f1"].averages if self.gains else {}
        return {name: line.mean_of_folds for name, line in found.items()}

    @property
    def au_difference(self) -> dict[int, Estimate]:
        """What pre-training gains in F1, mean of folds, by AU."""
        found = self.gains["f1"].aus if self.gains else {}
        return {au: line.mean_of_folds for au, line in found.items()}

    @property
    def aus(self) -> tuple[int, ...]:
        """The AUs."""
        return self.folds[0].aus

    @property
    def protocol(self) -> str:
        """The fold protocol's name."""
        return self.folds[0].protocol

    @property
    def pretrained(self) -> bool:
        """Whether the networks were pre-trained."""
        return self.folds[0].pretrained

    @property
    def rendered(self) -> bool:
        """The faces are rendered, not people's."""
        return self.folds[0].rendered

    def table(self) -> pd.DataFrame:
        """F1, one row per AU and average: floor, folds, mean of folds, pooled, scratch."""
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

    def metrics_table(self) -> pd.DataFrame:
        """Every figure, one row per network, figure, and AU or average."""
        return pd.DataFrame(
            [
                {"model": model, "measure": measure, **_measure_row(line)}
                for model, figures in self.measures.items()
                for measure, scores in figures.items()
                for line in scores.lines
            ]
        )

    def to_json(self) -> dict[str, Any]:
        """The summary without the folds, JSON values, null for what is undefined."""
        return {
            "protocol": self.protocol,
            "rendered": self.rendered,
            "folds": [fold.fold for fold in self.folds],
            "n_folds": self.n_folds,
            "measures": {
                model: {name: scores.to_json() for name, scores in figures.items()}
                for model, figures in self.measures.items()
            },
            "gains": {name: gain.to_json() for name, gain in self.gains.items()},
            "warnings": list(self.warnings),
        }

    @classmethod
    def from_json(
        cls, content: Mapping[str, Any], folds: Iterable[FoldEvaluation]
    ) -> "RunSummary":
        """The summary that `to_json` wrote, without computing it again.

        Args:
            content: What it wrote.
            folds: The folds that it is of.

        Raises:
            ArtifactError: It is of other folds, or something is missing in it.
        """
        ordered = tuple(sorted(folds, key=lambda fold: fold.fold))
        try:
            if content["folds"] != [fold.fold for fold in ordered]:
                raise ArtifactError(
                    f"the summary is of folds {content['folds']}, but folds "
                    f"{[fold.fold for fold in ordered]} are evaluated: run "
                    f"{command('evaluate')} again."
                )
            return cls(
                folds=ordered,
                n_folds=int(content["n_folds"]),
                measures={
                    model: {n: ModelScores.from_json(scores) for n, scores in figures.items()}
                    for model, figures in content["measures"].items()
                },
                gains={n: Differences.from_json(g) for n, g in content["gains"].items()},
                warnings=tuple(content["warnings"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ArtifactError(
                f"the summary of a run cannot be read ({error!r}): it was written by another "
                f"version; run {command('evaluate')} again."
            ) from error


def summarise(
    folds: Iterable[FoldEvaluation],
    n_folds: int = 3,
    seed: int = 0,
    predictions: Tables | None = None,
) -> RunSummary:
    """Put the folds of one run together.

    Args:
        folds: One to all of a protocol's folds.
        n_folds: How many the protocol has.
        seed: Of the bootstrap.
        predictions: What the networks said in each fold. Without it there are only the
            figures of confusion counts: AUC and the like need the frames.

    Raises:
        ConfigurationError: No fold, a fold twice, or folds that must not be
            averaged: another protocol, other AUs, rendered faces beside people's,
            or a subject tested in two folds; or predictions that are not those
            that were evaluated.
    """
    ordered = tuple(sorted(folds, key=lambda fold: fold.fold))
    check_folds_agree(ordered)
    everywhere = [
        name
        for name in ("finetuned", "scratch")
        if all(name in fold.models for fold in ordered)
    ]
    judged = {name: _judge(ordered, name, seed, predictions) for name in everywhere}
    both = [judged[name] for name in ("finetuned", "scratch") if name in judged]
    return RunSummary(
        folds=ordered,
        n_folds=n_folds,
        measures={name: score(model) for name, model in judged.items()},
        gains=differences(*both) if len(both) == 2 else {},
        warnings=tuple(warnings_of(ordered, n_folds)),
    )


def _judge(
    folds: Sequence[FoldEvaluation], name: str, seed: int, predictions: Tables | None
) -> BootstrapScores:
    aus = folds[0].aus
    if predictions is None:
        counted = {fold.fold: SubjectStatistics(fold.models[name].people) for fold in folds}
        whole = together([part.people for part in counted.values()])
        return judge(counted, SubjectStatistics(whole), aus, seed)
    asked = {
        fold.fold: Predictions.read(
            predictions[name][fold.fold], fold.models[name].au_table["threshold"], aus
        )
        for fold in folds
    }
    for fold in folds:
        part, evaluated = asked[fold.fold], fold.models[name].people
        found = subject_counts(part.labels, part.predicted, part.subjects)
        if found.subjects != evaluated.subjects or not all(
            np.array_equal(getattr(found.counts, kind), getattr(evaluated.counts, kind))
            for kind in ("tp", "fp", "fn", "tn")
        ):
            raise ConfigurationError(
                f"the predictions of fold {fold.fold} ({name}) are not those that were "
                f"evaluated: run {command('evaluate')} again."
            )
    return score_folds(asked, seed)


def _measure_row(line: ScoreLine) -> dict[str, Any]:
    mean, pooled = line.mean_of_folds, line.pooled
    return {
        "name": line.name,
        **{f"fold{fold}": value for fold, value in line.by_fold.items()},
        "mean_of_folds": mean.value,
        "mean_low": mean.low,
        "mean_high": mean.high,
        "pooled": pooled.value,
        "pooled_low": pooled.low,
        "pooled_high": pooled.high,
        "kept": mean.kept,
        "defined": line.defined,
        "possible": line.possible,
        "why": mean.why or pooled.why,
    }
