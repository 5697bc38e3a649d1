"""Calibration of probabilities by AU: temperature scaling or isotonic regression.

A calibration is fitted on validation subjects and records them, so that an evaluation on one of
them raises an error. Both kinds keep the order of probabilities (isotonic makes ties), so they
change Brier score and ECE, and F1 only through the threshold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from action_units.errors import ArtifactError
from action_units.evaluation.metrics import MISSING, Floats
from action_units.evaluation.postprocessing.thresholds import MINIMUM_POSITIVES
from action_units.evaluation.predictions import check_arrays, check_subjects

_EPS = 1e-7
"""Probabilities are clipped to [_EPS, 1 - _EPS], because logits of 0 and 1 are infinite."""

_RANGE = np.log((0.05, 20.0))
"""Bounds of the logarithm of a temperature."""

Curve = tuple[tuple[float, ...], tuple[float, ...]]
"""Points of a rising line: probabilities before and after."""


@dataclass(frozen=True)
class Temperature:
    """Logits divided by one number for each AU (Guo et al., ICML 2017).

    Attributes:
        values: Above 1 for an overconfident network, (A,).
        fallback: AUs with too few frames of a class to fit on, left unchanged, (A,).
        fitted_on: Subjects.
    """

    values: tuple[float, ...]
    fallback: tuple[bool, ...]
    fitted_on: tuple[str, ...]

    def apply(self, probabilities: ArrayLike) -> Floats:
        """Calibrated probabilities, (N, A)."""
        return np.asarray(
            expit(clipped_logits(probabilities) / np.array(self.values)), np.float64
        )

    def to_json(self, aus: Sequence[int]) -> dict[str, Any]:
        """JSON values that `calibration_from_json` reads."""
        rows = zip(aus, self.values, self.fallback, strict=True)
        return {
            "kind": "temperature",
            "aus": {str(au): {"temperature": t, "fallback": b} for au, t, b in rows},
            "fitted_on": list(self.fitted_on),
        }


@dataclass(frozen=True)
class Isotonic:
    """Isotonic regression of each AU, linear between its points.

    Attributes:
        curves: Of each AU, A of them; constant outside of its points.
        fallback: As of `Temperature`.
        fitted_on: Subjects.
    """

    curves: tuple[Curve, ...]
    fallback: tuple[bool, ...]
    fitted_on: tuple[str, ...]

    def apply(self, probabilities: ArrayLike) -> Floats:
        """Calibrated probabilities, (N, A)."""
        columns = zip(np.asarray(probabilities, np.float64).T, self.curves, strict=True)
        return np.stack([np.interp(column, *curve) for column, curve in columns], axis=1)

    def to_json(self, aus: Sequence[int]) -> dict[str, Any]:
        """JSON values that `calibration_from_json` reads."""
        rows = zip(aus, self.curves, self.fallback, strict=True)
        return {
            "kind": "isotonic",
            "aus": {
                str(au): {"before": list(c[0]), "after": list(c[1]), "fallback": b}
                for au, c, b in rows
            },
            "fitted_on": list(self.fitted_on),
        }


Calibration = Temperature | Isotonic


def fit_temperature(
    labels: ArrayLike,
    probabilities: ArrayLike,
    subjects: ArrayLike,
    minimum_positives: int = MINIMUM_POSITIVES,
) -> Temperature:
    """The temperature of each AU that maximises the likelihood of its validation labels.

    Args:
        labels: Validation labels 1, 0 or −1, (N, A).
        probabilities: (N, A).
        subjects: Each frame's subject, (N,).
        minimum_positives: AUs with fewer positives or negatives keep temperature 1.

    Raises:
        PredictionError: As `check_arrays` and `check_subjects`.
    """
    # A third of a second, which every command of the project would wait for.
    from scipy.optimize import minimize_scalar

    def temperature(positive: NDArray[np.bool_], p: Floats) -> float:
        z = np.where(
            positive, clipped_logits(p), -clipped_logits(p)
        )  # logits of the true class

        def loss(log_temperature: float) -> float:
            return float(np.logaddexp(0.0, -z / np.exp(log_temperature)).mean())

        return float(np.exp(minimize_scalar(loss, bounds=tuple(_RANGE), method="bounded").x))

    columns, fallback, fitted_on = _columns(labels, probabilities, subjects, minimum_positives)
    values = tuple(
        1.0 if few else temperature(*column)
        for column, few in zip(columns, fallback, strict=True)
    )
    return Temperature(values, fallback, fitted_on)


def fit_isotonic(
    labels: ArrayLike,
    probabilities: ArrayLike,
    subjects: ArrayLike,
    minimum_positives: int = MINIMUM_POSITIVES,
) -> Isotonic:
    """The isotonic regression of each AU's validation labels; arguments as `fit_temperature`.

    Raises:
        PredictionError: As `check_arrays` and `check_subjects`.
    """
    from sklearn.isotonic import IsotonicRegression  # takes a second, and few fit one

    def curve(positive: NDArray[np.bool_], p: Floats) -> Curve:
        fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(p, positive)
        return tuple(fitted.X_thresholds_.tolist()), tuple(fitted.y_thresholds_.tolist())

    columns, fallback, fitted_on = _columns(labels, probabilities, subjects, minimum_positives)
    curves = tuple(
        ((0.0, 1.0), (0.0, 1.0)) if few else curve(*column)
        for column, few in zip(columns, fallback, strict=True)
    )
    return Isotonic(curves, fallback, fitted_on)


def calibration_from_json(content: Mapping[str, Any], aus: Sequence[int]) -> Calibration:
    """The calibration that `to_json` wrote, for these AUs in this order.

    Raises:
        ArtifactError: It is of another kind, or lacks an AU.
    """
    try:
        rows = [content["aus"][str(au)] for au in aus]
        fallback = tuple(bool(row["fallback"]) for row in rows)
        fitted_on = tuple(content["fitted_on"])
        if content["kind"] == "temperature":
            return Temperature(
                tuple(float(row["temperature"]) for row in rows), fallback, fitted_on
            )
        if content["kind"] == "isotonic":
            curves = tuple((tuple(row["before"]), tuple(row["after"])) for row in rows)
            return Isotonic(curves, fallback, fitted_on)
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"the calibration cannot be read ({error!r}): fit it on the same AUs as the "
            "predictions."
        ) from error
    raise ArtifactError(
        f"calibration of kind {content['kind']!r}: expected temperature or isotonic."
    )


def _columns(
    labels: ArrayLike, probabilities: ArrayLike, subjects: ArrayLike, minimum: int
) -> tuple[list[tuple[NDArray[np.bool_], Floats]], tuple[bool, ...], tuple[str, ...]]:
    """Of each AU positives and probabilities where labelled, whether too few; and subjects."""
    y, p = check_arrays(labels, probabilities)
    fitted_on = tuple(np.unique(check_subjects(subjects, len(y))).tolist())
    known = y != MISSING
    columns = [(y[k, column] == 1, p[k, column]) for column, k in enumerate(known.T)]
    positives = [int(np.count_nonzero(positive)) for positive, _ in columns]
    fallback = tuple(
        min(n, positive.size - n) < max(minimum, 1)
        for n, (positive, _) in zip(positives, columns, strict=True)
    )
    return columns, fallback, fitted_on


def clipped_logits(probabilities: ArrayLike) -> Floats:
    """Logits of probabilities, finite also of 0 and 1."""
    clipped = np.clip(np.asarray(probabilities, np.float64), _EPS, 1 - _EPS)
    return np.asarray(logit(clipped), np.float64)
