"""Probabilities relative to the person's own face, without any label of the person.

A network takes some faces at rest for faces that move: low brows for AU 4, lip corners that
point up for AU 12. Over the frames of one person the logit of an AU is then too high
throughout. With Q the quantile of the person's own logits z, and c the mean of that quantile
over the validation subjects,

    z' = z − strength · (Q(person) − c)

The mean level stays, so that the same threshold serves. Quantile and strength, the same for all
AUs, are chosen on validation subjects by average precision; a strength of 0 is among the
choices. Q(person) is limited to the range of the validation subjects: nobody is moved further
than the one of them who is moved furthest.

The reference Q needs further frames of the tested person, unlabelled: this is transductive. So
its scores are a line of their own and never the headline. It harms where the person shows an
AU in half of the frames or more, because the AU then counts as the person's usual face; the
limit keeps that harm small.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from action_units.errors import ArtifactError
from action_units.evaluation.metrics import Floats, mean_defined, rank
from action_units.evaluation.postprocessing.calibration import clipped_logits
from action_units.evaluation.postprocessing.thresholds import MINIMUM_POSITIVES
from action_units.evaluation.predictions import Predictions, check_arrays, check_subjects

MINIMUM_FRAMES = 20
"""With fewer frames of a person there is no reference, and nothing is subtracted."""

CANDIDATES = (
    (0.5, 0.0),
    *((q, strength) for q in (0.5, 0.25) for strength in (0.25, 0.5, 0.75, 1.0)),
)
"""Quantiles and strengths; the first does nothing and wins ties."""


_BY_AU = ("level", "lowest", "highest", "neutral_level")


@dataclass(frozen=True)
class PersonCentring:
    """Subtracts a part of how far a person's usual logits are from other people's.

    Attributes:
        quantile: Of the person's logits, such as 0.5 for the median.
        strength: The part that is subtracted, 0 to 1; 0 changes nothing.
        level: Mean of that quantile over the validation subjects, in logits, (A,).
        lowest: The least of it among them, (A,); no reference is lower.
        highest: The greatest, (A,).
        neutral_level: Mean over the validation subjects of the median logit of their neutral
            frames (no AU coded present), (A,).
        minimum_frames: With fewer frames a person has no reference.
        fitted_on: Subjects that quantile, strength and levels are from.
    """

    quantile: float
    strength: float
    level: tuple[float, ...]
    lowest: tuple[float, ...]
    highest: tuple[float, ...]
    neutral_level: tuple[float, ...]
    minimum_frames: int
    fitted_on: tuple[str, ...]

    def references(self, probabilities: ArrayLike, persons: ArrayLike) -> Floats:
        """The reference of each frame's person, from all frames given, (N, A) logits.

        Args:
            probabilities: (N, A).
            persons: Whom each frame shows, (N,).

        Returns:
            Equal rows for the frames of one person; NaN where there are fewer than
            `minimum_frames`.
        """
        z = clipped_logits(probabilities)
        return _by_person(z, np.asarray(persons), self.quantile, self.minimum_frames)

    def neutral_reference(self, probabilities: ArrayLike) -> Floats:
        """The reference of a person from frames of the neutral face, however few, (A,) logits.

        It is the median of these frames' logits, moved by the difference of the two levels, so
        that `apply` takes it as any other.

        Args:
            probabilities: Of the neutral frames, (K, A) with K ≥ 1.
        """
        median = np.median(clipped_logits(probabilities), axis=0)
        moved = median + np.array(self.level) - np.array(self.neutral_level)
        return np.asarray(moved, np.float64)

    def apply(self, probabilities: ArrayLike, references: ArrayLike) -> Floats:
        """Centred probabilities, (N, A); those without a reference as they are.

        Args:
            probabilities: (N, A).
            references: In logits, (N, A) or (A,); NaN where there is none.
        """
        p = np.asarray(probabilities, np.float64)
        limited = np.clip(np.asarray(references, np.float64), self.lowest, self.highest)
        shift = self.strength * (limited - np.array(self.level))
        unchanged = np.isnan(shift) | (shift == 0)
        return np.where(unchanged, p, expit(clipped_logits(p) - shift))

    def to_json(self, aus: Sequence[int]) -> dict[str, Any]:
        """JSON values."""
        columns = self.level, self.lowest, self.highest, self.neutral_level
        return {
            "quantile": self.quantile,
            "strength": self.strength,
            "minimum_frames": self.minimum_frames,
            "aus": {
                str(au): dict(zip(_BY_AU, values, strict=True))
                for au, *values in zip(aus, *columns, strict=True)
            },
            "fitted_on": list(self.fitted_on),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any], aus: Sequence[int]) -> "PersonCentring":
        """The centring that `to_json` wrote, for these AUs in this order.

        Raises:
            ArtifactError: Something is missing in it.
        """
        try:
            rows = [content["aus"][str(au)] for au in aus]
            return cls(
                quantile=float(content["quantile"]),
                strength=float(content["strength"]),
                **{name: tuple(float(row[name]) for row in rows) for name in _BY_AU},
                minimum_frames=int(content["minimum_frames"]),
                fitted_on=tuple(content["fitted_on"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(
                f"the person's centring cannot be read ({error!r}): fit it on the same AUs as "
                "the predictions."
            ) from error


def fit_person_centring(
    validation: Predictions,
    candidates: Sequence[tuple[float, float]] = CANDIDATES,
    minimum_frames: int = MINIMUM_FRAMES,
) -> PersonCentring:
    """Choose quantile and strength by mean average precision on validation subjects.

    AUs with too few positive or negative validation frames have no say. Where none has one, or
    fewer than two subjects have a reference, the strength is 0.

    Args:
        validation: A network's raw probabilities of the validation subjects.
        candidates: Quantiles and strengths to choose from; of equals the first is taken.
        minimum_frames: With fewer frames a person has no reference.

    Raises:
        PredictionError: As `check_arrays` and `check_subjects`.
    """
    y, p = check_arrays(validation.labels, validation.probabilities)
    who, z = check_subjects(validation.subjects, len(y)), clipped_logits(p)
    few = np.minimum((y == 1).sum(axis=0), (y == 0).sum(axis=0)) < MINIMUM_POSITIVES
    scored = np.flatnonzero(~few)
    quantiles = dict.fromkeys(quantile for quantile, _ in candidates)
    references = {q: _by_person(z, who, q, minimum_frames) for q in quantiles}
    levels = {q: mean_defined(_once(references[q], who), axis=0) for q in quantiles}

    def precision(quantile: float, strength: float) -> float:
        shift = strength * np.nan_to_num(references[quantile] - levels[quantile])
        centred = z - shift
        each = [rank(y[:, a], centred[:, a]).average_precision() for a in scored]
        return float(mean_defined(np.array(each))) if each else 0.0

    reached = [precision(*candidate) for candidate in candidates]
    quantile, strength = candidates[int(np.argmax(reached))]
    people = _once(references[quantile], who)  # (P, A)
    if not len(people):
        people, strength = np.zeros((1, len(validation.aus))), 0.0
    neutral = (y == 0).any(axis=1) & (y != 1).all(axis=1)
    medians = _once(_by_person(z[neutral], who[neutral], 0.5, 1), who[neutral])
    return PersonCentring(
        quantile=quantile,
        strength=strength,
        level=tuple(people.mean(axis=0).tolist()),
        lowest=tuple(people.min(axis=0).tolist()),
        highest=tuple(people.max(axis=0).tolist()),
        neutral_level=tuple((medians if len(medians) else people).mean(axis=0).tolist()),
        minimum_frames=minimum_frames,
        fitted_on=tuple(np.unique(who).tolist()),
    )


def _by_person(z: Floats, who: Any, quantile: float, minimum_frames: int) -> Floats:
    """The quantile of each frame's person, (N, A); NaN with too few frames."""
    people, index = np.unique(who, return_inverse=True)
    values = np.full((people.size, z.shape[1]), np.nan)  # (P, A)
    order = np.argsort(index, kind="stable")
    for person, rows in enumerate(np.split(order, np.cumsum(np.bincount(index))[:-1])):
        if rows.size >= max(minimum_frames, 1):
            values[person] = np.quantile(z[rows], quantile, axis=0)
    return values[index]


def _once(references: Floats, who: Any) -> Floats:
    """The reference of each person who has one, (P, A)."""
    each = references[np.unique(who, return_index=True)[1]]
    return each[~np.isnan(each).any(axis=1)]
