"""Every file that was cut short is refused, wherever it was cut."""

import struct
import warnings

import numpy as np
import pytest
from PIL import Image

from action_units.errors import UnusableFace
from action_units.media.images import decode
from tests.media.picture_files import SMOOTH, colours, encoded, picture_files

FILES = picture_files()
# Pillow's writer fills the last page up to 16 bytes; what it fills in is no part of it.
PADDING = {"TIFF of two": 9}


def refused(content, **options):
    try:
        decode(content, **options)
    except UnusableFace as error:
        return error.reason
    return None


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("gray", [False, True])
def test_whole_files_are_pictures_and_shorter_ones_are_not(name, gray):
    content = FILES[name]
    height, width = SMOOTH.shape[:2]
    assert sorted(decode(content, gray).shape[:2]) == [width, height]
    cuts = range(len(content) - PADDING.get(name, 0))
    step = 1 if len(content) < 1500 else 3
    cuts = sorted({*cuts[:60], *cuts[::step], *cuts[-60:]})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reasons = {cut: refused(content[:cut], gray=gray) for cut in cuts}
    assert None not in reasons.values()
    assert set(reasons.values()) <= {"truncated", "damaged", "not an image"}


@pytest.mark.parametrize("name", FILES)
def test_bytes_behind_the_end_do_no_harm(name):
    assert decode(FILES[name] + b"\0" * 7).shape[0] in SMOOTH.shape


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("JPEG", 2), ("PNG", 1), ("PNG", 20), ("PNG animated", 500), ("GIF", 1), ("BMP", 1),
        ("GIF animated", 500), ("BMP gray", 3), ("TIFF", 1), ("TIFF of two", 2000),
    ],
)  # fmt: skip
def test_the_last_bytes_are_missed_as_well(name, lost):
    assert refused(FILES[name][:-lost]) == "truncated"


def test_a_gif_may_have_stray_bytes_between_its_blocks():
    content = FILES["GIF"]
    assert decode(content[:-1] + b"\0\0" + content[-1:]).shape[:2] == SMOOTH.shape[:2]


def test_a_few_pages_are_no_harm():
    pages = {"save_all": True, "append_images": [colours()] * 20, "compression": "raw"}
    assert decode(encoded(colours(), "TIFF", **pages)).shape == SMOOTH.shape


def test_pages_without_end_are_refused():
    """A TIFF whose page names itself as the next one."""
    content = bytearray(FILES["TIFF"])
    (page,) = struct.unpack_from("<I", content, 4)
    (entries,) = struct.unpack_from("<H", content, page)
    struct.pack_into("<I", content, page + 2 + 12 * entries, page)
    assert refused(bytes(content)) == "damaged"


@pytest.mark.parametrize("compression", ["tiff_adobe_deflate", "jpeg"])
def test_a_hole_in_a_compressed_tiff_is_refused(compression):
    picture = Image.fromarray(np.kron(SMOOTH, np.ones((8, 8, 1), np.uint8)))
    noise = np.random.default_rng(0).integers(0, 30, (*picture.size[::-1], 3), np.uint8)
    picture = Image.fromarray(np.asarray(picture) // 2 + noise)
    content = encoded(picture, "TIFF", compression=compression)
    assert refused(content) is None
    for place in range(2000, len(content) - 2000, len(content) // 12):
        assert refused(content[:place] + bytes(512) + content[place + 512 :]) is not None
