"""The order of frames, and unbroken runs."""

import numpy as np

from action_units.evaluation.videos import in_order, runs


def test_frames_are_sorted_by_video_and_number():
    order, follows = in_order(["b", "a", "a", "b", "a", "a"], [2, 10, 9, 3, 12, 12])
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
    order, follows = in_order([], [])
    starts, stops = runs(np.zeros(0, bool), follows)
    assert order.size == follows.size == starts.size == stops.size == 0
