"""Crop geometry."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from action_units.errors import UnusableFace
from action_units.faces.cropping import (
    crop_face,
    pad_to_square,
    resize_square,
    square_around,
)
from action_units.facs.label_tables import parse_rectsize

PHOTO = np.random.default_rng(0).integers(1, 256, (70, 90), dtype=np.uint8)  # nowhere zero

coordinate = st.floats(-40, 100, allow_nan=False)
length = st.floats(0.5, 120, allow_nan=False)
boxes = st.tuples(coordinate, coordinate, length, length)


@given(box=boxes, margin=st.floats(0, 1))
def test_the_square_contains_the_box_and_its_margin_tightly(box, margin):
    x, y, width, height = box
    left, top, side, other = square_around(box, margin)
    assert side == other
    assert left <= x - margin * width + 1e-9
    assert top <= y - margin * height + 1e-9
    assert left + side >= x + width * (1 + margin) - 1e-9
    assert top + side >= y + height * (1 + margin) - 1e-9
    assert side <= max(width, height) * (1 + 2 * margin) + 2
    assert abs(left + side / 2 - (x + width / 2)) <= 1.5
    assert abs(top + side / 2 - (y + height / 2)) <= 1.5


@given(box=boxes, margin=st.floats(0, 1))
def test_a_crop_is_the_photograph_inside_it_and_zero_outside(box, margin):
    left, top, side, _ = square_around(box, margin)
    expected = np.zeros((side, side), np.uint8)
    for row in range(side):
        for column in range(side):
            y, x = top + row, left + column
            if 0 <= y < 70 and 0 <= x < 90:
                expected[row, column] = PHOTO[y, x]
    if not expected.any():
        with pytest.raises(UnusableFace, match="outside the photograph"):
            crop_face(PHOTO, box, margin)
        return
    crop = crop_face(PHOTO, box, margin)
    assert np.array_equal(crop.pixels, expected)
    assert crop.source == (left, top, side, side)
    assert parse_rectsize(crop.rectsize) == (0, 0, side, side)


def test_large_crops_are_made_smaller_and_small_ones_are_not():
    box = (10, 10, 50, 50)
    assert crop_face(PHOTO, box, max_size=20).pixels.shape == (20, 20)
    assert crop_face(PHOTO, box, max_size=20).rectsize == "(0,0,20,20)"
    assert crop_face(PHOTO, box, max_size=60).pixels.shape == (50, 50)


def test_colours_become_gray():
    colour = np.zeros((40, 40, 3), np.uint8)
    colour[..., 1] = 200  # green
    assert crop_face(colour, (5, 5, 10, 10)).pixels[0, 0] == round(0.587 * 200)


def test_shrinking_takes_the_mean_of_what_becomes_one_pixel():
    pixels = PHOTO[:64, :64]
    blocks = pixels.reshape(16, 4, 16, 4).astype(float).mean((1, 3))
    assert np.abs(resize_square(pixels, 16) - blocks).max() <= 0.5
    assert resize_square(pixels, 64) is pixels
    grown = resize_square(np.array([[0, 100], [0, 100]], np.uint8), 8)
    assert grown.shape == (8, 8)
    assert (np.diff(grown.astype(int), axis=1) >= 0).all()


@given(height=st.integers(1, 40), width=st.integers(1, 40))
def test_padding_keeps_the_picture_in_the_middle(height, width):
    pixels = PHOTO[:height, :width]
    square = pad_to_square(pixels)
    side = max(height, width)
    assert square.shape == (side, side)
    top, left = (side - height) // 2, (side - width) // 2
    assert np.array_equal(square[top : top + height, left : left + width], pixels)
    assert int(square.sum()) == int(pixels.sum())
