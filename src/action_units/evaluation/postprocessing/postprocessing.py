"""All that is done to a network's probabilities before AUs are called present or absent.

Three steps in this order, each fitted on validation subjects: smoothing along the video,
calibration, thresholds. Only thresholds are needed; `comparison.gain_table` measures on the
test subjects what the others gain.

Besides, a network can have the same steps fitted to person-centred probabilities, for those who
ask for them. These need unlabelled frames of the person and are never used otherwise.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike

from action_units.config import PostprocessingOption
from action_units.errors import ArtifactError, ConfigurationError
from action_units.evaluation.metrics import Floats
from action_units.evaluation.postprocessing.calibration import (
    Calibration,
    calibration_from_json,
    fit_isotonic,
    fit_temperature,
)
from action_units.evaluation.postprocessing.person_centred import (
    PersonCentring,
    fit_person_centring,
)
from action_units.evaluation.postprocessing.smoothing import Smoothing, choose_smoothing
from action_units.evaluation.postprocessing.thresholds import (
    FittedThresholds,
    choose_thresholds,
)
from action_units.evaluation.predictions import Predictions, check_not_fitted_on_test
from action_units.hints import command

OPTIONS: tuple[str, ...] = get_args(PostprocessingOption)
"""In the order to show them."""

_CALIBRATIONS: dict[str, Callable[..., Calibration]] = {
    "temperature": fit_temperature,
    "isotonic": fit_isotonic,
}


@dataclass(frozen=True)
class Postprocessing:
    """Smoothing, calibration and thresholds of one network.

    Attributes:
        thresholds: Of the probabilities after the other two steps.
        smoothing: Along the video; a window of 1 changes nothing.
        calibration: If there is one.
        person_centred: The same steps of person-centred probabilities, where they were fitted.
    """

    thresholds: FittedThresholds
    smoothing: Smoothing = field(default_factory=Smoothing)
    calibration: Calibration | None = None
    person_centred: "PersonCentred | None" = None

    def apply(self, predictions: Predictions) -> Predictions:
        """Predictions of a test set with postprocessed probabilities and calls.

        Raises:
            ConfigurationError: A step was fitted on one of these subjects.
            PredictionError: Frames to be smoothed along have no numbers.
        """
        self.check_new(predictions.subjects.tolist())
        p = self.probabilities(
            predictions.probabilities, predictions.recordings, predictions.frames
        )
        return replace(predictions, probabilities=p, predicted=p >= self.thresholds.values)

    def apply_person_centred(self, predictions: Predictions) -> Predictions:
        """As `apply`, relative to all frames of each subject; their labels are not read.

        Intensities are left out: they are estimated from probabilities that are not centred.

        Raises:
            ConfigurationError: Nothing person-centred was fitted, or a step was fitted on one
                of these subjects.
            PredictionError: Frames to be smoothed along have no numbers.
        """
        if self.person_centred is None:
            raise ConfigurationError(
                "these networks have no person-centred postprocessing: "
                f"{command('evaluate')} fits it."
            )
        centring, raw = self.person_centred.centring, predictions.probabilities
        subjects = predictions.subjects.tolist()
        self.check_new(subjects)
        self.person_centred.steps.check_new(subjects)
        check_not_fitted_on_test(centring.fitted_on, subjects, "the person's centring")
        p, thresholds = self.relative_to(
            centring.references(raw, predictions.subjects),
            raw,
            predictions.recordings,
            predictions.frames,
        )
        called = replace(predictions, probabilities=p, predicted=p >= thresholds)
        return replace(called, intensities=None)

    def check_new(self, subjects: Sequence[str]) -> None:
        """Raise ConfigurationError if a step was fitted on one of these subjects."""
        check_not_fitted_on_test(self.thresholds.fitted_on, subjects, "the thresholds")
        check_not_fitted_on_test(self.smoothing.fitted_on, subjects, "the smoothing window")
        if self.calibration is not None:
            check_not_fitted_on_test(self.calibration.fitted_on, subjects, "the calibration")

    def probabilities(
        self,
        raw: ArrayLike,
        recordings: ArrayLike | None = None,
        frames: ArrayLike | None = None,
    ) -> Floats:
        """Postprocessed probabilities of any frames, coded or not, (N, A).

        Args:
            raw: A network's probabilities, (N, A).
            recordings: Each frame's video, (N,); needed for smoothing.
            frames: Its number there, (N,); needed for smoothing.

        Raises:
            PredictionError: Frames to be smoothed along have no numbers.
        """
        p = self.smoothing.apply(raw, recordings, frames)
        return p if self.calibration is None else self.calibration.apply(p)

    def relative_to(
        self,
        references: Floats,
        raw: ArrayLike,
        recordings: ArrayLike | None = None,
        frames: ArrayLike | None = None,
    ) -> tuple[Floats, Floats]:
        """Person-centred probabilities of any frames, and their thresholds, (N, A) each.

        Frames without a reference get the probabilities and thresholds of `probabilities`.

        Args:
            references: Of each frame's person, (N, A) logits; NaN where there is none.
            raw: A network's probabilities, (N, A).
            recordings: Each frame's video, (N,); needed for smoothing.
            frames: Its number there, (N,); needed for smoothing.

        Raises:
            PredictionError: Frames to be smoothed along have no numbers.
        """
        assert self.person_centred is not None
        p = np.array(raw, np.float64)
        thresholds = np.empty_like(p)
        known = ~np.isnan(references).any(axis=1)
        centred = self.person_centred.centring.apply(p[known], references[known])
        for rows, steps, before in (
            (known, self.person_centred.steps, centred),
            (~known, self, p[~known]),
        ):
            videos, numbers = (
                None if part is None else np.asarray(part)[rows]
                for part in (recordings, frames)
            )
            p[rows] = steps.probabilities(before, videos, numbers)
            thresholds[rows] = steps.thresholds.values
        return p, thresholds

    def to_json(self, aus: Sequence[int]) -> dict[str, Any]:
        """JSON values."""
        centred = self.person_centred
        return {
            "smoothing": self.smoothing.to_json(),
            "calibration": None if self.calibration is None else self.calibration.to_json(aus),
            "thresholds": self.thresholds.to_json(aus),
            **({} if centred is None else {"person_centred": centred.to_json(aus)}),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any], aus: Sequence[int]) -> "Postprocessing":
        """What `to_json` wrote, for these AUs in this order.

        Raises:
            ArtifactError: A step is missing or incomplete.
        """
        steps = ("smoothing", "calibration", "thresholds")
        if missing := [step for step in steps if step not in content]:
            raise ArtifactError(f"the postprocessing of probabilities has no {missing[0]}.")
        calibration = content["calibration"]
        return cls(
            thresholds=FittedThresholds.from_json(content["thresholds"], aus),
            smoothing=Smoothing.from_json(content["smoothing"]),
            calibration=calibration and calibration_from_json(calibration, aus),
            person_centred=PersonCentred.from_json(content["person_centred"], aus)
            if "person_centred" in content
            else None,
        )


@dataclass(frozen=True)
class PersonCentred:
    """Centring by person, and the steps that were fitted after it.

    Attributes:
        centring: Applied to raw probabilities.
        steps: Smoothing, calibration and thresholds of centred probabilities.
    """

    centring: PersonCentring
    steps: Postprocessing

    def to_json(self, aus: Sequence[int]) -> dict[str, Any]:
        """JSON values."""
        return {"centring": self.centring.to_json(aus), "steps": self.steps.to_json(aus)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any], aus: Sequence[int]) -> "PersonCentred":
        """What `to_json` wrote, for these AUs in this order.

        Raises:
            ArtifactError: A part is missing or incomplete.
        """
        if missing := [part for part in ("centring", "steps") if part not in content]:
            raise ArtifactError(f"the person-centred postprocessing has no {missing[0]}.")
        return cls(
            PersonCentring.from_json(content["centring"], aus),
            Postprocessing.from_json(content["steps"], aus),
        )


def fit_postprocessing(
    validation: Predictions,
    option: str = "raw",
    seed: int = 0,
    smoothing: Smoothing | None = None,
) -> Postprocessing:
    """Fit one of `OPTIONS` on validation subjects.

    Args:
        validation: The network on the validation subjects.
        option: The steps besides thresholds.
        seed: Of the draws that thresholds are fitted to.
        smoothing: Chosen before on the same subjects; chosen here by default. Used only if
            the option has smoothing.

    Raises:
        ConfigurationError: The option is unknown.
        PredictionError: Frames to be smoothed along have no numbers.
    """
    if option not in OPTIONS:
        raise ConfigurationError(
            f"postprocessing {option!r} of probabilities: expected one of {', '.join(OPTIONS)}."
        )
    if "smoothing" not in option:
        smoothing = Smoothing()
    elif smoothing is None:
        smoothing = choose_smoothing(validation)
    y, subjects = validation.labels, validation.subjects
    p = smoothing.apply(validation.probabilities, validation.recordings, validation.frames)
    fit = _CALIBRATIONS.get(option.split(" + ")[-1])
    calibration = None if fit is None else fit(y, p, subjects)
    calibrated = p if calibration is None else calibration.apply(p)
    thresholds = choose_thresholds(y, calibrated, subjects=subjects, seed=seed)
    return Postprocessing(thresholds, smoothing, calibration)


def fit_person_centred(
    validation: Predictions, option: str = "raw", seed: int = 0
) -> PersonCentred:
    """Fit the centring on validation subjects, and one of `OPTIONS` to what it leaves.

    Args:
        validation: The network on the validation subjects.
        option: The steps besides centring and thresholds.
        seed: Of the draws that thresholds are fitted to.

    Raises:
        ConfigurationError: The option is unknown.
        PredictionError: Frames to be smoothed along have no numbers.
    """
    centring = fit_person_centring(validation)
    references = centring.references(validation.probabilities, validation.subjects)
    p = centring.apply(validation.probabilities, references)
    centred = replace(validation, probabilities=p, intensities=None)
    steps = fit_postprocessing(centred, option, seed)
    return PersonCentred(centring, steps)
