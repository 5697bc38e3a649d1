"""Metrics of all action units at once, from labels and probabilities.

An undefined metric is NaN, never 0 or 1:

* no positive frame: recall, F1, F1-norm, average precision and the all-positive baseline are
  undefined, whatever was predicted. With nothing to find, F1 would be 0 or 0/0 by convention
  alone, and an average must not run over a convention;
* one class only: balanced accuracy and AUC are undefined too;
* nothing predicted positive: precision is undefined, F1 is 0 if there was something to find;
* a constant prediction or one class only: MCC is 0/0 and undefined.

Labels are 1, 0, or −1 where they are missing; a frame without a label does not count for
that AU. `subject_statistics.METRICS` lists all metrics.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from action_units.labels.action_units import EIGHT_AUS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Labels = NDArray[np.int8]

MISSING = -1
"""The label of a frame that was not coded for an AU."""


@dataclass(frozen=True)
class Confusion:
    """Counts of frames: true and false positives, false and true negatives, (..., A) each."""

    tp: Ints
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

    def sum(self) -> "Confusion":
        """Counts added up over the first axis, such as the subjects'."""
        return Confusion(*(part.sum(axis=0) for part in vars(self).values()))

    def weighted(self, times: Floats) -> "Confusion":
        """Counts in which each of the first axis counts so many times, (R, S) to (R, A)."""
        return Confusion(*((times @ part).astype(np.int64) for part in vars(self).values()))


def confusion(labels: Labels, predicted: Bools) -> Confusion:
    """Confusion counts per AU, missing labels left out.

    Args:
        labels: 1, 0 or −1, (N, A).
        predicted: Whether each AU was predicted present, (N, A).
    """
    positive, negative = labels == 1, labels == 0  # (N, A)
    masks = (
        positive & predicted,
        negative & predicted,
        positive & ~predicted,
        negative & ~predicted,
    )
    return Confusion(*(np.asarray(mask.sum(axis=0), np.int64) for mask in masks))


def precision(counts: Confusion) -> Floats:
    """TP / (TP + FP); undefined if nothing is predicted positive."""
    return ratio(counts.tp, counts.tp + counts.fp)


def recall(counts: Confusion) -> Floats:
    """TP / (TP + FN); undefined without positives."""
    return ratio(counts.tp, counts.support)


def specificity(counts: Confusion) -> Floats:
    """TN / (TN + FP); undefined without negatives."""
    return ratio(counts.tn, counts.tn + counts.fp)


def f1(counts: Confusion) -> Floats:
    """2 TP / (2 TP + FP + FN); undefined without positives, 0 without true positives."""
    score = ratio(2 * counts.tp, 2 * counts.tp + counts.fp + counts.fn)
    return np.where(counts.support > 0, score, np.nan)


def f1_norm(counts: Confusion) -> Floats:
    """F1 as it would be with as many negatives as positives.

    False positives are weighted by positives / negatives, after Jeni, Cohn and De la Torre,
    "Facing imbalanced data" (ACII 2013), so that AUs of different prevalence can be compared.
    Undefined with one class only.
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
    tp, fp, fn, tn = (part.astype(np.float64) for part in vars(counts).values())
    # One root for each factor: the product of four counts of a large set is beyond what a
    # float holds exactly.
    scale = np.sqrt(tp + fp) * np.sqrt(tp + fn) * np.sqrt(tn + fp) * np.sqrt(tn + fn)
    return ratio(tp * tn - fp * fn, scale)


def prevalence(counts: Confusion) -> Floats:
    """Share of positive frames; undefined without labels."""
    return ratio(counts.support, counts.n)


def all_positive_f1(counts: Confusion) -> Floats:
    """F1 of calling every frame positive, 2p / (1 + p); undefined without positives.

    A score below it is worse than no classifier.
    """
    share = prevalence(counts)
    return np.where(counts.support > 0, 2 * share / (1 + share), np.nan)


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


def average_sets(aus: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """The sets that averages run over: the literature's eight AUs, and all."""
    sets = {f"{len(aus)} AUs": tuple(aus)}
    if set(EIGHT_AUS) < set(aus):
        sets = {"8 AUs": EIGHT_AUS, **sets}
    return sets


def mean_defined(values: Floats, axis: int = -1) -> Floats:
    """Mean of what is defined along an axis; NaN where nothing is."""
    known: Bools = ~np.isnan(values)
    total = np.where(known, values, 0.0).sum(axis=axis)
    return ratio(total, known.sum(axis=axis))


def ratio(numerator: NDArray[np.generic], denominator: NDArray[np.generic]) -> Floats:
    """A quotient that is NaN where the denominator is 0; both of one shape."""
    over, under = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    out: Floats = np.full(np.shape(over), np.nan)
    np.divide(over, under, out=out, where=under != 0)
    return out
