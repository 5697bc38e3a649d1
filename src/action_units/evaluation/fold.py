"""The evaluation of one fold: the AU report of each network, and who took part."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from action_units.errors import ArtifactError, ConfigurationError
from action_units.evaluation import bootstrap
from action_units.evaluation.metrics import Bools, Confusion, Floats, average_sets, mean_defined
from action_units.evaluation.postprocessing.thresholds import FittedThresholds
from action_units.evaluation.predictions import (
    Predictions,
    check_no_shared_subjects,
    check_not_fitted_on_test,
    check_not_trained_on_test,
)
from action_units.evaluation.subject_statistics import (
    MetricValues,
    SubjectCounts,
    SubjectStatistics,
    subject_statistics,
)
from action_units.hints import command
from action_units.labels.action_units import AU_NAMES


@dataclass(frozen=True, eq=False)
class ModelEvaluation:
    """One network on one fold's test subjects.

    Attributes:
        au_table: From `au_report`, one row per AU.
        averages: From the same, one row per set of AUs.
        subject_counts: Confusion counts per test subject.
        curve: The training curve, one row per epoch; may be empty.
        provenance: What is particular to this network: weights' SHA-256, seed, wall time; any
            JSON values.
    """

    au_table: pd.DataFrame
    averages: pd.DataFrame
    subject_counts: SubjectCounts
    curve: pd.DataFrame = field(default_factory=pd.DataFrame)
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def aus(self) -> tuple[int, ...]:
        """The AUs, in the order of the table."""
        return tuple(int(au) for au in self.au_table["au"])

    def to_json(self) -> dict[str, Any]:
        """JSON values, null for what is undefined."""
        counts = vars(self.subject_counts.counts)
        return {
            "aus": to_records(self.au_table),
            "averages": to_records(self.averages),
            "subjects": list(self.subject_counts.subjects),
            "subject_counts": {part: values.tolist() for part, values in counts.items()},
            "curve": to_records(self.curve),
            "provenance": self.provenance,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "ModelEvaluation":
        """The evaluation that `to_json` wrote."""
        n_aus, counts = len(content["aus"]), content["subject_counts"]
        parts = (np.array(counts[part], np.int64) for part in ("tp", "fp", "fn", "tn"))
        return cls(
            au_table=from_records(content["aus"]),
            averages=from_records(content["averages"]),
            subject_counts=SubjectCounts(
                tuple(content["subjects"]),
                Confusion(*(part.reshape(-1, n_aus) for part in parts)),
            ),
            curve=from_records(content["curve"]),
            provenance=dict(content["provenance"]),
        )


@dataclass(frozen=True, eq=False)
class FoldEvaluation:
    """One fold: who took part, and the networks' scores on the test subjects.

    Attributes:
        fold: Its number, from 1.
        protocol: The fold protocol's name.
        n_folds: How many folds it has.
        sets: The coded sets whose people are tested, by name.
        rendered: The faces are rendered, not people's.
        train: Subjects trained on.
        validation: Subjects that chose epoch and thresholds.
        test: Subjects tested on.
        finetuned: The pre-trained and fine-tuned network; without pre-training, the one that
            began at random weights.
        scratch: The same network without pre-training, where there is one.
        provenance: What both share: configuration hash, data hash, packages, device; any JSON
            values.

    Raises:
        ConfigurationError: A test subject is among the others, a network was evaluated on
            somebody else, or the two networks on different frames.
    """

    fold: int
    protocol: str
    rendered: bool
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    finetuned: ModelEvaluation
    scratch: ModelEvaluation | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    n_folds: int = 3
    sets: tuple[str, ...] = ("disfa",)

    def __post_init__(self) -> None:
        """Check the subjects."""
        name = f"fold {self.fold} of protocol {self.protocol!r}"
        check_no_shared_subjects((*self.train, *self.validation), self.test, name)
        for model in self.models.values():
            if strangers := sorted(set(model.subject_counts.subjects) - set(self.test)):
                raise ConfigurationError(
                    f"{name} was evaluated on {strangers[0]}, who is not among its test "
                    "subjects."
                )
        if self.scratch is None:
            return
        if self.aus != self.scratch.aus:
            raise ConfigurationError(
                f"fold {self.fold}: the two networks were tested on different AUs, "
                f"{self.aus} and {self.scratch.aus}."
            )
        ours, theirs = self.finetuned.subject_counts, self.scratch.subject_counts
        if ours.subjects != theirs.subjects or not all(
            np.array_equal(getattr(ours.counts, count), getattr(theirs.counts, count))
            for count in ("n", "support")
        ):
            raise ConfigurationError(
                f"fold {self.fold}: the two networks were tested on different subjects, frames "
                "or labels, so they cannot be compared; predict with both on the same faces."
            )

    @property
    def pretrained(self) -> bool:
        """Whether the first network was pre-trained."""
        return self.finetuned.provenance.get("stage") != "scratch"

    @property
    def titles(self) -> dict[str, str]:
        """Headings of the networks, by their names."""
        first = "Pre-trained" if self.pretrained else "From scratch"
        return {"finetuned": first, "scratch": "From scratch"}

    @property
    def aus(self) -> tuple[int, ...]:
        """The AUs, in the order of the tables."""
        return self.finetuned.aus

    @property
    def models(self) -> dict[str, ModelEvaluation]:
        """The networks by name: ``finetuned`` and, if trained, ``scratch``."""
        models = {"finetuned": self.finetuned, "scratch": self.scratch}
        return {name: model for name, model in models.items() if model is not None}

    def to_json(self) -> dict[str, Any]:
        """JSON values, null for what is undefined."""
        return {
            "fold": self.fold,
            "protocol": self.protocol,
            "n_folds": self.n_folds,
            "sets": list(self.sets),
            "rendered": self.rendered,
            "subjects": {
                "train": list(self.train),
                "validation": list(self.validation),
                "test": list(self.test),
            },
            "models": {name: model.to_json() for name, model in self.models.items()},
            "provenance": self.provenance,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "FoldEvaluation":
        """The fold that `to_json` wrote.

        Raises:
            ArtifactError: Something is missing in it.
        """
        try:
            models = {n: ModelEvaluation.from_json(m) for n, m in content["models"].items()}
            return cls(
                fold=int(content["fold"]),
                protocol=content["protocol"],
                # Earlier versions had no others.
                n_folds=int(content.get("n_folds", 3)),
                sets=tuple(content.get("sets", ("disfa",))),
                rendered=bool(content["rendered"]),
                **{part: tuple(names) for part, names in content["subjects"].items()},
                finetuned=models["finetuned"],
                scratch=models.get("scratch"),
                provenance=dict(content["provenance"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ArtifactError(
                f"the evaluation of a fold cannot be read ({error!r}): it was written by "
                f"another version; run {command('evaluate')} again."
            ) from error


def evaluate_predictions(
    table: pd.DataFrame,
    thresholds: FittedThresholds,
    seed: Sequence[int] = (0,),
    curve: pd.DataFrame | None = None,
    provenance: Mapping[str, Any] | None = None,
    aus: Sequence[int] | None = None,
) -> ModelEvaluation:
    """Every metric of one network on one fold's test subjects.

    Args:
        table: As `Predictions.read` takes it.
        thresholds: Fitted on the validation subjects, for the same AUs.
        seed: Numbers that name the bootstrap draw; the same for two networks that are to be
            compared on the same subjects.
        curve: The training curve.
        provenance: Hashes, seed, wall time and the like; ``subjects`` in it holds the
            subjects of training and validation.
        aus: All that have a label column by default.

    Raises:
        PredictionError: As `Predictions.read`.
        ConfigurationError: A tested subject is among those that the thresholds were fitted
            on, or that the network was trained or validated on.
    """
    predictions = Predictions.read(table, thresholds.values, aus)
    check_not_fitted_on_test(thresholds.fitted_on, predictions.subjects.tolist())
    check_not_trained_on_test(provenance or {}, predictions.subjects.tolist())
    au_table, averages, statistics = au_report(
        predictions, thresholds.values, thresholds.fallback, seed
    )
    return ModelEvaluation(
        au_table=au_table,
        averages=averages,
        subject_counts=statistics.subject_counts,
        curve=pd.DataFrame() if curve is None else curve,
        provenance=dict(provenance or {}),
    )


def au_report(
    predictions: Predictions,
    thresholds: ArrayLike,
    fallback: Sequence[bool] | None = None,
    seed: Sequence[int] = (0,),
    n_resamples: int = bootstrap.RESAMPLES,
) -> tuple[pd.DataFrame, pd.DataFrame, SubjectStatistics]:
    """Every metric of every AU, and averages over AUs.

    Args:
        predictions: The network on one fold's test subjects.
        thresholds: From which AUs were called present, (A,).
        fallback: Which of them could not be fitted, (A,); none by default.
        seed: Numbers that name the bootstrap draw.
        n_resamples: Resamples of the subjects; with 0 there are no intervals.

    Returns:
        * One row per AU: ``au, name``; ``n`` frames in which it is scored and ``support``
          that show it, of ``n_subjects`` and ``n_subjects_with_positives``; ``threshold,
          threshold_fallback``; each metric of `METRICS`, NaN where undefined; its
          95 % interval as ``f1_low``, ``f1_high`` and the number of resamples that it is over
          as ``f1_kept``, and so on; and ``why``, which `reasons` splits.
        * Plain means over AUs, one row per set of `average_sets`: ``average, n_aus,
          n_defined`` (AUs whose F1 is defined), each metric, and as ``f1_low``, ``f1_high``,
          ``f1_kept``, ``f1_defined`` its interval, its resamples, and over how many AUs the
          mean runs.
        * What each subject contributes, for scores across folds.
    """
    statistics = subject_statistics(predictions)
    people, aus = statistics.subject_counts, predictions.aus
    values, resampled = statistics.values, statistics.resampled(seed, n_resamples)
    with_interval = {name: people.has_interval(name) for name in values}
    counts = people.counts.sum()
    columns: dict[str, Any] = {
        "au": list(aus),
        "name": [AU_NAMES.get(au, f"AU {au}") for au in aus],
        "n": counts.n,
        "support": counts.support,
        "n_subjects": people.scored,
        "n_subjects_with_positives": people.with_positives,
        "threshold": np.asarray(thresholds),
        "threshold_fallback": list(fallback or [False] * len(aus)),
        **values,
    }
    for name, value in resampled.items():
        low, high = bootstrap.interval(value)
        columns[f"{name}_low"] = np.where(with_interval[name], low, np.nan)
        columns[f"{name}_high"] = np.where(with_interval[name], high, np.nan)
        columns[f"{name}_kept"] = bootstrap.n_defined(value)
    columns["why"] = [
        "; ".join(f"{name}: {why}" for name, why in au.items())
        for au in statistics.why_undefined(values)
    ]
    return pd.DataFrame(columns), _averages(aus, values, resampled, with_interval), statistics


def reasons(row: Mapping[Any, Any]) -> dict[str, str]:
    """Why metrics in a row of `au_report` are undefined, by metric."""
    parts = (part.partition(": ") for part in str(row["why"]).split("; ") if part)
    return {name: why for name, _, why in parts}


def to_records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of plain Python values, None for what is undefined."""
    rows = table.to_dict(orient="records")
    return [{str(name): _plain(value) for name, value in row.items()} for row in rows]


def from_records(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """The table of `to_records`; None becomes NaN in columns of numbers."""
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row.get(name) for row in rows] for name in names}
    return pd.DataFrame({name: _column(values) for name, values in columns.items()})


def _column(values: list[Any]) -> list[Any] | Floats:
    if all(isinstance(value, (bool, int)) for value in values):
        return values
    if all(value is None or isinstance(value, (int, float)) for value in values):
        return np.array(values, np.float64)
    return values


def _averages(
    aus: tuple[int, ...],
    values: MetricValues,
    resampled: MetricValues,
    with_interval: Mapping[str, Bools],
) -> pd.DataFrame:
    rows = []
    for average, members in average_sets(aus).items():
        index = [aus.index(au) for au in members]
        row: dict[str, Any] = {"average": average, "n_aus": len(members), "n_defined": 0}
        row |= {name: float(mean_defined(value[index])) for name, value in values.items()}
        for name, value in resampled.items():
            means = mean_defined(value[:, index])  # (R,)
            low = high = math.nan
            if with_interval[name][index].any():
                low, high = (float(end) for end in bootstrap.interval(means))
            row[f"{name}_low"], row[f"{name}_high"] = low, high
            row[f"{name}_kept"] = int(bootstrap.n_defined(means))
            row[f"{name}_defined"] = int(np.count_nonzero(~np.isnan(values[name][index])))
        row["n_defined"] = row["f1_defined"]
        rows.append(row)
    return pd.DataFrame(rows)


def _plain(value: Any) -> Any:
    """A NumPy scalar as Python's, an undefined number as None."""
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
