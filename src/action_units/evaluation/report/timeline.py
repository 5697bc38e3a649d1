"""One subject's probabilities and coded events, or intensities, frame by frame."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from action_units.evaluation import metrics
from action_units.evaluation.events import frame_order, runs
from action_units.evaluation.fold import FoldEvaluation
from action_units.evaluation.metrics import Bools, Floats, mean_defined
from action_units.evaluation.predictions import HIGHEST_INTENSITY, Predictions
from action_units.evaluation.report.theme import LIGHT, set_margins, style
from action_units.evaluation.subject_statistics import SubjectCounts, pool_subjects
from action_units.labels.action_units import au_column

_CODED: dict[str, Any] = {"color": LIGHT.scratch, "alpha": 0.3, "lw": 0}
_NOT_SCORED: dict[str, Any] = {"color": LIGHT.muted, "alpha": 0.2, "lw": 0}


@dataclass(frozen=True)
class SubjectVideo:
    """A test subject's video, the longest one, and the AUs to draw.

    Attributes:
        subject: The subject.
        f1: The subject's mean F1.
        fold: In which the subject was tested.
        aus: Those that the subject shows most.
        thresholds: Of these AUs in this fold.
        not_scored: Whether one of them is not scored in some frames.
    """

    subject: str
    f1: float
    fold: int
    aus: tuple[int, ...]
    thresholds: tuple[float, ...]
    not_scored: bool = False


def median_video(
    folds: Sequence[FoldEvaluation], predictions: Mapping[int, Predictions], n: int = 6
) -> SubjectVideo | None:
    """The video of the subject whose mean F1 is nearest the median.

    Args:
        folds: Those that were evaluated.
        predictions: Of the test subjects, by fold.
        n: At most so many AUs.

    Returns:
        None if no subject shows any AU, or without frame numbers.
    """
    counts = pool_subjects([fold.finetuned.subject_counts for fold in folds])
    subject, f1 = median_subject(counts)
    fold = next((one for one in folds if subject in one.test), None)
    part = predictions.get(fold.fold) if fold else None
    if fold is None or part is None or part.frames is None:
        return None
    aus = most_shown(part, subject, n)
    limits = dict(zip(fold.aus, fold.finetuned.au_table["threshold"], strict=True))
    labels = part.labels[longest_video(part, subject)]
    return SubjectVideo(
        subject,
        f1,
        fold.fold,
        aus,
        tuple(float(limits[au]) for au in aus),
        bool((labels[:, [part.aus.index(au) for au in aus]] == metrics.MISSING).any()),
    )


def median_subject(counts: SubjectCounts) -> tuple[str, float]:
    """The subject whose mean F1 is nearest the median of all, and that F1.

    Means run over the AUs that a subject shows; a subject who shows none does not count. A
    tie goes to the first by name. An empty name and NaN if no subject shows any AU.
    """
    means = mean_defined(metrics.f1(counts.counts))  # (S,)
    ranked = sorted(
        (abs(mean - np.nanmedian(means)), subject, float(mean))
        for subject, mean in zip(counts.subjects, means, strict=True)
        if not np.isnan(mean)
    )
    return (ranked[0][1], ranked[0][2]) if ranked else ("", float("nan"))


def longest_video(predictions: Predictions, subject: str) -> NDArray[np.intp]:
    """The rows of the subject's video that has most frames; of equals the first by name."""
    rows = np.flatnonzero(predictions.subjects == subject)
    if predictions.recordings is None or not rows.size:
        return rows
    own = predictions.recordings[rows]
    names, frames = np.unique(own, return_counts=True)
    longest: Bools = own == names[frames.argmax()]
    return rows[longest]


def most_shown(predictions: Predictions, subject: str, n: int = 6) -> tuple[int, ...]:
    """The `n` AUs that a subject's video shows in most frames, in the order of the columns."""
    own = predictions.labels[longest_video(predictions, subject)]
    frames = (own == 1).sum(axis=0)  # (A,)
    often = sorted(np.flatnonzero(frames), key=lambda column: -frames[column])[:n]
    return tuple(predictions.aus[column] for column in sorted(often))


@style()
def draw_timeline(
    predictions: Predictions,
    video: SubjectVideo,
    points: int = 500,
    intensities: bool = False,
) -> Figure:
    """Probabilities of several AUs by frame; coded events shaded, thresholds dashed.

    Frames in which an AU was not scored are grey; a line breaks where frames are left out.

    Args:
        predictions: With frame numbers, the subject among them.
        video: A row of the figure for each of its AUs.
        points: A line of more frames than these is drawn by the lowest and the highest of
            each stretch of frames.
        intensities: Draw estimated intensities, over the shaded coded ones, in place of
            probabilities; the predictions have both.
    """
    assert predictions.frames is not None  # or there would be no video
    order = longest_video(predictions, video.subject)
    by_time, follows = frame_order(np.zeros(order.size), predictions.frames[order])
    order = order[by_time]
    frames = predictions.frames[order]
    piece = np.cumsum(~follows)  # of consecutive frames
    figure = Figure(figsize=(9, 0.72 * len(video.aus) + 0.6))
    set_margins(figure, 0.65, 0.48, 0.1, 0.1, hspace=0.35)
    rows = figure.subplots(len(video.aus), 1, sharex=True, squeeze=False)[:, 0]
    for au, threshold, axes in zip(video.aus, video.thresholds, rows, strict=True):
        column = predictions.aus.index(au)
        labels, top = predictions.labels[order, column], 1.0
        spans = [] if intensities else [(labels == 1, _CODED)]
        spans.append((labels == metrics.MISSING, _NOT_SCORED))
        values = predictions.probabilities[order, column]
        if intensities:
            assert predictions.intensities is not None
            assert predictions.estimates is not None
            values, top = predictions.estimates[order, column], HIGHEST_INTENSITY
            coded = np.nan_to_num(predictions.intensities[order, column])
            for level in np.unique(coded[coded > 0]):
                for start, stop in zip(*runs(coded == level, follows), strict=True):
                    left, right = frames[start] - 0.5, frames[stop - 1] + 0.5
                    axes.fill_between([left, right], level, **_CODED)
        for shown, look in spans:
            for start, stop in zip(*runs(shown, follows), strict=True):
                axes.axvspan(frames[start] - 0.5, frames[stop - 1] + 0.5, **look)
        at = _thinned(values, points)
        breaks = np.flatnonzero(np.diff(piece[at])) + 1
        x = np.insert(frames[at].astype(np.float64), breaks, np.nan)
        axes.plot(x, np.insert(values[at], breaks, np.nan), color=LIGHT.ours, lw=1.3)
        if not intensities:
            axes.axhline(threshold, color=LIGHT.ink, lw=0.9, ls=(0, (4, 3)))
        axes.set_ylim(0, top)
        axes.set_yticks([0, int(top)])
        axes.tick_params(length=0)
        axes.set_ylabel(au_column(au), rotation=0, ha="right", va="center", color=LIGHT.ink)
    rows[-1].set_xlabel("frame")
    rows[-1].set_xlim(frames.min() - 0.5, frames.max() + 0.5)
    return figure


def _thinned(values: Floats, points: int) -> NDArray[np.intp]:
    """At most about `points` frames, every peak and every valley among them."""
    if values.size <= points:
        return np.arange(values.size)
    parts = np.array_split(np.arange(values.size), max(points // 2, 1))
    ends = [
        (part[0] + values[part].argmin(), part[0] + values[part].argmax()) for part in parts
    ]
    return np.unique(np.array(ends))
