"""Probabilities that mean what they say: temperature or isotonic, by AU.

A calibration is fitted on validation subjects and carries their names, so that an
evaluation can refuse one that has seen its test subjects. Both kinds keep the order
of probabilities (isotonic makes ties), so they move Brier score and ECE, and F1 only through
the threshold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from action_units.errors import ArtifactError
from action_units.evaluation.metrics import MISSING, Floats, checked, checked_subjects
from action_units.evaluation.postprocessing.thresholds import MINIMUM_POSITIVES

_SMALLEST = 1e-7
"""Probabilities are kept so far from 0 and 1, where the logit has no end."""

_RANGE = np.log((0.05, 20.0))
"""In which the logarithm of a temperature is looked for."""

Curve = tuple[tuple[float, ...], tuple[float, ...]]
"""Points of a rising line: probabilities before and after."""


class Calibration(Protocol):
    """Maps an AU's probability to a better one."""

    @property
    def fitted_on(self) -> tuple[str, ...]:
        """The subjects it was fitted on."""

    def apply(self, probabilities: ArrayLike) -> Floats:
        """Calibrated probabilities, (N, A)."""

    def to_json(self, aus: Sequence[int]) -> dict[str, Any]:
        """JSON values."""


@dataclass(frozen=True)
class Temperature:
    """Logits divided by one number for each AU (Guo et al., ICML 2017).

    Attributes:
        values: Above 1 a network was too sure of itself, (A,).
        fallback: AUs with too little to fit on, left as they are, (A,).
        fitted_on: Subjects.
    """

    values: tuple[float, ...]
    fallback: tuple[bool, ...]
    fitted_on: tuple[str, ...]

    def apply(self, probabilities: ArrayLike) -> Floats:
        """Calibrated probabilities, (N, A)."""
        return np.asarray(expit(_logits(probabilities) / np.array(self.values)), np.float64)

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
    """A rising line of steps for each AU, straight between its points.

    Attributes:
        curves: Of each AU; outside of its points a line goes on level, A of them.
        fallback: AUs with too little to fit on, left as they are, (A,).
        fitted_on: Subjects.
    """

    curves: tuple[Curve, ...]
    fallback: tuple[bool, ...]
    fitted_on: tuple[str, ...]

    def apply(self, probabilities: ArrayLike) -> Floats:
        """Calibrated probabilities, (N, A)."""
        before = np.asarray(probabilities, np.float64)
        columns = zip(before.T, self.curves, strict=True)
        after = [np.interp(column, *curve) for column, curve in columns]
        return np.stack(after, axis=1)

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


def fit_temperature(
    labels: ArrayLike,
    probabilities: ArrayLike,
    subjects: ArrayLike,
    minimum_positives: int = MINIMUM_POSITIVES,
) -> Temperature:
    """The temperature of each AU that makes its validation labels most likely.

    Args:
        labels: Validation labels 1, 0 or −1, (N, A).
        probabilities: (N, A).
        subjects: Each frame's subject, (N,).
        minimum_positives: AUs with fewer positives or negatives keep temperature 1.

    Raises:
        PredictionError: As `metrics.checked` and `metrics.checked_subjects`.
    """
    columns = _known(labels, probabilities)
    fallback = tuple(_too_few(truth, minimum_positives) for truth, _ in columns)
    values = []
    for (truth, p), few in zip(columns, fallback, strict=True):
        z = _logits(p)
        values.append(1.0 if few else _temperature(np.where(truth, z, -z)))
    return Temperature(tuple(values), fallback, _names(subjects, labels))


def fit_isotonic(
    labels: ArrayLike,
    probabilities: ArrayLike,
    subjects: ArrayLike,
    minimum_positives: int = MINIMUM_POSITIVES,
) -> Isotonic:
    """The rising line nearest to each AU's validation labels.

    Args:
        labels: Validation labels 1, 0 or −1, (N, A).
        probabilities: (N, A).
        subjects: Each frame's subject, (N,).
        minimum_positives: AUs with fewer positives or negatives are left as they are.

    Raises:
        PredictionError: As `metrics.checked` and `metrics.checked_subjects`.
    """
    from sklearn.isotonic import IsotonicRegression  # takes a second, and few fit one

    columns = _known(labels, probabilities)
    fallback = tuple(_too_few(truth, minimum_positives) for truth, _ in columns)
    curves: list[Curve] = []
    for (truth, before), few in zip(columns, fallback, strict=True):
        if few:
            curves.append(((0.0, 1.0), (0.0, 1.0)))
            continue
        fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(before, truth)
        curves.append(
            (tuple(fitted.X_thresholds_.tolist()), tuple(fitted.y_thresholds_.tolist()))
        )
    return Isotonic(tuple(curves), fallback, _names(subjects, labels))


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


def _known(
    labels: ArrayLike, probabilities: ArrayLike
) -> list[tuple[NDArray[np.bool_], Floats]]:
    """Of each AU the labels that are known and their probabilities, (K,) each."""
    y, p = checked(labels, probabilities)
    known = y != MISSING
    return [(y[k, column] == 1, p[k, column]) for column, k in enumerate(known.T)]


def _names(subjects: ArrayLike, labels: ArrayLike) -> tuple[str, ...]:
    """Whose faces they are, each once."""
    return tuple(np.unique(checked_subjects(subjects, len(np.asarray(labels)))).tolist())


def _temperature(towards_truth: Floats) -> float:
    """The temperature of logits that are positive where they are right."""
    # A third of a second, which every command of the project would wait for.
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        return float(np.logaddexp(0.0, -towards_truth / np.exp(log_temperature)).mean())

    found = minimize_scalar(loss, bounds=tuple(_RANGE), method="bounded")
    return float(np.exp(found.x))


def _logits(probabilities: ArrayLike) -> Floats:
    within = np.clip(np.asarray(probabilities, np.float64), _SMALLEST, 1 - _SMALLEST)
    return np.asarray(logit(within), np.float64)


def _too_few(truth: Any, minimum: int) -> bool:
    return min(int(np.count_nonzero(truth)), int(np.count_nonzero(~truth))) < max(minimum, 1)
