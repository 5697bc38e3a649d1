"""AUC and average precision of resampled subjects; each frame is sorted once.

Both are sums over the positive frames, in the order of their scores, of how many frames are
above or below. Counts are stored by subject, so that a resample weights counts:

* AUC needs only how often a positive of subject i scores above a negative of subject j (a tie
  is half a win): a matrix of subjects by subjects;
* average precision needs the counts at every score that a positive frame has. They are
  weighted in blocks of such scores, all resamples at once.

Both are exact: a subject drawn twice counts as if its frames occurred twice.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from action_units.evaluation.metrics import MISSING, Bools, Floats, Ints, Labels, ratio

_WEIGHTED = 128_000
"""Scores times resamples weighted at once: blocks of 1 MB, which fit into a cache."""

_COUNTED = 8192
"""Scores counted at once, for each subject."""


@dataclass(frozen=True, eq=False)
class SubjectRanks:
    """One AU's frames in the order of their scores, as counts.

    A *step* is a score that at least one positive frame has; steps count from the
    highest. A frame belongs to the first step whose score is not above its own: it is
    called positive from there on. Frames below the last step are left out.

    Attributes:
        step: The step that each frame belongs to, not falling, (M,).
        subject: Index of its subject, (M,).
        positive: Whether it shows the AU, (M,).
        steps: How many steps there are.
        wins: Twice how often a positive of subject i scores above a negative of
            subject j, ties counted half, (S, S).
        positives: Of each subject, (S,).
        negatives: Of each subject, (S,).
    """

    step: NDArray[np.intp]
    subject: NDArray[np.intp]
    positive: Bools
    steps: int
    wins: Floats
    positives: Floats
    negatives: Floats

    def select(self, members: Bools) -> "SubjectRanks":
        """The ranks of some subjects' frames alone, by a mask (S,); nothing is sorted again."""
        own = members[self.subject]
        step, positive = self.step[own], self.positive[own]
        is_step = np.bincount(step[positive], minlength=self.steps) > 0  # of those there were
        step = (np.cumsum(is_step) - is_step)[step]
        steps = int(np.count_nonzero(is_step))
        used = int(np.searchsorted(step, steps))
        index = np.cumsum(members) - 1
        return SubjectRanks(
            step=step[:used],
            subject=index[self.subject[own][:used]],
            positive=positive[:used],
            steps=steps,
            wins=self.wins[np.ix_(members, members)],
            positives=self.positives[members],
            negatives=self.negatives[members],
        )

    def auc(self, times: Floats) -> Floats:
        """Area under the ROC curve, (R,), with subjects weighted by `times` (R, S).

        NaN with one class only.
        """
        pairs = (times @ self.positives) * (times @ self.negatives)  # (R,)
        won = np.einsum("ri,ri->r", times @ self.wins, times) / 2
        return ratio(won, pairs)

    def average_precision(self, times: Floats) -> Floats:
        """Precision averaged over the steps of recall, weighted likewise, (R,).

        NaN without positives.
        """
        total, before = np.zeros(len(times)), np.zeros((2, times.shape[1]))
        drawn = np.ascontiguousarray(times.T)  # (S, R)
        block = max(1, min(_COUNTED, _WEIGHTED // max(1, len(times))))
        for start in range(0, self.steps, block):
            counts = self._block(start, min(start + block, self.steps))  # (2, B, S)
            more = counts[1] @ drawn  # (B, R)
            counts[:, 0] += before
            np.cumsum(counts, axis=1, out=counts)
            before = counts[:, -1].copy()
            called, hits = counts @ drawn  # (B, R) each
            # Without a frame called positive there are no hits either: 0 / 1, not 0 / 0.
            hits /= np.maximum(called, 1, out=called)
            total += np.einsum("br,br->r", more, hits)
        return ratio(total, times @ self.positives)

    def _block(self, start: int, stop: int) -> Floats:
        """Frames and positive frames of these steps, by subject, (2, B, S)."""
        n_subjects = self.positives.size
        low, high = np.searchsorted(self.step, [start, stop])
        cell = (self.step[low:high] - start) * n_subjects + self.subject[low:high]
        positive = cell[self.positive[low:high]]
        size = (stop - start) * n_subjects
        counts = np.stack([np.bincount(part, minlength=size) for part in (cell, positive)])
        return counts.reshape(2, stop - start, n_subjects).astype(np.float64)


def subject_ranks(
    labels: Labels, scores: Floats, subject: NDArray[np.intp], n_subjects: int
) -> SubjectRanks:
    """Sort one AU's frames once.

    Args:
        labels: 1, 0 or −1 (left out), (N,).
        scores: Higher is more positive, (N,).
        subject: Index of each frame's subject, (N,).
        n_subjects: How many there are.
    """
    known = labels != MISSING
    if not known.all():
        labels, scores, subject = labels[known], scores[known], subject[known]
    order = np.argsort(scores)[::-1]
    scores, positive, subject = scores[order], labels[order] == 1, subject[order]
    first = np.diff(scores, prepend=np.inf) != 0  # of each run of equal scores
    run = np.cumsum(first) - 1  # (N,)
    is_step = np.zeros(int(run[-1]) + 1 if run.size else 0, np.bool_)  # by run
    is_step[run[positive]] = True
    above: Ints = np.cumsum(is_step) - is_step
    step = above[run]  # steps above a run: its own or the next one
    steps = int(np.count_nonzero(is_step))
    positives = _tally(subject[positive], n_subjects)
    negatives = _tally(subject[~positive], n_subjects)
    tied = is_step[run]
    used = int(np.searchsorted(step, steps))
    return SubjectRanks(
        step=step[:used],
        subject=subject[:used],
        positive=positive[:used],
        steps=steps,
        wins=_wins(step[:used], subject[:used], positive[:used], tied[:used], negatives, steps),
        positives=positives,
        negatives=negatives,
    )


def _wins(
    step: Ints, subject: Ints, positive: Bools, tied: Bools, negatives: Floats, steps: int
) -> Floats:
    n = negatives.size
    wins, passed = np.zeros((n, n)), np.zeros(n)  # (S, S); negatives of the steps before
    kind = np.where(positive, 0, np.where(tied, 1, 2))
    for start in range(0, steps, _COUNTED):
        stop = min(start + _COUNTED, steps)
        low, high = np.searchsorted(step, [start, stop])
        cell = (
            (kind[low:high] * n + subject[low:high]) * (stop - start) + step[low:high] - start
        )
        flat = np.bincount(cell, minlength=3 * n * (stop - start))
        # Of a step's negatives, those at its own score are ties and those above it lost.
        winners, at, above = flat.reshape(3, n, stop - start).astype(np.float64)
        at_or_above = np.cumsum(at + above, axis=1) + passed[:, None]  # (S, B)
        doubled = 2 * (negatives[:, None] - at_or_above) + at
        wins += winners @ doubled.T  # integers below 2**53
        passed = at_or_above[:, -1]
    return wins


def _tally(subject: NDArray[np.intp], n_subjects: int) -> Floats:
    return np.bincount(subject, minlength=n_subjects).astype(np.float64)
