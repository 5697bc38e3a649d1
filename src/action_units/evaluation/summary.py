"""A run over its folds: its scores, what pre-training gains, and warnings for its reader."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from pydantic import TypeAdapter

from action_units.errors import ArtifactError, ConfigurationError
from action_units.evaluation.fold import FoldEvaluation
from action_units.evaluation.groups import Grouping
from action_units.evaluation.person_centred import PersonCentredScores
from action_units.evaluation.predictions import Predictions
from action_units.evaluation.scores import (
    BootstrapScores,
    Estimate,
    MetricScores,
    bootstrap_scores,
    score_folds,
)
from action_units.evaluation.subject_statistics import (
    SubjectStatistics,
    pool_subjects,
    subject_counts,
)
from action_units.hints import command
from action_units.labels.action_units import au_columns

NETWORKS = ("finetuned", "scratch")

_SHARED = {
    "config_hash": "configurations",
    "recipe": "recipes",
    "data_sha256": "data",
    "packages": "package versions",
}
"""The entries of a fold's provenance that all folds of a run should share."""

ALL_SETS = "all"
"""What all sets together are called in tables."""

_NOT_SCORED = {
    "training": "so its network does not know it and it is not tested there",
    "validation": "so its threshold is the median of the other AUs'",
}
"""What follows where an AU has no label in a part of a fold's data."""

_METRICS = TypeAdapter(dict[str, dict[str, MetricScores]])
_GAINS = TypeAdapter(dict[str, MetricScores])
_PERSON_CENTRED = TypeAdapter(PersonCentredScores)
_GROUPS = TypeAdapter(tuple[Grouping, ...])


@dataclass(frozen=True, eq=False)
class RunSummary:
    """A run of one to all folds.

    Attributes:
        folds: The folds that are evaluated, by number.
        metrics: Every metric of each network; ``finetuned``, and ``scratch`` if every fold has
            it.
        gains: Pre-trained minus from scratch, by metric, paired over subjects; empty without
            scratch.
        warnings: Sentences that a reader must know.
        sets: Of a run on several coded sets the same of each, by name; else empty.
        person_centred: The fine-tuned network relative to each test subject's own face, which
            takes unlabelled test frames; where it was scored.
        groups: Scores by group of subjects, where groups are known.
    """

    folds: tuple[FoldEvaluation, ...]
    metrics: dict[str, dict[str, MetricScores]]
    gains: dict[str, MetricScores]
    warnings: tuple[str, ...]
    sets: Mapping[str, "RunSummary"] = field(default_factory=dict)
    person_centred: PersonCentredScores | None = None
    groups: tuple[Grouping, ...] = ()

    @property
    def scores(self) -> dict[str, MetricScores]:
        """F1 of each network."""
        return {name: metrics["f1"] for name, metrics in self.metrics.items()}

    @property
    def all_positive(self) -> MetricScores:
        """The baseline: F1 of calling every frame positive."""
        return self.metrics["finetuned"]["floor_f1"]

    @property
    def aus(self) -> tuple[int, ...]:
        """The AUs."""
        return self.folds[0].aus

    @property
    def coded(self) -> tuple[str, ...]:
        """The coded sets whose people are tested, by name."""
        return tuple(sorted({name for fold in self.folds for name in fold.sets}))

    @property
    def protocol(self) -> str:
        """The fold protocol's name."""
        return self.folds[0].protocol

    @property
    def n_folds(self) -> int:
        """How many folds the protocol has."""
        return self.folds[0].n_folds

    @property
    def few_folds(self) -> bool:
        """Whether a table has room for a column for each fold."""
        return len(self.folds) <= 5

    @property
    def mean_of_folds(self) -> str:
        """What its averages run over, in words."""
        if self.n_folds == 1:
            return "one fold"
        return f"mean of {len(self.folds)} of {self.n_folds} folds"

    @property
    def pretrained(self) -> bool:
        """Whether the networks were pre-trained."""
        return self.folds[0].pretrained

    @property
    def rendered(self) -> bool:
        """Faces are rendered, not people's; of several sets, at least those of one."""
        return any(fold.rendered for fold in self.folds)

    def table(self) -> pd.DataFrame:
        """F1, one row per AU and average: baseline, folds, mean of folds, pooled, scratch.

        Of several sets, those of all together come first; ``set`` has their names.
        """
        return self._with_sets(RunSummary._table)

    def _with_sets(self, table_of: Callable[["RunSummary"], pd.DataFrame]) -> pd.DataFrame:
        if not self.sets:
            return table_of(self)
        parts = {ALL_SETS: self, **self.sets}
        tables = [table_of(part).assign(set=name) for name, part in parts.items()]
        whole = pd.concat(tables, ignore_index=True)
        return whole[["set", *whole.columns.drop("set")]]

    def _table(self) -> pd.DataFrame:
        lines = [self.scores["finetuned"].lines, self.all_positive.lines]
        nothing = [None] * len(lines[0])
        scratch = self.scores["scratch"].lines if "scratch" in self.scores else nothing
        gains = self.gains["f1"].lines if self.gains else nothing
        rows = []
        for line, baseline, other, gain in zip(*lines, scratch, gains, strict=True):
            mean = line.mean_of_folds
            difference = gain.mean_of_folds if gain else Estimate(math.nan)
            rows.append(
                {
                    "name": line.name,
                    "floor": baseline.mean_of_folds.value,
                    **{f"fold{fold}": value for fold, value in line.by_fold.items()},
                    "mean_of_folds": mean.value,
                    "mean_low": mean.low,
                    "mean_high": mean.high,
                    "pooled": line.pooled.value,
                    "scratch_mean_of_folds": other.mean_of_folds.value if other else math.nan,
                    "difference": difference.value,
                    "difference_low": difference.low,
                    "difference_high": difference.high,
                    "defined": line.defined,
                    "possible": line.possible,
                }
            )
        return pd.DataFrame(rows)

    def metrics_table(self) -> pd.DataFrame:
        """Every metric, one row per network, metric, and AU or average.

        The network ``person_centred`` is the fine-tuned one, with unlabelled test frames.
        ``set`` is as in `table`.
        """
        return self._with_sets(RunSummary._metrics_table)

    def _metrics_table(self) -> pd.DataFrame:
        centred = self.person_centred
        models = self.metrics | ({"person_centred": centred.metrics} if centred else {})
        return pd.DataFrame(
            [
                {
                    "model": model,
                    "measure": metric,
                    "name": line.name,
                    **{f"fold{fold}": value for fold, value in line.by_fold.items()},
                    "mean_of_folds": line.mean_of_folds.value,
                    "mean_low": line.mean_of_folds.low,
                    "mean_high": line.mean_of_folds.high,
                    "pooled": line.pooled.value,
                    "pooled_low": line.pooled.low,
                    "pooled_high": line.pooled.high,
                    "kept": line.mean_of_folds.n_resamples,
                    "defined": line.defined,
                    "possible": line.possible,
                    "why": line.mean_of_folds.why or line.pooled.why,
                }
                for model, metrics in models.items()
                for metric, scores in metrics.items()
                for line in scores.lines
            ]
        )

    def to_json(self) -> dict[str, Any]:
        """The summary without the folds, JSON values, null for what is undefined."""
        sets = {
            name: {"evaluations": [fold.to_json() for fold in one.folds], **one.to_json()}
            for name, one in self.sets.items()
        }
        centred = self.person_centred and _PERSON_CENTRED.dump_python(
            self.person_centred, mode="json", by_alias=True
        )
        groups = _GROUPS.dump_python(self.groups, mode="json", by_alias=True)
        return {
            "protocol": self.protocol,
            "rendered": self.rendered,
            "folds": [fold.fold for fold in self.folds],
            "n_folds": self.n_folds,
            "measures": _METRICS.dump_python(self.metrics, mode="json", by_alias=True),
            "gains": _GAINS.dump_python(self.gains, mode="json", by_alias=True),
            "warnings": list(self.warnings),
            **({"person_centred": centred} if centred else {}),
            **({"sets": sets} if sets else {}),
            **({"groups": groups} if groups else {}),
        }

    @classmethod
    def from_json(
        cls, content: Mapping[str, Any], folds: Iterable[FoldEvaluation]
    ) -> "RunSummary":
        """The summary that `to_json` wrote of these folds, without computing it again.

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
                metrics=_METRICS.validate_python(content["measures"]),
                gains=_GAINS.validate_python(content["gains"]),
                warnings=tuple(content["warnings"]),
                person_centred=_PERSON_CENTRED.validate_python(content["person_centred"])
                if "person_centred" in content
                else None,
                sets={
                    name: cls.from_json(one, map(FoldEvaluation.from_json, one["evaluations"]))
                    for name, one in content.get("sets", {}).items()
                },
                groups=_GROUPS.validate_python(content.get("groups", ())),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ArtifactError(
                f"the summary of a run cannot be read ({error!r}): it was written by another "
                f"version; run {command('evaluate')} again."
            ) from error


def summarise(
    folds: Iterable[FoldEvaluation],
    seed: int = 0,
    predictions: Mapping[str, Mapping[int, pd.DataFrame]] | None = None,
) -> RunSummary:
    """Put the folds of one run together.

    Args:
        folds: One to all of a protocol's folds.
        seed: Of the bootstrap.
        predictions: By network and fold, as `Predictions.read` takes them. Without it there
            are only the metrics of confusion counts: AUC and the like need the frames.

    Raises:
        ConfigurationError: As `check_folds_agree`; or the predictions are not those that were
            evaluated.
    """
    ordered = tuple(sorted(folds, key=lambda fold: fold.fold))
    check_folds_agree(ordered)
    scored = {
        name: _score(ordered, name, seed, predictions)
        for name in NETWORKS
        if all(name in fold.models for fold in ordered)
    }
    both = len(scored) == len(NETWORKS)
    return RunSummary(
        folds=ordered,
        metrics={name: network.scores() for name, network in scored.items()},
        gains=(scored["finetuned"] - scored["scratch"]).scores() if both else {},
        warnings=tuple(warnings_of(ordered)),
    )


_CHANGED = (
    "the protocol or the data was changed after the first was trained, so train all folds with "
    "another `run` name"
)


def check_folds_agree(folds: Sequence[FoldEvaluation]) -> None:
    """Check that folds, in the order of their numbers, may be averaged.

    Raises:
        ConfigurationError: No fold, a fold twice, another protocol or number of folds, other
            AUs, rendered faces with other data of people, a pre-trained network with one that
            is not, or a subject tested in two folds.
    """
    if not folds:
        raise ConfigurationError(f"no fold has been evaluated yet: run {command('evaluate')}.")
    for fold, following in pairwise(folds):
        if fold.fold == following.fold:
            raise ConfigurationError(
                f"fold {fold.fold} is given twice: each fold is averaged once."
            )
    first = folds[0]
    tested: dict[str, int] = {}
    for fold in folds:
        data = fold.provenance.get("data_sha256")
        same_data = data is not None and data == first.provenance.get("data_sha256")
        # Of several sets one may be rendered; then a fold may test people of another alone.
        for what in ("protocol", "aus", "pretrained", *(() if same_data else ("rendered",))):
            if getattr(fold, what) != getattr(first, what):
                raise ConfigurationError(
                    f"folds {first.fold} and {fold.fold} cannot be averaged: their {what} "
                    f"differs, {getattr(first, what)} and {getattr(fold, what)}."
                )
        if fold.n_folds != first.n_folds:
            raise ConfigurationError(
                f"folds {first.fold} and {fold.fold} cannot be averaged: the protocol had "
                f"{first.n_folds} folds for one and {fold.n_folds} for the other; {_CHANGED}."
            )
        for subject in fold.test:
            if subject in tested:
                raise ConfigurationError(
                    f"{subject} is tested in fold {tested[subject]} and in fold {fold.fold}: "
                    f"each subject is tested once; {_CHANGED}."
                )
            tested[subject] = fold.fold


def warnings_of(folds: Sequence[FoldEvaluation]) -> Iterator[str]:
    """Sentences that a reader of these folds must know."""
    n_folds = folds[0].n_folds
    if len(folds) < n_folds:
        evaluated = ", ".join(str(fold.fold) for fold in folds)
        yield (
            f"{len(folds)} of {n_folds} folds are evaluated (fold {evaluated}): "
            "the averages run over these alone."
        )
    if n_folds > 1 and all(len(fold.test) == 1 for fold in folds):
        yield (
            "Each fold tests one subject, so the mean of folds is a mean over subjects. F1 "
            "leaves out those who never show an AU, with their false positives; the pooled "
            "score counts all frames."
        )
    for key, what in _SHARED.items():
        if any(fold.provenance.get(key) != folds[0].provenance.get(key) for fold in folds):
            yield f"The folds were run with different {what}, so their average mixes them."
    for part, problem in _NOT_SCORED.items():
        for aus, numbers in _never_scored(folds, part).items():
            named = ", ".join(au_columns(aus))
            where = ", ".join(str(number) for number in numbers)
            yield f"{named}: not scored in any {part} frame of fold {where}, {problem}."
    if 0 < sum(fold.scratch is not None for fold in folds) < len(folds):
        yield "Not every fold has a network trained from scratch, so none is compared."


def _never_scored(
    folds: Sequence[FoldEvaluation], part: str
) -> dict[tuple[int, ...], list[int]]:
    """The AUs without a label in a part of the data, and the folds where that is so."""
    found: dict[tuple[int, ...], list[int]] = {}
    for fold in folds:
        if aus := tuple(fold.finetuned.provenance.get("not_scored", {}).get(part, ())):
            found.setdefault(aus, []).append(fold.fold)
    return found


def _score(
    folds: Sequence[FoldEvaluation],
    name: str,
    seed: int,
    tables: Mapping[str, Mapping[int, pd.DataFrame]] | None,
) -> BootstrapScores:
    aus = folds[0].aus
    evaluated = {fold.fold: fold.models[name].subject_counts for fold in folds}
    if tables is None:
        whole = SubjectStatistics(pool_subjects(list(evaluated.values())))
        counts = {number: SubjectStatistics(part) for number, part in evaluated.items()}
        return bootstrap_scores(counts, whole, aus, seed)
    predictions = {}
    for fold in folds:
        thresholds = fold.models[name].au_table["threshold"]
        part = Predictions.read(tables[name][fold.fold], thresholds, aus)
        counted = subject_counts(part.labels, part.predicted, part.subjects)
        expected = evaluated[fold.fold]
        pairs = zip(vars(counted.counts).values(), vars(expected.counts).values(), strict=True)
        same = [np.array_equal(*pair) for pair in pairs]
        if counted.subjects != expected.subjects or not all(same):
            raise ConfigurationError(
                f"the predictions of fold {fold.fold} ({name}) differ from the "
                f"evaluated ones: run {command('evaluate')} again."
            )
        predictions[fold.fold] = part
    return score_folds(predictions, seed)
