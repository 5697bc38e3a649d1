"""Calibration of probabilities: reliability curves, ECE and Brier score."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from action_units.evaluation.metrics import MISSING, Floats, Labels, ratio

BINS = 15
"""As Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks"
(ICML 2017)."""


@dataclass(frozen=True, eq=False)
class SubjectCalibration:
    """Sums over each subject's frames, from which Brier score and ECE follow.

    Attributes:
        n: Frames by bin, (S, A, B).
        probability: Sum of their probabilities.
        positives: Frames that show the AU.
        squares: Sum of squared differences of probability and label, (S, A).
    """

    n: Floats
    probability: Floats
    positives: Floats
    squares: Floats

    def brier(self, times: Floats) -> Floats:
        """Mean squared difference with subjects weighted by `times` (R, S); (R, A)."""
        return ratio(times @ self.squares, times @ self.n.sum(axis=2))

    def ece(self, times: Floats) -> Floats:
        """Mean gap of probability and share of positives, bins weighted by their frames.

        Subjects are weighted by `times` (R, S); (R, A), NaN without labels.
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
    bin_of_frame = np.minimum((probabilities * bins).astype(np.intp), bins - 1)
    cell = (subject[:, None] * n_aus + np.arange(n_aus)) * bins + bin_of_frame
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


def reliability_curve(
    labels: Labels, probabilities: Floats, bins: int = BINS
) -> tuple[Floats, Floats, Floats]:
    """Share of positives by predicted probability, in bins b / B ≤ p < (b + 1) / B.

    The last bin holds probability 1 too.

    Args:
        labels: 1, 0 or −1 (left out), (N, A).
        probabilities: (N, A).
        bins: B of them, of equal width.

    Returns:
        Of each bin the frames, and, NaN where it is empty, their mean probability and their
        share of positives, (B, A) each.
    """
    sums = subject_calibration(labels, probabilities, np.zeros(len(labels), np.intp), 1, bins)
    n = sums.n[0].T
    return n, ratio(sums.probability[0].T, n), ratio(sums.positives[0].T, n)
