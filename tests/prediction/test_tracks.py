"""Numbers of faces that stay along a video."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from action_units.errors import ConfigurationError, UnusableFace
from action_units.faces.detection.base import Detection
from action_units.faces.detection.registry import make_detector
from action_units.faces.tracking import PATIENCE
from action_units.prediction.tracks import AllFaces, OneFace, make_tracker

ALL = AllFaces


def face(x, y=50.0, side=60.0, score=0.9):
    return Detection(float(x), float(y), float(side), float(side), score)


def numbers(tracker, frames):
    """The track of each face of each frame, in the order given."""
    found = []
    for n, faces in enumerate(frames, 1):
        given_to = {place: number for number, place in tracker.follow(n, faces)}
        found.append([given_to.get(place) for place in range(len(faces))])
    return found


def test_people_keep_their_numbers_however_the_detector_orders_them():
    frames = [[face(10 + n), face(200 - n)] for n in range(20)]
    frames[5].reverse()
    frames[6].reverse()
    found = numbers(ALL(), frames)
    assert all(row == [0, 1] for n, row in enumerate(found) if n not in (5, 6))
    assert found[5] == found[6] == [1, 0]


def test_people_who_pass_each_other_are_not_exchanged():
    # Side by side, 12 pixels apart in height, each moves 6 pixels a frame.
    frames = [[face(10 + 6 * n, 50), face(190 - 6 * n, 90)] for n in range(30)]
    assert all(row == [0, 1] for row in numbers(ALL(), frames))


def test_of_faces_that_overlap_nothing_the_nearest_are_taken():
    # Five frames later both can be either, and overlap neither.
    frames = [[face(0), face(0, 140)], *[[]] * 4, [face(100, 140), face(90, 50)]]
    assert numbers(ALL(), frames)[-1] == [1, 0]


def test_a_face_that_is_gone_for_a_moment_comes_back_as_itself():
    frames = [[face(10)], *[[]] * (PATIENCE - 1), [face(14)]]
    assert numbers(ALL(), frames)[-1] == [0]
    frames = [[face(10)], *[[]] * PATIENCE, [face(14)]]
    assert numbers(ALL(), frames)[-1] == [1]


def test_a_new_face_gets_a_new_number_and_none_is_given_twice():
    frames = [[face(10)], [face(10), face(300)], [face(300)], [face(300), face(500), face(10)]]
    assert numbers(ALL(), frames) == [[0], [0, 1], [1], [1, 2, 0]]


def shared(one, other):
    """Intersection over union of two boxes of 60 pixels."""
    both = (60 - abs(one.x - other.x)) * (60 - abs(one.y - other.y))
    return both / (2 * 3600 - both)


def total(before, after, order):
    return sum(shared(before[i], after[j]) for i, j in enumerate(order))


def test_the_assignment_is_the_best_of_all():
    """Against all permutations: the largest sum of overlaps, where all overlap."""
    rng = np.random.default_rng(3)
    for _ in range(30):
        before, after = (
            [face(*(100 + rng.uniform(0, 25, 2))) for _ in range(4)] for _ in range(2)
        )
        tracker = ALL()
        tracker.follow(1, before)
        given_to = dict(tracker.follow(2, after))
        orders = itertools.permutations(range(4))
        best = max(total(before, after, order) for order in orders)
        found = [given_to[number] for number in range(4)]
        assert total(before, after, found) == pytest.approx(best)


steps = st.lists(
    st.lists(st.tuples(st.integers(0, 500), st.integers(0, 300)), max_size=4), max_size=15
)


@settings(max_examples=80, deadline=None)
@given(frames=steps)
def test_all_faces_are_kept_and_no_number_is_twice_in_a_frame(frames):
    tracker, seen = ALL(), -1
    for n, places in enumerate(frames, 1):
        kept = tracker.follow(n, [face(*place) for place in places])
        assert sorted(place for _, place in kept) == list(range(len(places)))
        given_to = [number for number, _ in kept]
        assert len(set(given_to)) == len(given_to)
        new = [number for number in given_to if number > seen]
        assert sorted(new) == list(range(seen + 1, seen + 1 + len(new)))
        seen += len(new)


@settings(max_examples=80, deadline=None)
@given(frames=steps)
def test_one_is_the_face_that_preprocessing_takes(frames):
    detector, tracker = make_detector(), OneFace()
    last = None
    for n, places in enumerate(frames, 1):
        found = [face(*place) for place in places]
        detector.detect = lambda pixels, found=found: found
        try:
            if last is None:
                wanted = detector.best(None)
            else:
                wanted = detector.best(None, last[1], n - last[0])
            last = n, wanted
        except UnusableFace:
            wanted = None
        kept = tracker.follow(n, found)
        assert [found[place] for _, place in kept] == ([] if wanted is None else [wanted])
        assert all(number == 0 for number, _ in kept)


def test_a_single_person_is_the_same_face_in_both_ways():
    frames = [[face(10 + 3 * n)] if n not in (4, 5) else [] for n in range(15)]
    assert numbers(ALL(), frames) == numbers(OneFace(), frames)


def test_an_unknown_choice_is_refused():
    with pytest.raises(ConfigurationError, match="faces='some' is unknown"):
        make_tracker("some")
