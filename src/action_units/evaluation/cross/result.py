"""What a cross-data-set test found: one network by one, their mean, and all as one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from pydantic import TypeAdapter

from action_units.errors import ArtifactError
from action_units.evaluation.scores import Estimate, Number
from action_units.hints import command


@dataclass(frozen=True)
class CrossLine:
    """One metric, or a difference of it, for one AU or an average over AUs.

    Attributes:
        name: ``AU12`` or ``7 AUs``.
        by_network: Of each network, by its fold.
        mean: Mean of the networks where it is defined.
        ensemble: Of all networks as one.
        defined: Over how many (AU, network) pairs `mean` runs …
        possible: … of how many.
        why: Why it is undefined, of the networks where it is.
    """

    name: str
    by_network: dict[int, Number]
    mean: Estimate
    ensemble: Estimate
    defined: int
    possible: int
    why: dict[int, str]


@dataclass(frozen=True)
class CrossScores:
    """All lines of one metric: AUs by number, averages by name."""

    aus: dict[int, CrossLine]
    averages: dict[str, CrossLine]

    @property
    def lines(self) -> list[CrossLine]:
        """AUs first, then averages."""
        return [*self.aus.values(), *self.averages.values()]


@dataclass(frozen=True)
class PairedScores:
    """Two ways to predict the same frames, and their difference.

    Attributes:
        scores: Every metric of the first.
        other: Of the second.
        differences: First minus second, paired over subjects.
        subjects: Whose frames they are.
        frames: How many.
    """

    scores: dict[str, CrossScores]
    other: dict[str, CrossScores]
    differences: dict[str, CrossScores]
    subjects: tuple[str, ...]
    frames: int


@dataclass(frozen=True)
class Support:
    """What the scores of one AU rest on.

    Attributes:
        au: The AU.
        name: Its name.
        frames: Frames with a code of it.
        positive: Those of them that show it.
        subjects: Subjects with a code of it.
        with_positives: Those of them that show it.
    """

    au: int
    name: str
    frames: int
    positive: int
    subjects: int
    with_positives: int


@dataclass(frozen=True)
class Refitted:
    """Thresholds fitted to some subjects of the new set, scored on the others.

    Attributes:
        fitted_on: Those subjects.
        thresholds: Of each network, by AU.
        paired: Re-fitted thresholds, those of training, and what re-fitting gains.
    """

    fitted_on: tuple[str, ...]
    thresholds: dict[int, dict[int, float]]
    paired: PairedScores


@dataclass(frozen=True)
class Within:
    """The result within the new set: each subject by a network of a run trained on that set.

    Attributes:
        protocol: The fold protocol of that run.
        folds: Its folds.
        paired: This test, the result within the set, and the difference, on the same frames.
    """

    protocol: str
    folds: tuple[int, ...]
    paired: PairedScores


@dataclass(frozen=True)
class CrossTest:
    """The networks of one run, tested on one set.

    Attributes:
        run: The run's name.
        trained_on: Its coded set, or sets joined by ``+``.
        protocol: Its fold protocol.
        tested_on: The new set.
        rendered: The faces tested on are rendered, not people's.
        rendered_training: Those trained on were.
        aus: In common; all scores are of these.
        aus_of_networks: Further AUs that the networks know and the set does not code.
        aus_of_set: Further AUs that the set codes and the networks do not know.
        subjects: Who was tested by each network, by fold.
        left_out: Subjects of the set whom every network has learned from.
        frames: How many were tested.
        support: What the scores rest on, of each AU.
        scores: Every metric.
        within: The result within the new set; None where no run was trained on it.
        refitted: Thresholds of the new set; None where none were asked for.
        warnings: Sentences that a reader must know.
    """

    run: str
    trained_on: str
    protocol: str
    tested_on: str
    rendered: bool
    rendered_training: bool
    aus: tuple[int, ...]
    aus_of_networks: tuple[int, ...]
    aus_of_set: tuple[int, ...]
    subjects: dict[int, tuple[str, ...]]
    left_out: tuple[str, ...]
    frames: int
    support: tuple[Support, ...]
    scores: dict[str, CrossScores]
    within: Within | None
    refitted: Refitted | None
    warnings: tuple[str, ...]

    @property
    def people(self) -> tuple[str, ...]:
        """All subjects who were tested."""
        return tuple(sorted({who for own in self.subjects.values() for who in own}))

    def table(self) -> pd.DataFrame:
        """Every metric: one row for each kind of score, metric, and AU or average."""
        parts = {"cross": self.scores}
        if self.within is not None:
            parts["cross, frames of within-set"] = self.within.paired.scores
            parts["within-set"] = self.within.paired.other
            parts["cross minus within-set"] = self.within.paired.differences
        if self.refitted is not None:
            parts["re-fitted thresholds, other subjects"] = self.refitted.paired.scores
            parts["same thresholds, other subjects"] = self.refitted.paired.other
            parts["re-fitted minus same"] = self.refitted.paired.differences
        return pd.DataFrame(
            [
                {
                    "scores": part,
                    "measure": metric,
                    "name": line.name,
                    **{f"network{fold}": value for fold, value in line.by_network.items()},
                    "mean": line.mean.value,
                    "mean_low": line.mean.low,
                    "mean_high": line.mean.high,
                    "ensemble": line.ensemble.value,
                    "ensemble_low": line.ensemble.low,
                    "ensemble_high": line.ensemble.high,
                    "kept": line.mean.n_resamples,
                    "defined": line.defined,
                    "possible": line.possible,
                    "why": line.mean.why or line.ensemble.why,
                }
                for part, metrics in parts.items()
                for metric, scores in metrics.items()
                for line in scores.lines
            ]
        )

    def to_json(self) -> dict[str, Any]:
        """JSON values, null for what is undefined."""
        content: dict[str, Any] = _TEST.dump_python(self, mode="json", by_alias=True)
        return content

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "CrossTest":
        """The test that `to_json` wrote.

        Raises:
            ArtifactError: Something is missing in it.
        """
        try:
            return _TEST.validate_python(dict(content))
        except ValueError as error:
            raise ArtifactError(
                f"the scores of a cross-data-set test cannot be read ({error!r}): they were "
                f"written by another version; run {command('cross')} again."
            ) from error


_TEST = TypeAdapter(CrossTest)
