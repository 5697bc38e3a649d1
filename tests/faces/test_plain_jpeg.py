"""The fast way for plain JPEG files gives what Pillow gives, or leaves it to Pillow."""

import io

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from action_units.faces.plain_jpeg import decode_plain_jpeg
from tests.faces.picture_files import SMOOTH, colours, encoded, picture_files, turned

FILES = picture_files()
PLAIN = {"JPEG", "JPEG gray", "JPEG with restarts"}
NOISE = np.random.default_rng(1).integers(0, 256, (24, 40), dtype=np.uint8)


def by_pillow(content):
    with Image.open(io.BytesIO(content)) as image:
        image.draft("L", image.size)
        return np.asarray(image)


@pytest.mark.parametrize("name", FILES)
def test_only_plain_files_are_taken(name):
    found = decode_plain_jpeg(FILES[name], 1e6)
    assert (found is not None) == (name in PLAIN)
    if found is not None:
        assert np.array_equal(found, by_pillow(FILES[name]))


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("quality", [30, 75, 100])
@pytest.mark.parametrize("size", [(1, 1), (7, 9), (33, 41)])
def test_the_pixels_are_pillows(quality, subsampling, size):
    image = colours().resize(size)
    content = encoded(image, "JPEG", quality=quality, subsampling=subsampling)
    assert np.array_equal(decode_plain_jpeg(content, 1e6), by_pillow(content))


def test_crops_of_our_own_are_plain():
    content = cv2.imencode(".jpg", NOISE)[1].tobytes()
    assert np.array_equal(decode_plain_jpeg(content, 1e6), by_pillow(content))


def test_large_pictures_and_turned_ones_are_left_to_pillow():
    content = FILES["JPEG"]
    assert decode_plain_jpeg(content, SMOOTH[..., 0].size) is not None
    assert decode_plain_jpeg(content, SMOOTH[..., 0].size - 1) is None
    assert decode_plain_jpeg(encoded(colours(), "JPEG", exif=turned(3)), 1e6) is None


@pytest.mark.parametrize("name", sorted(PLAIN))
def test_no_beginning_of_a_file_is_taken(name):
    content = FILES[name]
    assert all(decode_plain_jpeg(content[:cut], 1e6) is None for cut in range(len(content)))


@pytest.mark.parametrize("name", sorted(PLAIN))
def test_a_marker_in_the_middle_of_the_codes_is_left_to_pillow(name):
    content = FILES[name]
    codes = content.index(b"\xff\xda") + 20
    for place in range(codes, len(content) - 4, 3):
        damaged = bytearray(content)
        damaged[place : place + 2] = b"\xff\x13"
        assert decode_plain_jpeg(bytes(damaged), 1e6) is None


@settings(max_examples=300, deadline=None)
@given(data=st.data(), name=st.sampled_from(sorted(PLAIN)))
def test_of_damaged_files_it_makes_what_pillow_makes(data, name):
    content = bytearray(FILES[name])
    places = st.tuples(st.integers(2, len(content) - 1), st.integers(0, 255))
    for place, value in data.draw(st.lists(places, min_size=1, max_size=6)):
        content[place] = value
    found = decode_plain_jpeg(bytes(content), 1e6)
    if found is not None:
        assert np.array_equal(found, by_pillow(bytes(content)))
