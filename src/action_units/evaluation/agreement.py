"""Coded and estimated intensities: ICC(3,1), Pearson's correlation, errors, and their floors.

Two floors stand beside the errors: to estimate 0 in every frame, and to estimate the mean of
the training subjects. Most frames of most AUs have intensity 0, so a small error says little.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from action_units.evaluation.metrics import Floats, ratio

LEVELS = 6
"""Intensities 0 and A to E."""

_ROUNDING = 1e-12
"""A variance below this part of the mean square counts as 0."""


@dataclass(frozen=True, eq=False)
class SubjectAgreement:
    """Sums over each subject's frames with an intensity; all (S, A).

    Intensity x and estimate y are taken from their medians, so that little is lost by
    subtracting large sums.

    Attributes:
        n: Frames.
        x, y, xx, yy, xy: Sums of x, y, x², y² and x y.
        error, square: Sums of absolute and squared differences of intensity and estimate.
        error_zero, square_zero: The same of the estimate 0.
        error_mean, square_mean: The same of the training subjects' mean; NaN where unknown.
    """

    n: Floats
    x: Floats
    y: Floats
    xx: Floats
    yy: Floats
    xy: Floats
    error: Floats
    square: Floats
    error_zero: Floats
    square_zero: Floats
    error_mean: Floats
    square_mean: Floats

    def icc(self, times: Floats) -> Floats:
        """ICC(3,1) of two raters, consistency (Shrout & Fleiss 1979).

        With two raters (BMS − EMS) / (BMS + EMS) is twice the covariance over the sum of the
        variances. Subjects are weighted by `times` (R, S); (R, A), NaN where both are constant.
        """
        xx, yy, xy = self._spread(times)
        return ratio(2 * xy, xx + yy)

    def pcc(self, times: Floats) -> Floats:
        """Pearson's correlation, weighted likewise; NaN where one does not vary."""
        xx, yy, xy = self._spread(times)
        return ratio(xy, np.sqrt(xx) * np.sqrt(yy))

    def mae(self, times: Floats) -> Floats:
        """Mean absolute error, weighted likewise; NaN without intensities."""
        return ratio(times @ self.error, times @ self.n)

    def mse(self, times: Floats) -> Floats:
        """Mean squared error, likewise."""
        return ratio(times @ self.square, times @ self.n)

    def mae_of_zero(self, times: Floats) -> Floats:
        """Mean absolute error of the estimate 0, likewise."""
        return ratio(times @ self.error_zero, times @ self.n)

    def mse_of_zero(self, times: Floats) -> Floats:
        """Mean squared error of the estimate 0, likewise."""
        return ratio(times @ self.square_zero, times @ self.n)

    def mae_of_mean(self, times: Floats) -> Floats:
        """Mean absolute error of the training subjects' mean; NaN where it is not known."""
        return ratio(times @ self.error_mean, times @ self.n)

    def mse_of_mean(self, times: Floats) -> Floats:
        """Mean squared error of the training subjects' mean, likewise."""
        return ratio(times @ self.square_mean, times @ self.n)

    def _spread(self, times: Floats) -> tuple[Floats, Floats, Floats]:
        """n² times variances and covariance, (R, A)."""
        n, x, y = times @ self.n, times @ self.x, times @ self.y
        return (
            _spread(n, x, x, times @ self.xx, clipped=True),
            _spread(n, y, y, times @ self.yy, clipped=True),
            _spread(n, x, y, times @ self.xy),
        )


def subject_agreement(
    intensities: Floats,
    estimates: Floats,
    subject: NDArray[np.intp],
    n_subjects: int,
    means: Floats | None = None,
) -> SubjectAgreement:
    """Sums of each subject.

    Args:
        intensities: Coded, 0 to 5, NaN where missing, (N, A).
        estimates: Predicted, NaN where missing, (N, A).
        subject: Index of each frame's subject, (N,).
        n_subjects: How many there are.
        means: Mean intensity of the subjects that each frame's network was trained on, NaN
            where it is not known, (N, A).
    """
    shape = (n_subjects, intensities.shape[1])
    known = ~(np.isnan(intensities) | np.isnan(estimates))
    sums = {field.name: np.zeros(shape) for field in fields(SubjectAgreement)}
    for column in range(shape[1]):
        rows = np.flatnonzero(known[:, column])
        if not rows.size:
            continue
        coded, predicted = intensities[rows, column], estimates[rows, column]
        mean = np.full(rows.size, np.nan) if means is None else means[rows, column]
        x, y = coded - np.median(coded), predicted - np.median(predicted)
        error, of_mean = coded - predicted, coded - mean
        values = (
            *(None, x, y, x * x, y * y, x * y, np.abs(error), error * error),
            *(coded, coded * coded, np.abs(of_mean), of_mean * of_mean),
        )
        for total, value in zip(sums.values(), values, strict=True):
            total[:, column] = np.bincount(subject[rows], value, n_subjects)
    return SubjectAgreement(**sums)


def level_confusion(intensities: Floats, estimates: Floats) -> NDArray[np.int64]:
    """Frames of each AU by coded and by estimated intensity, both rounded.

    Args:
        intensities: As in `subject_agreement`.
        estimates: As there.

    Returns:
        (A, 6, 6): coded in rows, estimated in columns.
    """
    known = ~(np.isnan(intensities) | np.isnan(estimates))
    _, column = np.nonzero(known)
    coded, predicted = (
        np.rint(part[known]).astype(np.intp) for part in (intensities, estimates)
    )
    cell = (column * LEVELS + coded) * LEVELS + predicted
    n_aus = intensities.shape[1]
    counts = np.bincount(cell, minlength=n_aus * LEVELS * LEVELS)
    return counts.reshape(n_aus, LEVELS, LEVELS).astype(np.int64)


def _spread(
    n: Floats, one: Floats, other: Floats, product: Floats, clipped: bool = False
) -> Floats:
    spread = n * product - one * other
    return np.where(spread > _ROUNDING * n * product, spread, 0.0) if clipped else spread
