"""One subject's probabilities over the codes, frame by frame."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from action_units.evaluation import metrics
from action_units.evaluation.bootstrap import SubjectCounts, mean_defined, together
from action_units.evaluation.fold import FoldEvaluation
from action_units.evaluation.metrics import Floats, Ints
from action_units.evaluation.predictions import Predictions
from action_units.evaluation.report.theme import LIGHT, Palette, settings
from action_units.evaluation.videos import in_order, runs
from action_units.labels.action_units import au_column


@dataclass(frozen=True)
class Video:
    """A test subject's video and what is worth drawing of it.

    Attributes:
        subject: Whose.
        f1: The subject's mean F1.
        fold: In which the subject was tested.
        aus: Those that the subject shows most.
        thresholds: Of these AUs in this fold.
    """

    subject: str
    f1: float
    fold: int
    aus: tuple[int, ...]
    thresholds: tuple[float, ...]


def median_video(
    folds: Sequence[FoldEvaluation], answers: Mapping[int, Predictions], n: int = 6
) -> Video | None:
    """The video of the subject whose mean F1 is nearest the median.

    Args:
        folds: Those that were evaluated.
        answers: What the network said of the test subjects, by fold.
        n: At most so many AUs.

    Returns:
        None where nobody shows any AU, or where there are no frame numbers.
    """
    subject, f1 = median_subject(together([fold.finetuned.people for fold in folds]))
    fold = next((one for one in folds if subject in one.test), None)
    if fold is None or fold.fold not in answers or answers[fold.fold].frames is None:
        return None
    aus = most_shown(answers[fold.fold], subject, n)
    limits = dict(zip(fold.aus, fold.finetuned.au_table["threshold"], strict=True))
    return Video(subject, f1, fold.fold, aus, tuple(float(limits[au]) for au in aus))


def median_subject(people: SubjectCounts) -> tuple[str, float]:
    """The subject whose mean F1 is nearest the median of all, and that F1.

    Of two equally near the first by name.

    Args:
        people: Confusion counts of each subject. Their means run over the AUs that each
            shows; who shows none does not count.

    Returns:
        An empty name and NaN where nobody shows any AU.
    """
    means = mean_defined(metrics.f1(people.counts))  # (S,)
    ranked = sorted(
        (abs(mean - np.nanmedian(means)), subject, float(mean))
        for subject, mean in zip(people.subjects, means, strict=True)
        if not np.isnan(mean)
    )
    return (ranked[0][1], ranked[0][2]) if ranked else ("", float("nan"))


def most_shown(answers: Predictions, subject: str, n: int = 6) -> tuple[int, ...]:
    """The AUs that a subject shows in most frames, in the order of the columns."""
    frames = (answers.labels[answers.subjects == subject] == 1).sum(axis=0)  # (A,)
    often = sorted(np.flatnonzero(frames), key=lambda column: -frames[column])[:n]
    return tuple(answers.aus[column] for column in sorted(often))


def draw_timeline(
    answers: Predictions, video: Video, points: int = 500, palette: Palette = LIGHT
) -> Figure:
    """Probabilities of several AUs by frame; coded events shaded, thresholds dashed.

    Args:
        answers: With frame numbers, the subject among them.
        video: Whose video and which AUs, a row of the figure for each.
        points: A line of more frames than these is drawn by the lowest and the highest of
            each stretch of frames.
        palette: `LIGHT`, or `STAND_INS` for an inline SVG.
    """
    assert answers.frames is not None  # the caller asks for a timeline of a video
    order = np.flatnonzero(answers.subjects == video.subject)
    recordings = answers.subjects if answers.recordings is None else answers.recordings
    by_time, follows = in_order(recordings[order], answers.frames[order])
    order = order[by_time]
    frames = answers.frames[order]
    with settings(palette):
        figure = Figure(figsize=(9, 0.72 * len(video.aus) + 0.6), layout="constrained")
        rows = figure.subplots(len(video.aus), 1, sharex=True, squeeze=False)[:, 0]
        for au, threshold, axes in zip(video.aus, video.thresholds, rows, strict=True):
            column = answers.aus.index(au)
            starts, stops = runs(answers.labels[order, column] == 1, follows)
            for start, stop in zip(starts, stops, strict=True):
                ends = frames[start] - 0.5, frames[stop - 1] + 0.5
                axes.axvspan(*ends, color=palette.scratch, alpha=0.3, lw=0)
            x, y = _thinned(frames, answers.probabilities[order, column], points)
            axes.plot(x, y, color=palette.ours, lw=1.3)
            axes.axhline(threshold, color=palette.ink, lw=0.9, ls=(0, (4, 3)))
            axes.set_ylim(0, 1)
            axes.set_yticks([0, 1])
            axes.tick_params(length=0)
            axes.set_ylabel(
                au_column(au), rotation=0, ha="right", va="center", color=palette.ink
            )
        rows[-1].set_xlabel("frame")
        rows[-1].set_xlim(frames.min() - 0.5, frames.max() + 0.5)
    return figure


def _thinned(frames: Ints, values: Floats, points: int) -> tuple[Ints, Floats]:
    """At most about `points` frames with every peak and every valley kept."""
    if frames.size <= points:
        return frames, values
    parts = np.array_split(np.arange(frames.size), max(points // 2, 1))
    ends = [
        (part[0] + values[part].argmin(), part[0] + values[part].argmax()) for part in parts
    ]
    kept = np.unique(np.array(ends))
    return frames[kept], values[kept]
