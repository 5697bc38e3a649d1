"""Figures of merit for all action units at once, from labels and probabilities.

An undefined figure is NaN, never 0 or 1, and each function says when that is:

* no positive frame: recall, F1, F1-norm, average precision and the floor are
  undefined, whatever was predicted. With nothing to find, F1 would be 0 or 0/0
  by convention alone, and an average must not run over a convention;
* one class only: balanced accuracy and AUC are undefined too;
* nothing predicted positive: precision is undefined, F1 is 0 if there was
  something to find;
* a constant prediction or one class only: MCC is 0/0 and undefined.

Labels are 1, 0, or −1 or NaN where they are missing; a frame without a label does
not count for that AU. Probabilities must be numbers from 0 to 1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from action_units.errors import ActionUnitsError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Labels = NDArray[np.int8]

MISSING = -1
"""The label of a frame that was not coded for an AU."""


class PredictionError(ActionUnitsError):
    """Labels and probabilities that do not belong together or are no such things."""


@dataclass(frozen=True)
class Confusion:
    """Counts of frames; any leading shape, the last axis is the AU.

    Attributes:
        tp: Positive and predicted so.
        fp: Negative, predicted positive.
        fn: Positive, predicted negative.
        tn: Negative and predicted so.
    """

    tp: Ints  # (..., A)
    fp: Ints
    fn: Ints
    tn: Ints

    @property
    def support(self) -> Ints:
        """Positive frames."""
        return self.tp + self.fn

    @property
    def n(self) -> Ints:
        """Frames with a label."""
        return self.tp + self.fp + self.fn + self.tn

    def sum(self, axis: int = 0) -> "Confusion":
        """Counts added up along a leading axis, such as the subjects'."""
        return Confusion(
            self.tp.sum(axis), self.fp.sum(axis), self.fn.sum(axis), self.tn.sum(axis)
        )


def checked(labels: ArrayLike, probabilities: ArrayLike) -> tuple[Labels, Floats]:
    """Labels as int8 and probabilities as float64, both (N, A), or a refusal.

    Raises:
        PredictionError: Shapes differ, a label is not 1, 0, −1 or NaN, or a
            probability is NaN or outside 0 to 1; the sentence names the place.
    """
    y, p = np.asarray(labels), np.asarray(probabilities, dtype=np.float64)
    if y.dtype.kind == "f":
        y = np.where(np.isnan(y), MISSING, y)
    if y.ndim != 2 or y.shape != p.shape:
        raise PredictionError(
            f"labels of shape {y.shape} and probabilities of shape {p.shape}: both must be "
            "(frames, AUs) and alike."
        )
    foreign = (y != 0) & (y != 1) & (y != MISSING)
    if foreign.any():
        frame, column = np.argwhere(foreign)[0]
        raise PredictionError(
            f"label {y[frame, column]} in row {frame}, AU column {column}: expected 1, 0, or "
            "−1 or NaN for a label that is missing."
        )
    if p.size and not (p.min() >= 0.0 and p.max() <= 1.0):  # NaN fails both
        frame, column = np.argwhere(~((p >= 0.0) & (p <= 1.0)))[0]
        raise PredictionError(
            f"probability {p[frame, column]} in row {frame}, AU column {column}: expected a "
            "number from 0 to 1; a network that diverged predicts NaN."
        )
    return y.astype(np.int8, copy=False), p


def checked_subjects(subjects: ArrayLike, n: int) -> NDArray[np.str_]:
    """Each frame's subject as text, (N,), or a refusal.

    Raises:
        PredictionError: There is not one subject for each of the `n` frames.
    """
    who = np.asarray(subjects)
    if who.shape != (n,):
        raise PredictionError(f"{who.size} subjects for {n} frames: expected one per frame.")
    return who.astype(str)


def confusion(labels: Labels, predicted: Bools) -> Confusion:
    """Confusion counts per AU, missing labels left out.

    Args:
        labels: 1, 0 or −1, (N, A).
        predicted: Whether each AU was predicted present, (N, A).
    """
    positive, negative = labels == 1, labels == 0  # (N, A)
    return Confusion(
        tp=_count(positive & predicted),
        fp=_count(negative & predicted),
        fn=_count(positive & ~predicted),
        tn=_count(negative & ~predicted),
    )


def precision(counts: Confusion) -> Floats:
    """Share of positive predictions that are right; undefined if there are none."""
    return ratio(counts.tp, counts.tp + counts.fp)


def recall(counts: Confusion) -> Floats:
    """Share of positive frames that are found; undefined without positives."""
    return ratio(counts.tp, counts.support)


def specificity(counts: Confusion) -> Floats:
    """Share of negative frames called negative; undefined without negatives."""
    return ratio(counts.tn, counts.tn + counts.fp)


def f1(counts: Confusion) -> Floats:
    """2 tp / (2 tp + fp + fn); undefined without positives, 0 if none was found."""
    score = ratio(2 * counts.tp, 2 * counts.tp + counts.fp + counts.fn)
    return np.where(counts.support > 0, score, np.nan)


def f1_norm(counts: Confusion) -> Floats:
    """F1 as it would be with as many negatives as positives.

    False positives are weighted by positives / negatives, after Jeni, Cohn and
    De la Torre, "Facing imbalanced data" (ACII 2013), so that AUs of different
    prevalence can be compared. Undefined with one class only.
    """
    negatives = counts.fp + counts.tn
    scaled_fp = counts.fp * ratio(counts.support, negatives)
    score = ratio(2 * counts.tp, 2 * counts.tp + scaled_fp + counts.fn)
    return np.where((counts.support > 0) & (negatives > 0), score, np.nan)


def balanced_accuracy(counts: Confusion) -> Floats:
    """Mean of recall and specificity; undefined with one class only."""
    return (recall(counts) + specificity(counts)) / 2


def mcc(counts: Confusion) -> Floats:
    """Matthews correlation; undefined with one class only or a constant prediction."""
    tp, fp, fn, tn = (
        part.astype(np.float64) for part in (counts.tp, counts.fp, counts.fn, counts.tn)
    )
    # The roots are taken one by one: the product of four counts of a large set
    # is beyond what a float holds exactly.
    scale = np.sqrt(tp + fp) * np.sqrt(tp + fn) * np.sqrt(tn + fp) * np.sqrt(tn + fn)
    return ratio(tp * tn - fp * fn, scale)


def prevalence(counts: Confusion) -> Floats:
    """Share of positive frames; undefined without labels."""
    return ratio(counts.support, counts.n)


def floor_f1(counts: Confusion) -> Floats:
    """F1 of calling every frame positive, 2p / (1 + p); undefined without positives.

    A score below it is worse than no classifier at all.
    """
    share = prevalence(counts)
    return np.where(counts.support > 0, 2 * share / (1 + share), np.nan)


def brier(labels: Labels, probabilities: Floats) -> Floats:
    """Mean squared difference of probability and label; undefined without labels."""
    known = labels != MISSING
    squares = np.where(known, (probabilities - labels) ** 2, 0.0)
    return ratio(squares.sum(axis=0), _count(known))


@dataclass(frozen=True)
class Ranking:
    """One AU's frames sorted once; every cut between distinct scores is a row.

    Cut k predicts positive where the score is at least ``scores[k]``.

    Attributes:
        scores: Distinct scores, falling, (K,).
        tp: True positives of each cut, (K,).
        fp: False positives of each cut, (K,).
    """

    scores: Floats
    tp: Ints
    fp: Ints

    @property
    def positives(self) -> int:
        """Positive frames."""
        return int(self.tp[-1]) if self.tp.size else 0

    @property
    def negatives(self) -> int:
        """Negative frames."""
        return int(self.fp[-1]) if self.fp.size else 0

    def auc(self) -> float:
        """Area under the ROC curve, ties counted half; NaN with one class only."""
        if not self.positives or not self.negatives:
            return float("nan")
        before = np.concatenate([[0], self.tp[:-1]])
        doubled = np.sum(np.diff(self.fp, prepend=0) * (self.tp + before))  # exact integers
        return float(doubled / (2.0 * self.positives * self.negatives))

    def average_precision(self) -> float:
        """Precision averaged over the steps of recall; NaN without positives."""
        if not self.positives:
            return float("nan")
        steps = np.diff(self.tp, prepend=0)
        return float(np.sum(steps * (self.tp / (self.tp + self.fp))) / self.positives)

    def f1(self) -> Floats:
        """F1 of every cut, (K,); NaN without positives."""
        if not self.positives:
            return np.full(self.scores.shape, np.nan)
        return 2 * self.tp / (self.tp + self.fp + self.positives)


def rank(labels: NDArray[np.int8], scores: Floats) -> Ranking:
    """Sort one AU's frames by score.

    Args:
        labels: 1, 0 or −1 (left out), (N,).
        scores: Higher is more positive, (N,).
    """
    known = labels != MISSING
    if not known.all():
        labels, scores = labels[known], scores[known]
    order = np.argsort(scores)[::-1]
    falling = scores[order]
    last = np.flatnonzero(np.append(np.diff(falling) != 0, True))[: falling.size]
    tp = np.cumsum(labels[order], dtype=np.int64)[last]
    return Ranking(scores=falling[last], tp=tp, fp=last + 1 - tp)


def _count(mask: Bools) -> Ints:
    return np.asarray(np.count_nonzero(mask, axis=0), np.int64)


def ratio(numerator: NDArray[np.generic], denominator: NDArray[np.generic]) -> Floats:
    """A quotient that is NaN where the denominator is 0; both of one shape."""
    over, under = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    out: Floats = np.full(np.shape(over), np.nan)
    np.divide(over, under, out=out, where=under != 0)
    return out
