"""Damage to image files that decoders ignore."""

import io
import struct
import warnings

import cv2
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from action_units.errors import UnusableFace
from action_units.media.image_damage import webp_fault
from action_units.media.images import decode
from tests.media.picture_files import SMOOTH, colours, encoded, picture_files, turned
from tests.portraits import portrait

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


CONTENT = encoded(colours(), "PNG")


def test_one_flipped_bit_of_the_pixels_is_seen():
    first, end = CONTENT.index(b"IDAT") + 4, CONTENT.index(b"IEND") - 4
    for place in [*range(first, end, 40), end - 6]:  # the last in Deflate's own checksum
        flipped = CONTENT[:place] + bytes([CONTENT[place] ^ 1]) + CONTENT[place + 1 :]
        assert refused(flipped) == "damaged"


def test_the_size_and_the_palette_are_checked_as_well():
    assert refused(CONTENT.replace(b"IHDR\0\0\0!", b"IHDR\0\0\0\x20")) == "damaged"
    palette = encoded(colours().convert("P"), "PNG")
    at = palette.index(b"PLTE") + 9
    assert refused(palette[:at] + b"\0\1\2\3" + palette[at + 4 :]) == "damaged"


@pytest.mark.parametrize("what", ["text", "compressed text", "international text", "profile"])
@pytest.mark.parametrize("damage", [False, True])
def test_a_large_note_or_profile_is_no_reason(what, damage):
    info, long, options = PngInfo(), "someone " * 400_000, {}
    if what == "profile":
        options["icc_profile"] = b"profile " * 400_000
    elif what == "international text":
        info.add_itxt("Comment", long, zip=True)
    else:
        info.add_text("Comment", long, zip=what != "text")
    content = encoded(colours(), "PNG", pnginfo=info, **options)
    if damage:
        content = content[:70] + b"??" + content[72:]
    assert (decode(content) == SMOOTH[..., ::-1]).all()


def test_a_note_that_turns_the_picture_is_kept():
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", '<x tiff:Orientation="6"/>')
    upright = colours().transpose(Image.Transpose.ROTATE_270)
    for options in ({"pnginfo": info}, {"exif": turned(6)}):
        assert decode(encoded(colours(), "PNG", **options)).shape == (*upright.size[::-1], 3)


RNG = np.random.default_rng(5)
LARGE = cv2.resize(portrait(0), (384, 384))[..., None].astype(int)
FACE = np.clip(LARGE + RNG.integers(-9, 10, (384, 384, 3)), 0, 255).astype(np.uint8)
KINDS = {
    "lossy": {"quality": 80},
    "of high quality": {"quality": 95},
    "lossless": {"lossless": True},
    "of two": {"save_all": True, "append_images": [Image.fromarray(255 - FACE)]},
}


@pytest.mark.parametrize("kind", ["hole", "zeroed tail"])
@pytest.mark.parametrize("name", KINDS)
def test_zeros_in_place_of_the_data_are_refused(name, kind):
    content = encoded(Image.fromarray(FACE), "WEBP", **KINDS[name])
    assert decode(content).shape == FACE.shape
    rng, end = np.random.default_rng(0), len(content)
    if name == "of two":
        end = content.rindex(b"ANMF")
    for _ in range(20):
        at = int(rng.integers(100, end - 600))
        stop = at + 512 if kind == "hole" else end
        with pytest.raises(UnusableFace, match="damaged"):
            decode(content[:at] + bytes(stop - at) + content[stop:])


@pytest.mark.parametrize("method", [0, 4])
@pytest.mark.parametrize("options", [{"quality": 0}, {"quality": 100}, {"lossless": True}])
def test_parts_of_one_colour_are_sound(options, method):
    wide = np.concatenate([FACE, np.zeros((384, 4000, 3), np.uint8)], 1)
    for pixels in (wide, np.full((2000, 2000, 3), 255, np.uint8)):
        content = encoded(Image.fromarray(pixels), "WEBP", method=method, **options)
        assert decode(content).shape == pixels.shape


def test_a_picture_smaller_than_a_block_has_no_holes():
    content = encoded(Image.fromarray(FACE[:7, :9]), "WEBP")
    pixels = np.asarray(Image.open(io.BytesIO(content)).convert("L"))
    assert webp_fault(content, pixels) is None
