"""What is done to a network's probabilities before they are called present or absent.

Three things, in this order, each fitted on validation subjects: smoothing along the
video, calibration, thresholds. None of them is needed; the table of gains says on the test
subjects what each is worth beside the raw figure.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, get_args

import pandas as pd
from numpy.typing import ArrayLike

from action_units.config import PostprocessingOption
from action_units.errors import ArtifactError, ConfigurationError
from action_units.evaluation.comparison import score_folds
from action_units.evaluation.judging import average_columns, mean_difference
from action_units.evaluation.leaks import check_not_fitted_on_test
from action_units.evaluation.metrics import Floats
from action_units.evaluation.postprocessing.calibration import (
    Calibration,
    calibration_from_json,
    fit_isotonic,
    fit_temperature,
)
from action_units.evaluation.postprocessing.smoothing import Smoothing, choose_smoothing
from action_units.evaluation.postprocessing.thresholds import (
    FittedThresholds,
    choose_thresholds,
)
from action_units.evaluation.predictions import Predictions

_CALIBRATIONS: dict[str, Callable[..., Calibration]] = {
    "temperature": fit_temperature,
    "isotonic": fit_isotonic,
}

OPTIONS = get_args(PostprocessingOption)
"""What can be done, in the order to show it."""


@dataclass(frozen=True)
class Postprocessing:
    """Smoothing, calibration and thresholds of one network.

    Attributes:
        thresholds: Of the treated probabilities.
        smoothing: Along the video; a window of 1 leaves all as it is.
        calibration: Where there is one.
    """

    thresholds: FittedThresholds
    smoothing: Smoothing = field(default_factory=Smoothing)
    calibration: Calibration | None = None

    def apply(self, answers: Predictions) -> Predictions:
        """A network's frames with treated probabilities and calls.

        Args:
            answers: With frame numbers where probabilities are to be smoothed.

        Raises:
            ConfigurationError: A part was fitted on one of these subjects.
            PredictionError: Frames to be smoothed along have no numbers.
        """
        subjects = answers.subjects.tolist()
        check_not_fitted_on_test(self.thresholds.fitted_on, subjects, "the thresholds")
        check_not_fitted_on_test(self.smoothing.fitted_on, subjects, "the smoothing window")
        if self.calibration is not None:
            check_not_fitted_on_test(self.calibration.fitted_on, subjects, "the calibration")
        p = self.probabilities(answers.probabilities, answers.recordings, answers.frames)
        return replace(answers, probabilities=p, predicted=p >= self.thresholds.values)

    def probabilities(
        self,
        raw: ArrayLike,
        recordings: ArrayLike | None = None,
        frames: ArrayLike | None = None,
    ) -> Floats:
        """Treated probabilities of any frames, coded or not, (N, A).

        Args:
            raw: A network's probabilities, (N, A).
            recordings: Each frame's video, (N,); needed where they are smoothed.
            frames: Its number there, (N,); needed where they are smoothed.

        Raises:
            PredictionError: Frames to be smoothed along have no numbers.
        """
        p = self.smoothing.apply(raw, recordings, frames)
        return p if self.calibration is None else self.calibration.apply(p)

    def to_json(self, aus: Sequence[int]) -> dict[str, Any]:
        """JSON values."""
        return {
            "smoothing": self.smoothing.to_json(),
            "calibration": None if self.calibration is None else self.calibration.to_json(aus),
            "thresholds": self.thresholds.to_json(aus),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any], aus: Sequence[int]) -> "Postprocessing":
        """The treatment that `to_json` wrote, for these AUs in this order.

        Raises:
            ArtifactError: Something is missing in it.
        """
        if missing := [
            n for n in ("smoothing", "calibration", "thresholds") if n not in content
        ]:
            raise ArtifactError(f"the treatment of probabilities has no {missing[0]}.")
        calibration = content["calibration"]
        return cls(
            thresholds=FittedThresholds.from_json(content["thresholds"], aus),
            smoothing=Smoothing.from_json(content["smoothing"]),
            calibration=None
            if calibration is None
            else calibration_from_json(calibration, aus),
        )


def check_option(option: str) -> None:
    """Refuse what is none of ``OPTIONS``.

    Raises:
        ConfigurationError: It is not.
    """
    if option not in OPTIONS:
        raise ConfigurationError(
            f"treatment {option!r} of probabilities: expected one of {', '.join(OPTIONS)}."
        )


def fit_postprocessing(
    validation: Predictions, option: str = "raw", seed: int = 0
) -> Postprocessing:
    """Fit one of `OPTIONS` on validation subjects.

    Args:
        validation: The network on the validation subjects.
        option: What to fit beside the thresholds.
        seed: Of the draws that thresholds are fitted to.

    Raises:
        ConfigurationError: There is no such option.
        PredictionError: Frames to be smoothed along have no numbers.
    """
    check_option(option)
    smoothing = choose_smoothing(validation) if "smoothing" in option else Smoothing()
    return _fit(validation, smoothing, option, seed)


def gain_table(
    folds: Mapping[int, tuple[Predictions, Predictions]], seed: int = 0
) -> pd.DataFrame:
    """Every option's figures on the test subjects, and its gain over the raw ones.

    Args:
        folds: By fold, one network on its validation and on its test subjects.
        seed: Of the bootstrap and of the thresholds.

    Returns:
        One row per option, figure and average: ``option, measure, average``; the mean of
        folds ``value, low, high``; and ``gain, gain_low, gain_high``, option minus raw,
        paired over subjects. Options that need frame numbers are left out where there
        are none.

    Raises:
        ConfigurationError: A subject is both validated and tested on.
    """
    numbered = all(part.frames is not None for pair in folds.values() for part in pair)
    options = [option for option in OPTIONS if numbered or "smoothing" not in option]
    windows = {
        fold: choose_smoothing(validation) if numbered else Smoothing()
        for fold, (validation, _) in folds.items()
    }
    judged = {}
    for option in options:
        treated = {}
        for fold, (validation, test) in folds.items():
            smoothing = windows[fold] if "smoothing" in option else Smoothing()
            treated[fold] = _fit(validation, smoothing, option, seed).apply(test)
        judged[option] = score_folds(treated, seed)
    rows = []
    for option, found in judged.items():
        for measure in found.by_fold:
            for average, columns in average_columns(found.aus).items():
                value = found.over_folds(measure, columns)
                gain = mean_difference(found, judged["raw"], measure, columns)
                rows.append(
                    {
                        "option": option,
                        "measure": measure,
                        "average": average,
                        "value": value.value,
                        "low": value.low,
                        "high": value.high,
                        "gain": gain.value,
                        "gain_low": gain.low,
                        "gain_high": gain.high,
                    }
                )
    return pd.DataFrame(rows)


def _fit(
    validation: Predictions, smoothing: Smoothing, option: str, seed: int
) -> Postprocessing:
    """The calibration that an option names, and thresholds, fitted on what smoothing leaves."""
    y, who = validation.labels, validation.subjects
    p = smoothing.apply(validation.probabilities, validation.recordings, validation.frames)
    fit = _CALIBRATIONS.get(option.split(" + ")[-1])
    calibration = None if fit is None else fit(y, p, who)
    calibrated = p if calibration is None else calibration.apply(p)
    thresholds = choose_thresholds(y, calibrated, subjects=who, seed=seed)
    return Postprocessing(thresholds, smoothing, calibration)
