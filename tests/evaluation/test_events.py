"""F1 of events against the definition read literally, and frames in the order of their videos."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from action_units.evaluation.events import OVERLAPS, frame_order, runs, subject_events
from action_units.evaluation.predictions import Predictions

ONE = np.ones((1, 1))


def predictions_of(labels, predicted, frames=None, recordings=None) -> Predictions:
    y, hat = (np.asarray(part).reshape(len(labels), -1) for part in (labels, predicted))
    n = len(y)
    return Predictions(
        aus=tuple(range(1, y.shape[1] + 1)),
        labels=y.astype(np.int8),
        probabilities=hat.astype(float),
        predicted=hat.astype(bool),
        subjects=np.full(n, "SN001"),
        frames=np.arange(n) if frames is None else np.asarray(frames),
        recordings=np.full(n, "v") if recordings is None else np.asarray(recordings),
    )


def area(predictions: Predictions) -> np.ndarray:
    return subject_events(predictions, np.zeros(len(predictions.labels), int), 1).f1(ONE)[0]


def naive_events(mask: dict[tuple[str, int], bool]) -> list[set[tuple[str, int]]]:
    """Sets of consecutive frames of one recording."""
    found: list[set[tuple[str, int]]] = []
    for video, frame in sorted(key for key, value in mask.items() if value):
        if found and (video, frame - 1) in found[-1]:
            found[-1].add((video, frame))
        else:
            found.append({(video, frame)})
    return found


def naive_curve(labels, predicted, frames, recordings) -> list[float]:
    keys = list(zip(recordings, frames, strict=True))
    coded = {key: y == 1 for key, y in zip(keys, labels, strict=True)}
    called = {k: bool(h) and y >= 0 for k, h, y in zip(keys, predicted, labels, strict=True)}
    true, ours = naive_events(coded), naive_events(called)
    if not true:
        return [float("nan")] * 100
    curve = []
    for percent in range(1, 101):
        found = sum(100 * sum(called[k] for k in e) >= percent * len(e) for e in true)
        right = sum(100 * sum(coded[k] for k in e) >= percent * len(e) for e in ours)
        recall, precision = found / len(true), right / len(ours) if ours else 0.0
        both = recall + precision
        curve.append(2 * recall * precision / both if both else 0.0)
    return curve


@st.composite
def videos(draw: st.DrawFn):
    n = draw(st.integers(1, 40))
    labels = draw(arrays(np.int8, n, elements=st.sampled_from([-1, 0, 0, 1, 1, 1])))
    predicted = draw(arrays(np.bool_, n))
    frames = np.sort(draw(arrays(np.int64, n, elements=st.integers(1, 60), unique=True)))
    recordings = draw(arrays(np.int8, n, elements=st.integers(0, 1))).astype(str)
    order = draw(st.permutations(range(n)))
    return [part[list(order)] for part in (labels, predicted, frames, recordings)]


@settings(max_examples=150, deadline=None)
@given(videos())
def test_the_curve_is_the_definition_read_literally(data):
    found = subject_events(predictions_of(*data), np.zeros(len(data[0]), int), 1).curve(ONE)
    np.testing.assert_allclose(found[0, 0], naive_curve(*data), atol=1e-12)


def test_a_perfect_prediction_has_area_one_and_none_has_area_zero():
    labels = [0, 1, 1, 1, 0, 0, 1, 0]
    assert area(predictions_of(labels, labels))[0] == 1.0
    assert area(predictions_of(labels, [0] * 8))[0] == 0.0
    assert np.isnan(area(predictions_of([0] * 8, labels))[0])  # nothing to find


def test_half_an_event_is_found_up_to_half():
    labels, predicted = [0, 1, 1, 1, 1, 0], [0, 1, 1, 0, 0, 0]
    curve = subject_events(predictions_of(labels, predicted), np.zeros(6, int), 1).curve(ONE)[
        0, 0
    ]
    np.testing.assert_array_equal(curve, OVERLAPS <= 0.5)
    assert area(predictions_of(labels, predicted))[0] == pytest.approx(0.5)


def test_an_event_that_flickers_is_many_calls():
    labels, predicted = [1] * 9, [1, 0, 1, 0, 1, 0, 1, 0, 1]
    events = subject_events(predictions_of(labels, predicted), np.zeros(9, int), 1)
    assert (events.coded[0, 0], events.predicted[0, 0]) == (1, 5)


@pytest.mark.parametrize(
    ("labels", "frames", "recordings", "events"),
    [
        ([1, 1, 1, 1], [1, 2, 3, 4], list("aaaa"), 1),
        ([1, 1, 1, 1], [1, 2, 4, 5], list("aaaa"), 2),  # a gap
        ([1, -1, 1, 1], [1, 2, 3, 4], list("aaaa"), 2),  # a frame without a label
        ([1, 1, 1, 1], [1, 2, 3, 4], list("aabb"), 2),  # two videos
        ([1, 1, 1, 1], [4, 2, 1, 3], list("aaaa"), 1),  # any order
    ],
)
def test_what_ends_an_event(labels, frames, recordings, events):
    found = subject_events(
        predictions_of(labels, labels, frames, recordings), np.zeros(4, int), 1
    )
    assert found.coded[0, 0] == events


def test_a_number_that_comes_twice_leaves_events_undefined():
    assert subject_events(predictions_of([1, 1], [1, 1], [3, 3]), np.zeros(2, int), 1) is None


def test_subjects_are_drawn_with_their_events():
    labels = np.array([[1], [1], [0], [1], [0], [1]])
    predicted = np.array([[1], [1], [0], [0], [1], [1]])
    predictions = predictions_of(labels, predicted, [1, 2, 3, 1, 2, 3], list("aaabbb"))
    found = subject_events(predictions, np.array([0, 0, 0, 1, 1, 1]), 2)
    times = np.array([[2.0, 0.0], [0.0, 2.0], [1.0, 1.0]])
    # a: 1 of 1 right; b: 1 of 2 coded found, its one called event half right.
    curve = found.curve(times)[:, 0]
    assert curve[0].tolist() == [1.0] * 100
    np.testing.assert_allclose(curve[1][:50], 2 * 0.5 * 1 / 1.5)
    np.testing.assert_allclose(curve[1][50:], 0)
    # Together 2 of 3 coded events are found, and beyond half 1 of 2 called ones is right.
    np.testing.assert_allclose(curve[2][50:], 2 * (2 / 3) * 0.5 / (2 / 3 + 0.5))


def test_frames_are_sorted_by_video_and_number():
    order, follows = frame_order(["b", "a", "a", "b", "a", "a"], [2, 10, 9, 3, 12, 12])
    assert order.tolist()[:2] == [2, 1]
    assert order.tolist()[4:] == [0, 3]
    # 9, 10 | a gap, 12 | 12 again | b: 2, 3
    assert follows.tolist() == [False, True, False, False, False, True]


def test_runs_end_where_frames_do_not_follow():
    mask = np.array([True, True, True, False, True, True])
    follows = np.array([False, True, False, True, True, True])
    starts, stops = runs(mask, follows)
    assert list(zip(starts, stops, strict=True)) == [(0, 2), (2, 3), (4, 6)]


def test_nothing_has_no_runs():
    order, follows = frame_order([], [])
    starts, stops = runs(np.zeros(0, bool), follows)
    assert order.size == follows.size == starts.size == stops.size == 0
