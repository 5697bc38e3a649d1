"""Whether probabilities mean what they say: bins of equal width, ECE and Brier score."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from action_units.evaluation.metrics import MISSING, Floats, Labels, ratio

BINS = 15
"""As Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks"
(ICML 2017)."""


@dataclass(frozen=True, eq=False)
class Reliability:
    """Frames by the bin of their probability; bin b holds b / B ≤ p < (b + 1) / B.

    The last bin holds probability 1 too.

    Attributes:
        edges: Of the bins, (B + 1,).
        n: Frames, (B, A).
        mean_probability: Predicted, NaN in an empty bin, (B, A).
        share_positive: Found, NaN in an empty bin, (B, A).
    """

    edges: Floats
    n: Floats
    mean_probability: Floats
    share_positive: Floats


@dataclass(frozen=True, eq=False)
class SubjectCalibration:
    """Sums over each subject's frames that Brier score and ECE are made of.

    Attributes:
        n: Frames by bin, (S, A, B).
        probability: Sum of their probabilities.
        positives: Those that show the AU.
        squares: Sum of squared differences of probability and label, (S, A).
    """

    n: Floats
    probability: Floats
    positives: Floats
    squares: Floats

    def brier(self, times: Floats) -> Floats:
        """Mean squared difference in each resample, (R, A); NaN without labels.

        Args:
            times: How often each subject is drawn, (R, S).
        """
        return ratio(times @ self.squares, times @ self.n.sum(axis=2))

    def ece(self, times: Floats) -> Floats:
        """Mean gap of probability and share of positives, over bins by their frames.

        Args:
            times: How often each subject is drawn, (R, S).

        Returns:
            (R, A); NaN without labels.
        """
        gap = np.tensordot(times, self.probability - self.positives, 1)  # (R, A, B)
        return ratio(np.abs(gap).sum(axis=2), times @ self.n.sum(axis=2))


def subject_calibration(
    labels: Labels,
    probabilities: Floats,
    subject: NDArray[np.intp],
    n_subjects: int,
    bins: int = BINS,
) -> SubjectCalibration:
    """Sums of each subject.

    Args:
        labels: 1, 0 or −1 (left out), (N, A).
        probabilities: (N, A).
        subject: Index of each frame's subject, (N,).
        n_subjects: How many there are.
        bins: How many.
    """
    n_aus = labels.shape[1]
    cell = (subject[:, None] * n_aus + np.arange(n_aus)) * bins + _bin(probabilities, bins)
    known = labels != MISSING
    if not known.all():
        labels, probabilities, cell = labels[known], probabilities[known], cell[known]
    y, p, cell = labels.ravel(), probabilities.ravel(), cell.ravel()
    shape = (n_subjects, n_aus, bins)
    size = n_subjects * n_aus * bins

    def summed(values: Floats | None) -> Floats:
        return np.bincount(cell, values, size).reshape(shape).astype(np.float64)

    return SubjectCalibration(
        n=summed(None),
        probability=summed(p),
        positives=summed(y.astype(np.float64)),
        squares=summed((p - y) ** 2).sum(axis=2),
    )


def reliability_curve(labels: Labels, probabilities: Floats, bins: int = BINS) -> Reliability:
    """How often each AU is there, by how probable it was called.

    Args:
        labels: 1, 0 or −1 (left out), (N, A).
        probabilities: (N, A).
        bins: How many, of equal width.
    """
    everyone = np.zeros(len(labels), np.intp)
    sums = subject_calibration(labels, probabilities, everyone, 1, bins)
    n = sums.n[0].T  # (B, A)
    return Reliability(
        edges=np.linspace(0, 1, bins + 1),
        n=n,
        mean_probability=ratio(sums.probability[0].T, n),
        share_positive=ratio(sums.positives[0].T, n),
    )


def _bin(probabilities: Floats, bins: int) -> NDArray[np.intp]:
    return np.minimum((probabilities * bins).astype(np.intp), bins - 1)
