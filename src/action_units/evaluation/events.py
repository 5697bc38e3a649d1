"""Events in videos, and F1-event: an action from its onset over its apex to its offset.

An event is a run of consecutive frames of one recording that show the AU. A gap in the frame
numbers or a frame without a label ends it. After Ding, Chu, De la Torre, Cohn and Wang,
"Facial action unit event detection by cascade of tasks" (ICCV 2013), a coded event is a true
positive of recall at overlap t if at least the part t of its frames is predicted positive, and
a predicted event is a true positive of precision at t if at least the part t of its frames is
coded positive. F1-event at t is the harmonic mean of both, and an AU's score is the area under
it: its mean over the overlaps 0.01, 0.02 … 1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from action_units.evaluation.metrics import Bools, Floats
from action_units.evaluation.predictions import Predictions

OVERLAPS = np.arange(1, 101) / 100
"""The overlaps t at which events are scored."""


@dataclass(frozen=True, eq=False)
class SubjectEvents:
    """Events of each subject and AU.

    Attributes:
        coded: Events of the labels, (S, A).
        predicted: Events of the predictions, (S, A).
        coded_found: Coded events that are predicted, at each of `OVERLAPS`, (S, A, 100).
        predicted_true: Predicted events that are coded, at each, (S, A, 100).
    """

    coded: Floats
    predicted: Floats
    coded_found: Floats
    predicted_true: Floats

    def curve(self, times: Floats) -> Floats:
        """F1-event at each overlap, (R, A, 100), with subjects weighted by `times` (R, S).

        NaN without coded events, 0 where none is found.
        """
        coded, predicted = times @ self.coded, times @ self.predicted  # (R, A)
        found = np.tensordot(times, self.coded_found, 1)  # (R, A, 100)
        true = np.tensordot(times, self.predicted_true, 1)
        # 2 · recall · precision / (recall + precision), without the inner divisions.
        over = 2 * found * true
        under = found * predicted[..., None] + true * coded[..., None]
        score = np.divide(over, under, out=np.zeros_like(over), where=under > 0)
        score[coded == 0] = np.nan
        return score

    def f1(self, times: Floats) -> Floats:
        """Area under `curve`, (R, A)."""
        return np.asarray(self.curve(times).mean(axis=2), np.float64)


def subject_events(
    predictions: Predictions, subject: NDArray[np.intp], n_subjects: int
) -> SubjectEvents | None:
    """Events of each subject; None where frames have no numbers, or two have the same.

    Args:
        predictions: Frames in any order.
        subject: Index of each frame's subject, (N,).
        n_subjects: How many there are.
    """
    recordings, frames = predictions.recordings, predictions.frames
    if frames is None or recordings is None:
        return None
    order, follows = frame_order(recordings, frames)
    recordings, frames = recordings[order], frames[order]
    if ((recordings[1:] == recordings[:-1]) & (frames[1:] == frames[:-1])).any():
        return None
    labels = predictions.labels[order].T  # (A, N)
    coded, predicted = labels == 1, predictions.predicted[order].T & (labels >= 0)
    subject, both = subject[order], coded & predicted
    n_coded, coded_found = _overlaps(coded, both, follows, subject, n_subjects)
    n_predicted, predicted_true = _overlaps(predicted, both, follows, subject, n_subjects)
    return SubjectEvents(n_coded, n_predicted, coded_found, predicted_true)


def frame_order(recordings: ArrayLike, frames: ArrayLike) -> tuple[NDArray[np.intp], Bools]:
    """Sort frames by video and number.

    Args:
        recordings: Each frame's video, (N,).
        frames: Its number there, (N,).

    Returns:
        * The order, row numbers (N,).
        * In that order, whether a frame directly follows the one before it: it does
          not where a video begins or a number is left out or comes twice, (N,).
    """
    videos, numbers = np.asarray(recordings), np.asarray(frames)
    order = np.lexsort((numbers, videos))
    same = videos[order][1:] == videos[order][:-1]
    follows = np.zeros(order.size, np.bool_)
    follows[1:] = same & (np.diff(numbers[order]) == 1)
    return order, follows


def runs(mask: Bools, follows: Bools) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where unbroken runs of true frames start and stop (the frame after the last).

    Args:
        mask: (N,).
        follows: As `frame_order` gives it, (N,).
    """
    joined = np.zeros(mask.size, np.bool_)  # to the frame before
    joined[1:] = mask[1:] & mask[:-1] & follows[1:]
    last = np.append(~joined[1:], True)[: mask.size]
    return np.flatnonzero(mask & ~joined), np.flatnonzero(mask & last) + 1


def _overlaps(
    mask: Bools, both: Bools, follows: Bools, subject: NDArray[np.intp], n_subjects: int
) -> tuple[Floats, Floats]:
    """Events per subject and AU, (S, A), and those that overlap enough, (S, A, 100)."""
    n_aus, n = mask.shape
    starts, stops = runs(mask.ravel(), np.tile(follows, n_aus))
    shared = np.concatenate([[0], np.cumsum(both.ravel())])
    # Whole percents of the event that are shared, by integers: 29 of 100 frames are 29 %.
    percent = 100 * (shared[stops] - shared[starts]) // (stops - starts)
    au, frame = np.divmod(starts, max(n, 1))
    cell = (subject[frame] * n_aus + au) * 101 + percent
    counts = np.bincount(cell, minlength=n_subjects * n_aus * 101).astype(np.float64)
    at_least = np.cumsum(counts.reshape(n_subjects, n_aus, 101)[..., ::-1], axis=2)[..., ::-1]
    return at_least[..., 0].copy(), at_least[..., 1:].copy()
