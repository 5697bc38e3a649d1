"""All that is done to a network's probabilities before AUs are called present or absent.

Three steps in this order, each fitted on validation subjects: smoothing along the video,
calibration, thresholds. Only thresholds are needed; `comparison.gain_table` measures on the
test subjects what the others gain. Where the data has intensities, a curve fitted on the
same subjects then gives expected intensities.

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
from action_units.evaluation.metrics import Bools, Floats
from action_units.evaluation.postprocessing.calibration import (
    Calibration,
    calibration_from_json,
    fit_isotonic,
    fit_temperature,
)
from action_units.evaluation.postprocessing.intensity import IntensityCurve, fit_intensity
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
        intensity: From probabilities after the other steps to intensities, where the data has
            some.
        person_centred: The same steps of person-centred probabilities, where they were fitted.
    """

    thresholds: FittedThresholds
    smoothing: Smoothing = field(default_factory=Smoothing)
    calibration: Calibration | None = None
    intensity: IntensityCurve | None = None
    person_centred: "PersonCentred | None" = None

    def apply(self, predictions: Predictions) -> Predictions:
        """Predictions of a test set with postprocessed probabilities and calls.

        Raises:
            ConfigurationError: A step was fitted on one of these subjects.
            PredictionError: Frames to be smoothed along have no numbers.
        """
        self.check_new(predictions.subjects.tolist())
        return self.transform(predictions)

    def transform(self, predictions: Predictions) -> Predictions:
        """As `apply`, also of the subjects that the steps were fitted on."""
        p = self.probabilities(
            predictions.probabilities, predictions.recordings, predictions.frames
        )
        called = replace(predictions, probabilities=p, predicted=p >= self.thresholds.values)
        return self._with_intensities(called)

    def apply_person_centred(self, predictions: Predictions) -> Predictions:
        """As `apply`, relative to all frames of each subject; their labels are not read.

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
        references = centring.references(raw, predictions.subjects)
        p, thresholds = self.relative_to(
            references, raw, predictions.recordings, predictions.frames
        )
        called = replace(predictions, probabilities=p, predicted=p >= thresholds)
        return self._with_intensities(called, ~np.asarray(np.isnan(references).any(axis=1)))

    def _with_intensities(
        self, predictions: Predictions, centred: Bools | None = None
    ) -> Predictions:
        estimates = self.intensities(predictions.probabilities, centred)
        if estimates is None or self.intensity is None:
            return predictions
        means = np.broadcast_to(np.array(self.intensity.training_mean), estimates.shape)
        return replace(predictions, estimates=estimates, training_means=means)

    def intensities(self, probabilities: Floats, centred: Bools | None = None) -> Floats | None:
        """Expected intensities, 0 to 5, (N, A); None where the data has none.

        Person-centred probabilities have a curve of their own, fitted to such probabilities.

        Args:
            probabilities: As `probabilities` or `relative_to` gives them, (N, A).
            centred: Which frames are person-centred, (N,); none by default.
        """
        if self.intensity is None:
            return None
        estimates = self.intensity.apply(probabilities)
        if centred is not None and self.person_centred is not None:
            curve = self.person_centred.steps.intensity or self.intensity
            estimates[centred] = curve.apply(probabilities[centred])
        return estimates

    def check_new(self, subjects: Sequence[str]) -> None:
        """Raise ConfigurationError if a step was fitted on one of these subjects."""
        check_not_fitted_on_test(self.thresholds.fitted_on, subjects, "the thresholds")
        check_not_fitted_on_test(self.smoothing.fitted_on, subjects, "the smoothing window")
        if self.calibration is not None:
            check_not_fitted_on_test(self.calibration.fitted_on, subjects, "the calibration")
        if self.intensity is not None:
            check_not_fitted_on_test(self.intensity.fitted_on, subjects, "the intensities")

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
        centred, intensity = self.person_centred, self.intensity
        return {
            "smoothing": self.smoothing.to_json(),
            "calibration": None if self.calibration is None else self.calibration.to_json(aus),
            "thresholds": self.thresholds.to_json(aus),
            **({} if intensity is None else {"intensity": intensity.to_json(aus)}),
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
            intensity=IntensityCurve.from_json(content["intensity"], aus)
            if "intensity" in content
            else None,
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
    training_mean: Sequence[float] | None = None,
) -> Postprocessing:
    """Fit one of `OPTIONS` on validation subjects.

    Args:
        validation: The network on the validation subjects.
        option: The steps besides thresholds.
        seed: Of the draws that thresholds are fitted to.
        smoothing: Chosen before on the same subjects; chosen here by default. Used only if
            the option has smoothing.
        training_mean: As in `IntensityCurve`.

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
    intensity = None
    if validation.intensities is not None:
        intensity = fit_intensity(
            validation.intensities, calibrated, subjects, training_mean=training_mean
        )
    return Postprocessing(thresholds, smoothing, calibration, intensity)


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
    steps = fit_postprocessing(replace(validation, probabilities=p), option, seed)
    return PersonCentred(centring, steps)
