"""The subject that is shown, its events, and a line that keeps every peak."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from action_units.evaluation import metrics
from action_units.evaluation.metrics import Confusion
from action_units.evaluation.predictions import Predictions
from action_units.evaluation.report.timeline import (
    SubjectVideo,
    draw_timeline,
    median_subject,
    median_video,
    most_shown,
)
from action_units.evaluation.subject_statistics import SubjectCounts
from tests.evaluation.made_up import GROUPS, made_up_fold, made_up_predictions


def counts(tp, fn) -> SubjectCounts:
    tp, fn = np.array(tp), np.array(fn)
    zero = np.zeros_like(tp)
    return SubjectCounts(tuple("abcde"[: len(tp)]), Confusion(tp, zero, fn, zero))


def test_the_subject_nearest_the_median_is_taken():
    # F1 of one AU: 2 tp / (2 tp + fn) = 0, 2/3, 1; who shows nothing does not count.
    assert median_subject(counts([[0], [1], [1], [0]], [[1], [1], [0], [0]])) == (
        "b",
        pytest.approx(2 / 3),
    )
    assert median_subject(counts([[1], [1]], [[0], [0]]))[0] == "a"
    name, f1 = median_subject(counts([[0]], [[0]]))
    assert name == ""
    assert np.isnan(f1)


def predictions(frames: int = 40) -> Predictions:
    read = Predictions.read(made_up_predictions(frames=frames, aus=(1, 2, 4)), [0.5] * 3)
    return replace(read, labels=read.labels.copy(), probabilities=read.probabilities.copy())


def test_the_aus_are_those_most_shown_in_the_order_of_the_columns():
    one = predictions()
    mine = one.subjects == "SN002"
    one.labels[mine] = 0
    one.labels[np.flatnonzero(mine)[:3], 2] = 1
    one.labels[np.flatnonzero(mine)[:5], 0] = 1
    assert most_shown(one, "SN002") == (1, 4)
    assert most_shown(one, "SN002", 1) == (1,)


def test_events_and_probabilities_lie_at_their_frames():
    one = predictions()
    mine = np.flatnonzero(one.subjects == "SN002")
    one.labels[mine] = 0
    one.labels[mine[4:9], 1] = 1
    one.labels[mine[20], 1] = 1
    shuffled = np.random.default_rng(0).permutation(len(one.subjects))
    mixed = Predictions(
        one.aus,
        one.labels[shuffled],
        one.probabilities[shuffled],
        one.predicted[shuffled],
        one.subjects[shuffled],
        one.frames[shuffled],
    )
    (axes,) = draw_timeline(mixed, SubjectVideo("SN002", 0.5, 1, (2,), (0.4,))).axes
    spans = [p for p in axes.patches if isinstance(p, Rectangle)]
    assert [(p.get_x(), p.get_x() + p.get_width()) for p in spans] == [(4.5, 9.5), (20.5, 21.5)]
    line, threshold = axes.lines
    np.testing.assert_array_equal(line.get_xdata(), np.arange(1, 41))
    np.testing.assert_array_equal(line.get_ydata(), one.probabilities[mine, 1])
    assert threshold.get_ydata()[0] == 0.4


def test_intensities_lie_over_the_coded_ones():
    one = predictions()
    mine = np.flatnonzero(one.subjects == "SN002")
    coded = np.zeros((len(one.subjects), len(one.aus)))
    coded[mine[4:9], 1] = 3
    coded[mine[20], 1] = 5
    with_both = replace(one, intensities=coded, estimates=4 * one.probabilities)
    video = SubjectVideo("SN002", 0.5, 1, (2,), (0.4,))
    (axes,) = draw_timeline(with_both, video, intensities=True).axes
    shaded = [part.get_paths()[0].get_extents() for part in axes.collections]
    assert [(p.x0, p.x1, p.y1) for p in shaded] == [(4.5, 9.5, 3), (20.5, 21.5, 5)]
    (line,) = axes.lines
    np.testing.assert_array_equal(line.get_ydata(), 4 * one.probabilities[mine, 1])
    assert axes.get_ylim() == (0, 5)


def test_a_long_video_keeps_its_peaks_and_valleys():
    long = predictions(frames=3000)
    mine = np.flatnonzero(long.subjects == "SN001")
    long.probabilities[mine, 0] = 0.5
    long.probabilities[mine[777], 0] = 1.0
    long.probabilities[mine[2222], 0] = 0.0
    line = (
        draw_timeline(long, SubjectVideo("SN001", 0.5, 1, (1,), (0.5,)), points=200)
        .axes[0]
        .lines[0]
    )
    assert len(line.get_xdata()) <= 200
    drawn = dict(zip(line.get_xdata(), line.get_ydata(), strict=True))
    assert (drawn[778], drawn[2223]) == (1.0, 0.0)


def test_the_video_is_the_median_subjects_with_the_folds_thresholds():
    folds = [made_up_fold(n) for n in (1, 2)]
    folds[1].finetuned.au_table["threshold"] = np.linspace(0.1, 0.9, 12)
    said = {n: predictions_of(n) for n in (1, 2)}
    means = {
        who: np.nanmean(metrics.f1(part)[row])
        for fold in folds
        for part in [fold.finetuned.subject_counts.counts]
        for row, who in enumerate(fold.finetuned.subject_counts.subjects)
    }
    middle = np.median(list(means.values()))
    video = median_video(folds, said, n=3)
    assert video.subject == min(means, key=lambda who: (abs(means[who] - middle), who))
    assert video.f1 == pytest.approx(means[video.subject])
    fold = folds[0] if video.subject in GROUPS[0] else folds[1]
    assert video.fold == fold.fold
    table = fold.finetuned.au_table.set_index("au")
    assert list(video.thresholds) == table.loc[list(video.aus), "threshold"].tolist()
    assert len(video.aus) == 3


def test_without_frame_numbers_there_is_no_video():
    said = {1: replace(predictions_of(1), frames=None)}
    assert median_video([made_up_fold(1)], said) is None
    assert median_video([made_up_fold(1)], {}) is None


def predictions_of(fold: int) -> Predictions:
    return Predictions.read(made_up_predictions(GROUPS[fold - 1], seed=fold), [0.5] * 12)
