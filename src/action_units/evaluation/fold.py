"""What the evaluation of one fold found, as it lies on disk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from action_units.errors import ArtifactError, ConfigurationError
from action_units.evaluation import tables
from action_units.evaluation.au_report import au_report
from action_units.evaluation.bootstrap import SubjectCounts
from action_units.evaluation.leaks import (
    check_no_shared_subjects,
    check_not_fitted_on_test,
    check_not_trained_on_test,
)
from action_units.evaluation.metrics import Confusion
from action_units.evaluation.postprocessing.thresholds import FittedThresholds
from action_units.evaluation.predictions import Predictions
from action_units.hints import command

_PARTS = ("tp", "fp", "fn", "tn")


@dataclass(frozen=True, eq=False)
class ModelEvaluation:
    """One network on one fold's test subjects.

    Attributes:
        au_table: From `au_report.au_report`, one row per AU.
        averages: From the same, one row per set of AUs.
        people: Confusion counts per test subject.
        curve: The training curve, one row per epoch; may be empty.
        provenance: What is particular to this network: weights' SHA-256, seed,
            wall time; any JSON values.
    """

    au_table: pd.DataFrame
    averages: pd.DataFrame
    people: SubjectCounts
    curve: pd.DataFrame = field(default_factory=pd.DataFrame)
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def aus(self) -> tuple[int, ...]:
        """The AUs, in the order of the table."""
        return tuple(int(au) for au in self.au_table["au"])

    def to_json(self) -> dict[str, Any]:
        """JSON values, null for what is undefined."""
        counts = self.people.counts
        return {
            "aus": tables.to_records(self.au_table),
            "averages": tables.to_records(self.averages),
            "subjects": list(self.people.subjects),
            "subject_counts": {part: getattr(counts, part).tolist() for part in _PARTS},
            "curve": tables.to_records(self.curve),
            "provenance": self.provenance,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "ModelEvaluation":
        """The evaluation that `to_json` wrote."""
        n_aus = len(content["aus"])
        counts = Confusion(
            *(
                np.array(content["subject_counts"][part], np.int64).reshape(-1, n_aus)
                for part in _PARTS
            )
        )
        return cls(
            au_table=tables.from_records(content["aus"]),
            averages=tables.from_records(content["averages"]),
            people=SubjectCounts(tuple(content["subjects"]), counts),
            curve=tables.from_records(content["curve"]),
            provenance=dict(content["provenance"]),
        )


@dataclass(frozen=True, eq=False)
class FoldEvaluation:
    """One fold: who took part, and how the networks did on the test subjects.

    Attributes:
        fold: Its number, from 1.
        protocol: The fold protocol's name.
        rendered: The faces are rendered, not people's.
        train: Subjects trained on.
        validation: Subjects that chose epoch and thresholds.
        test: Subjects tested on.
        finetuned: The pre-trained and fine-tuned network; without pre-training, the one
            that began at random weights.
        scratch: The same network without pre-training, where there is one.
        provenance: What both share: configuration hash, data hash, packages,
            device; any JSON values.
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

    def __post_init__(self) -> None:
        """Refuse a fold that tested on somebody it learned from."""
        check_no_shared_subjects(
            (*self.train, *self.validation),
            self.test,
            f"fold {self.fold} of protocol {self.protocol!r}",
        )
        for model in self.models.values():
            if strangers := sorted(set(model.people.subjects) - set(self.test)):
                raise ConfigurationError(
                    f"fold {self.fold} of protocol {self.protocol!r} was evaluated on "
                    f"{strangers[0]}, who is not among its test subjects."
                )
        if self.scratch is not None:
            self._refuse_different_tests(self.finetuned, self.scratch)

    @property
    def pretrained(self) -> bool:
        """Whether the first network was pre-trained."""
        return self.finetuned.provenance.get("stage") != "scratch"

    @property
    def titles(self) -> dict[str, str]:
        """What the networks are called, by their names."""
        first = "Pre-trained" if self.pretrained else "From scratch"
        return {"finetuned": first, "scratch": "From scratch"}

    def _refuse_different_tests(self, one: ModelEvaluation, other: ModelEvaluation) -> None:
        """Two networks are compared pair by pair, so both must have had the same test."""
        if one.aus != other.aus:
            raise ConfigurationError(
                f"fold {self.fold}: the two networks were tested on different AUs, "
                f"{one.aus} and {other.aus}."
            )
        ours, theirs = one.people, other.people
        same = ours.subjects == theirs.subjects and all(
            np.array_equal(getattr(ours.counts, count), getattr(theirs.counts, count))
            for count in ("n", "support")
        )
        if not same:
            raise ConfigurationError(
                f"fold {self.fold}: the two networks were tested on different subjects, frames "
                "or labels, so they cannot be compared; predict with both on the same faces."
            )

    @property
    def aus(self) -> tuple[int, ...]:
        """The AUs, in the order of the tables."""
        return self.finetuned.aus

    @property
    def models(self) -> dict[str, ModelEvaluation]:
        """The networks by name: ``finetuned`` and, where there is one, ``scratch``."""
        models = {"finetuned": self.finetuned, "scratch": self.scratch}
        return {name: model for name, model in models.items() if model is not None}

    def to_json(self) -> dict[str, Any]:
        """JSON values, null for what is undefined."""
        return {
            "fold": self.fold,
            "protocol": self.protocol,
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
                rendered=bool(content["rendered"]),
                **{part: tuple(who) for part, who in content["subjects"].items()},
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
    predictions: pd.DataFrame,
    thresholds: FittedThresholds,
    seed: Sequence[int] = (0,),
    curve: pd.DataFrame | None = None,
    provenance: Mapping[str, Any] | None = None,
    aus: Sequence[int] | None = None,
) -> ModelEvaluation:
    """Every figure of one network on one fold's test subjects.

    Args:
        predictions: As `Predictions.read` takes them.
        thresholds: Fitted on the validation subjects, for the same AUs.
        seed: Numbers that name the bootstrap draw; the same for two networks
            that are to be compared on the same subjects.
        curve: The training curve.
        provenance: Hashes, seed, wall time and the like; ``subjects`` in it says whom the
            network was trained and validated on.
        aus: Which AUs; all that have a label column by default.

    Raises:
        PredictionError: As `Predictions.read`.
        ConfigurationError: The thresholds, or what the provenance says of the network,
            come from a subject that is tested.
    """
    answers = Predictions.read(predictions, thresholds.values, aus)
    check_not_fitted_on_test(thresholds.fitted_on, answers.subjects.tolist())
    check_not_trained_on_test(provenance or {}, answers.subjects.tolist())
    table, averages, statistics = au_report(
        answers, thresholds.values, thresholds.fallback, seed
    )
    return ModelEvaluation(
        au_table=table,
        averages=averages,
        people=statistics.people,
        curve=pd.DataFrame() if curve is None else curve,
        provenance=dict(provenance or {}),
    )
