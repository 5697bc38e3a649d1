"""Coded and estimated intensities: ICC(3,1), Pearson's correlation, mean absolute error.

The networks predict occurrence, not intensity. 5 × probability stands for one, so that
certainty is the highest intensity, E. Correlations do not depend on the factor, the mean
absolute error does.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from action_units.evaluation.metrics import Floats, ratio

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
        error: Sum of absolute differences of intensity and estimate.
    """

    n: Floats
    x: Floats
    y: Floats
    xx: Floats
    yy: Floats
    xy: Floats
    error: Floats

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

    def _spread(self, times: Floats) -> tuple[Floats, Floats, Floats]:
        """n² times variances and covariance, (R, A)."""
        n, x, y = times @ self.n, times @ self.x, times @ self.y
        return (
            _spread(n, x, x, times @ self.xx, clipped=True),
            _spread(n, y, y, times @ self.yy, clipped=True),
            _spread(n, x, y, times @ self.xy),
        )


def subject_agreement(
    intensities: Floats, estimates: Floats, subject: NDArray[np.intp], n_subjects: int
) -> SubjectAgreement:
    """Sums of each subject.

    Args:
        intensities: Coded, 0 to 5, NaN where missing, (N, A).
        estimates: Predicted, NaN where missing, (N, A).
        subject: Index of each frame's subject, (N,).
        n_subjects: How many there are.
    """
    shape = (n_subjects, intensities.shape[1])
    known = ~(np.isnan(intensities) | np.isnan(estimates))
    sums = {name: np.zeros(shape) for name in ("n", "x", "y", "xx", "yy", "xy", "error")}
    for column in range(shape[1]):
        rows = np.flatnonzero(known[:, column])
        if not rows.size:
            continue
        coded, predicted = intensities[rows, column], estimates[rows, column]
        x, y = coded - np.median(coded), predicted - np.median(predicted)
        values = (None, x, y, x * x, y * y, x * y, np.abs(coded - predicted))
        for total, value in zip(sums.values(), values, strict=True):
            total[:, column] = np.bincount(subject[rows], value, n_subjects)
    return SubjectAgreement(**sums)


def _spread(
    n: Floats, one: Floats, other: Floats, product: Floats, clipped: bool = False
) -> Floats:
    spread = n * product - one * other
    return np.where(spread > _ROUNDING * n * product, spread, 0.0) if clipped else spread
