"""Damaged JPEG files are refused, sound ones are not, and plain ones are read fast."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from action_units.errors import UnusableFace
from action_units.faces.packing import packed_face
from action_units.media.images import decode
from action_units.media.jpeg import decode_plain_jpeg, jpeg_fault
from tests.media.picture_files import SMOOTH, colours, encoded, picture_files, turned
from tests.portraits import portrait

FILES = picture_files()
PLAIN = {"JPEG", "JPEG gray", "JPEG with restarts"}
NOISE = np.random.default_rng(1).integers(0, 256, (24, 40), dtype=np.uint8)


def by_pillow(content, gray=True):
    with Image.open(io.BytesIO(content)) as image:
        if gray:
            image.draft("L", image.size)
        pixels = np.asarray(image)
        return pixels if pixels.ndim == 2 else pixels[..., ::-1]


@pytest.mark.parametrize("gray", [True, False])
@pytest.mark.parametrize("name", FILES)
def test_only_plain_files_are_taken(name, gray):
    found = decode_plain_jpeg(FILES[name], 1e6, gray)
    assert (found is not None) == (name in PLAIN)
    if found is not None:
        assert np.array_equal(found, by_pillow(FILES[name], gray))


@pytest.mark.parametrize("gray", [True, False])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("quality", [30, 75, 100])
@pytest.mark.parametrize("size", [(1, 1), (7, 9), (33, 41)])
def test_the_pixels_are_pillows(quality, subsampling, size, gray):
    image = colours().resize(size)
    content = encoded(image, "JPEG", quality=quality, subsampling=subsampling)
    assert np.array_equal(decode_plain_jpeg(content, 1e6, gray), by_pillow(content, gray))


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


@settings(max_examples=120, deadline=None)
@given(data=st.data(), name=st.sampled_from(sorted(PLAIN)))
def test_of_damaged_files_it_makes_what_pillow_makes(data, name):
    content = bytearray(FILES[name])
    places = st.tuples(st.integers(2, len(content) - 1), st.integers(0, 255))
    for place, value in data.draw(st.lists(places, min_size=1, max_size=6)):
        content[place] = value
    found = decode_plain_jpeg(bytes(content), 1e6)
    if found is not None:
        assert np.array_equal(found, by_pillow(bytes(content)))


RNG = np.random.default_rng(5)
FACE = np.clip(
    portrait(0)[..., None].astype(int) + RNG.integers(-9, 10, (*portrait(0).shape, 3)), 0, 255
).astype(np.uint8)  # a rendered face in colour, as noisy as a photograph


def photograph(mode="RGB", **options):
    return encoded(Image.fromarray(FACE).convert(mode), "JPEG", **options)


PHOTOGRAPHS = {
    "baseline": photograph(),
    "4:4:4": photograph(subsampling=0, quality=90),
    "optimised": photograph(optimize=True),
    "gray": photograph("L"),
    "CMYK": photograph("CMYK"),
    "restarts": photograph(restart_marker_rows=1),
    "short restarts": photograph(restart_marker_blocks=3, quality=50),
    "progressive": photograph(progressive=True),
    "progressive gray": photograph("L", progressive=True, quality=85),
}


def damaged(content, kind, rng):
    """The four ways in which a photograph is damaged and ends in FF D9 all the same."""
    codes, end = content.index(b"\xff\xda") + 14, len(content) - 2
    at = int(rng.integers(codes, end - 520))
    if kind == "cut":
        return content[:at] + content[-2:]
    if kind == "zeroed tail":
        return content[:at] + bytes(end - at) + content[-2:]
    if kind == "hole":
        return content[:at] + bytes(512) + content[at + 512 :]
    return content[:at] + content[at + 300 :]


@pytest.mark.parametrize("kind", ["cut", "zeroed tail", "hole", "lost bytes"])
@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_damage_before_the_end_is_seen(name, kind):
    content, rng = PHOTOGRAPHS[name], np.random.default_rng(1)
    assert jpeg_fault(content) is None
    passed = 0
    for _ in range(30):
        found = damaged(content, kind, rng)
        passed += jpeg_fault(found) is None
        assert passed or decode_plain_jpeg(found, 1e6) is None
    # Lost bytes of a scan that only refines leave a picture now and then.
    assert passed <= (6 if kind == "lost bytes" and name.startswith("progressive") else 0)


@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_a_damaged_photograph_and_crop_are_refused(name, gray):
    content = damaged(PHOTOGRAPHS[name], "cut", np.random.default_rng(2))
    with pytest.raises(
        UnusableFace, match=r"damaged: .*(premature end|scans of it are missing)"
    ):
        decode(content, gray)
    with pytest.raises(UnusableFace, match="damaged"):
        packed_face(content, 48)


def test_a_hole_in_a_crop_is_refused_by_the_fast_way_too():
    content = cv2.imencode(".jpg", FACE[..., 0], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    hole = damaged(content, "hole", np.random.default_rng(3))
    assert decode_plain_jpeg(content, 1e6) is not None
    assert decode_plain_jpeg(hole, 1e6) is None
    assert jpeg_fault(hole) is not None


def test_a_progressive_file_without_its_last_scans_is_refused():
    content = PHOTOGRAPHS["progressive"]
    for scan in range(2, content.count(b"\xff\xda")):
        at = -1
        for _ in range(scan):
            at = content.index(b"\xff\xda", at + 1)
        assert jpeg_fault(content[:at] + b"\xff\xd9") == "scans of it are missing"


def odd_files():
    """Sound files that decoders warn of, or that have more in them than a picture."""
    plain, sos = PHOTOGRAPHS["baseline"], PHOTOGRAPHS["baseline"].index(b"\xff\xda")
    second = plain.index(b"\xff\xdb")
    thumbnail = b"Exif\0\0" + encoded(colours(), "JPEG")
    black = Image.new("L", (3000, 3000))
    pages = io.BytesIO()
    colours().save(pages, "MPO", save_all=True, append_images=[colours()])
    return {
        "bytes behind the end": plain + b"\0\0junk" + plain[: sos + 90],
        "a thumbnail": photograph(exif=thumbnail),
        "two pictures": pages.getvalue(),
        "padding": plain[:-2] + bytes(700) + plain[-2:],
        "one byte too many": plain[:-2] + b"x" + plain[-2:],
        "fillers": plain[:second] + b"\xff" * 5 + plain[second:-2] + b"\xff" * 3 + plain[-2:],
        "stray bytes between segments": plain[:second] + b"stray" + plain[second:],
        "odd scan parameters": plain[: sos + 11] + b"\0\0\0" + plain[sos + 14 :],
        "a new JFIF": plain.replace(b"JFIF\0\1", b"JFIF\0\7", 1),
        "a comment with an end in it": photograph(comment=b"\xff\xd9"),
        "black, in codes of zeros": encoded(black, "JPEG", optimize=True),
        "black and progressive": encoded(black, "JPEG", progressive=True),
        "one pixel": encoded(Image.new("RGB", (1, 1)), "JPEG"),
        "restarts of each scan": photograph(progressive=True, restart_marker_rows=1),
        "RGB": photograph(keep_rgb=True),
        "no tables": without_tables(plain),
    }


def without_tables(content):
    """As the frames of Motion JPEG are: the usual Huffman tables are left out."""
    while (at := content.find(b"\xff\xc4")) >= 0:
        length = int.from_bytes(content[at + 2 : at + 4], "big")
        content = content[:at] + content[at + 2 + length :]
    return content


@pytest.mark.parametrize("name", list(odd_files()))
def test_sound_files_that_are_odd_are_taken(name):
    content = odd_files()[name]
    assert jpeg_fault(content) is None
    assert b"\0" * 64 in content or not name.startswith("black, in")
    assert decode(content).size


def test_photographs_of_real_cameras_are_sound():
    images = pytest.importorskip("skimage").data
    found = [images.file_hash] and sorted(Path(images.__file__).parent.glob("*.jp*g"))
    assert found
    for path in found:
        assert jpeg_fault(path.read_bytes()) is None


@settings(max_examples=120, deadline=None)
@given(data=st.data(), name=st.sampled_from(sorted(PHOTOGRAPHS)))
def test_any_bytes_have_an_answer(data, name):
    content = bytearray(PHOTOGRAPHS[name])
    places = st.tuples(st.integers(2, len(content) - 1), st.binary(min_size=1, max_size=9))
    for place, value in data.draw(st.lists(places, min_size=1, max_size=6)):
        content[place : place + len(value)] = value
    assert jpeg_fault(bytes(content)) is None or jpeg_fault(bytes(content))
