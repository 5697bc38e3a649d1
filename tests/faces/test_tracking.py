"""Following one face through a video."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from action_units.faces.tracking import continuation, distance, overlap

FACE = (100.0, 80.0, 60.0, 80.0)

place = st.floats(-200, 800, allow_nan=False)
length = st.floats(1, 300, allow_nan=False)
boxes = st.tuples(place, place, length, length)


def moved(box, right=0.0, down=0.0, scale=1.0):
    x, y, width, height = box
    middle = x + width / 2 + right, y + height / 2 + down
    width, height = width * scale, height * scale
    return middle[0] - width / 2, middle[1] - height / 2, width, height


def test_overlap_is_counted_in_pixels():
    canvas = np.zeros((2, 40, 40), bool)
    one, other = (5, 6, 10, 20), (9, 2, 12, 14)
    for mask, (x, y, width, height) in zip(canvas, (one, other), strict=True):
        mask[y : y + height, x : x + width] = True
    assert overlap(one, other) == pytest.approx(canvas.all(0).sum() / canvas.any(0).sum())


@given(one=boxes, other=boxes)
def test_overlap_is_a_symmetric_part_of_one(one, other):
    assert 0 <= overlap(one, other) <= 1 + 1e-9
    assert overlap(one, other) == pytest.approx(overlap(other, one))
    assert overlap(one, one) == pytest.approx(1)
    assert distance(one, other) == pytest.approx(distance(other, one))
    assert distance(one, one) == pytest.approx(0, abs=1e-9)


@given(
    others=st.lists(boxes, max_size=4),
    right=st.floats(-8, 8),
    down=st.floats(-8, 8),
    at=st.data(),
)
def test_a_face_that_hardly_moved_goes_on(others, right, down, at):
    """Whatever else is in the frame, the box that overlaps most is taken."""
    here = moved(FACE, right, down)
    boxes = list(others)
    boxes.insert(at.draw(st.integers(0, len(boxes))), here)
    index = continuation(FACE, boxes)
    assert index is not None
    assert overlap(FACE, boxes[index]) >= overlap(FACE, here) > 0.6


@given(boxes=st.lists(boxes, max_size=5), gap=st.integers(1, 10))
def test_the_order_of_the_faces_does_not_matter(boxes, gap):
    index = continuation(FACE, boxes, gap)
    backwards = continuation(FACE, boxes[::-1], gap)
    if index is None:
        assert backwards is None
    else:
        assert backwards is not None
        one, other = boxes[index], boxes[::-1][backwards]
        assert overlap(FACE, one) == overlap(FACE, other)
        assert distance(FACE, one) == distance(FACE, other)


@given(boxes=st.lists(boxes, max_size=5), gap=st.integers(1, 9))
def test_what_can_be_reached_can_be_reached_later_too(boxes, gap):
    if continuation(FACE, boxes, gap) is not None:
        assert continuation(FACE, boxes, gap + 1) is not None


def test_overlap_counts_before_the_centre():
    around, beside = moved(FACE, scale=1.7), moved(FACE, 6)
    assert overlap(FACE, around) > 0.3
    assert continuation(FACE, [around, beside]) == 1


def test_the_larger_and_surer_face_beside_it_is_not_taken():
    poster = (400.0, 50.0, 150.0, 200.0)
    assert continuation(FACE, [poster, moved(FACE, 5, 5)]) == 1
    assert continuation(FACE, [poster]) is None


def test_a_fast_face_is_followed_as_far_as_it_can_have_come():
    side = math.sqrt(FACE[2] * FACE[3])
    for gap in (1, 2, 5):
        reach = 0.5 * side * gap
        near, far = moved(FACE, down=-(reach - 1)), moved(FACE, down=-(reach + 1))
        assert continuation(FACE, [near], gap) == 0
        if overlap(FACE, far) <= 0.3:
            assert continuation(FACE, [far], gap) is None
    assert continuation(FACE, [moved(FACE, 90), moved(FACE, -70)], gap=3) == 1


def test_a_face_does_not_become_another_size_at_once():
    for scale in (0.4, 2.5):
        assert continuation(FACE, [moved(FACE, 10, scale=scale)]) is None
    for scale in (0.7, 1.5):
        assert continuation(FACE, [moved(FACE, 10, scale=scale)]) == 0


def test_an_empty_frame_continues_nothing():
    assert continuation(FACE, []) is None
