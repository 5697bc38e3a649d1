"""F1 of events: from an action's onset over its apex to its offset, found or not.

An event is a run of consecutive frames of one recording that show the AU. A gap in
the frame numbers or a frame without a label ends it. After Ding, Chu, De la Torre,
Cohn and Wang, "Facial action unit event detection by cascade of tasks" (ICCV 2013), a
coded event is *found* at overlap t if at least the part t of its frames is called
positive, and a called event is *right* at overlap t if at least the part t of its
frames is coded positive. Event recall is the share of coded events that are found,
event precision the share of called events that are right, and F1-event at t is their
harmonic mean. The one figure of an AU is the area under it: its mean over the
overlaps 0.01, 0.02 … 1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from action_units.evaluation.metrics import Bools, Floats, Ints
from action_units.evaluation.predictions import Predictions
from action_units.evaluation.videos import in_order, runs

OVERLAPS = np.arange(1, 101) / 100
"""The overlaps at which events are judged."""


@dataclass(frozen=True, eq=False)
class SubjectEvents:
    """Events of each subject and AU.

    Attributes:
        coded: Events of the labels, (S, A).
        called: Events of the predictions, (S, A).
        found: Coded events found at each of `OVERLAPS`, (S, A, 100).
        right: Called events that are right at each, (S, A, 100).
    """

    coded: Floats
    called: Floats
    found: Floats
    right: Floats

    def curve(self, times: Floats) -> Floats:
        """F1-event of each resample at each overlap; NaN without coded events.

        Args:
            times: How often each subject is drawn, (R, S).

        Returns:
            (R, A, 100); 0 where nothing is found.
        """
        coded, called = times @ self.coded, times @ self.called  # (R, A)
        found = np.tensordot(times, self.found, 1)  # (R, A, 100)
        right = np.tensordot(times, self.right, 1)
        # 2 · recall · precision / (recall + precision), without the inner divisions.
        over = 2 * found * right
        under = found * called[..., None] + right * coded[..., None]
        score = np.divide(over, under, out=np.zeros_like(over), where=under > 0)
        score[coded == 0] = np.nan
        return score

    def f1(self, times: Floats) -> Floats:
        """Area under F1-event of each resample, (R, A); NaN without coded events."""
        return np.asarray(self.curve(times).mean(axis=2), np.float64)


def subject_events(
    answers: Predictions, subject: NDArray[np.intp], n_subjects: int
) -> SubjectEvents | None:
    """Events of each subject, or nothing where frames have no number of their own.

    Args:
        answers: Frames in any order.
        subject: Index of each frame's subject, (N,).
        n_subjects: How many there are.
    """
    if answers.frames is None or answers.recordings is None:
        return None
    order, follows = in_order(answers.recordings, answers.frames)
    if _repeats(answers.recordings[order], answers.frames[order]):
        return None
    labels = answers.labels[order].T  # (A, N)
    coded, called = labels == 1, answers.predicted[order].T & (labels >= 0)
    subject, both = subject[order], coded & called
    n_coded, found = _overlaps(coded, both, follows, subject, n_subjects)
    n_called, right = _overlaps(called, both, follows, subject, n_subjects)
    return SubjectEvents(coded=n_coded, called=n_called, found=found, right=right)


def _repeats(recordings: NDArray[np.str_], frames: Ints) -> bool:
    """Two frames of one number: no one can say which follows which."""
    same = (recordings[1:] == recordings[:-1]) & (frames[1:] == frames[:-1])
    return bool(same.any())


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
