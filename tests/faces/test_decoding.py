"""Reading pictures that may be anything."""

import hashlib
import io
import os
import sys
import warnings
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile, ImageOps

from action_units.errors import UnusableFace
from action_units.faces.decoding import decode, read_photograph, to_gray

RNG = np.random.default_rng(0)
SMOOTH = cv2.resize(RNG.integers(0, 256, (6, 5, 3), dtype=np.uint8), (50, 60))  # (60, 50, 3)


def encoded(image, form, **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def rgb_image():
    return Image.fromarray(SMOOTH)


def reason_of(content, **options):
    with pytest.raises(UnusableFace) as error:
        decode(content, **options)
    return error.value.reason


def test_colours_come_as_opencv_has_them(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encoded(rgb_image(), "PNG"))
    photograph = read_photograph(path)
    assert np.array_equal(photograph.pixels, SMOOTH[..., ::-1])
    assert photograph.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert photograph.pixels.flags.c_contiguous


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("subsampling", [0, 2])
def test_gray_jpegs_are_decoded_straight_to_gray(progressive, subsampling):
    content = encoded(
        rgb_image(), "JPEG", quality=95, progressive=progressive, subsampling=subsampling
    )
    fast, slow = decode(content, gray=True), to_gray(decode(content))
    assert fast.shape == (60, 50)
    assert np.abs(fast.astype(int) - slow).max() <= 3
    same = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert np.abs(fast.astype(int) - same).max() <= 3


def jpeg(progressive=False, gray=False):
    noisy = Image.fromarray(RNG.integers(0, 256, (40, 40, 3), dtype=np.uint8))
    return encoded(noisy.convert("L" if gray else "RGB"), "JPEG", progressive=progressive)


@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize("progressive", [False, True])
def test_every_truncated_jpeg_is_refused(progressive, gray):
    content = jpeg(progressive, gray)
    kept = [*range(1, len(content) - 2, max(1, len(content) // 80)), len(content) - 3]
    reasons = [reason_of(content[:n], gray=gray) for n in kept]
    assert set(reasons) <= {"truncated", "not an image", "damaged"}
    assert reasons[-1] == "truncated"


@pytest.mark.parametrize("form", ["PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_truncated_files_of_other_formats_are_refused(form):
    content = encoded(rgb_image(), form)
    assert decode(content).shape == (60, 50, 3)
    for part in (0.3, 0.6, 0.9):
        assert reason_of(content[: int(len(content) * part)]) in {
            "truncated", "damaged", "not an image",
        }  # fmt: skip


def test_what_is_no_picture_is_named(tmp_path):
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "page.jpg").write_bytes(b"\n <!DOCTYPE html><html>404</html>")
    (tmp_path / "text.jpg").write_bytes(b"not a picture")
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    found = {}
    for name in ("empty", "page", "text", "folder", "pipe", "none"):
        with pytest.raises(UnusableFace) as error:
            read_photograph(tmp_path / f"{name}.jpg")
        found[name] = (error.value.reason, error.value.detail)
    assert found["empty"][0] == "empty"
    assert found["page"] == ("not an image", "the content is an HTML or XML page")
    assert found["text"] == ("not an image", "the content is of no known image format")
    assert found["folder"] == ("not a file", "the name belongs to a folder")
    assert found["pipe"][0] == "not a file"
    assert found["none"][0] == "missing"
    with pytest.raises(UnusableFace, match="null byte"):
        read_photograph("a\0b.jpg")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_not_utf8_are_read(tmp_path):
    name = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png")
    with open(name, "wb") as file:
        file.write(encoded(rgb_image(), "PNG"))
    assert read_photograph(name).pixels.shape == (60, 50, 3)


def promising(width, height):
    """A PNG of a few bytes whose header promises a great many pixels."""
    content = bytearray(encoded(Image.new("L", (8, 8)), "PNG"))
    content[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    return bytes(content)


@pytest.mark.parametrize("size", [(9000, 9000), (30000, 30000), (2**31 - 1, 2**31 - 1)])
def test_bombs_are_refused_before_they_are_decoded(size, monkeypatch):
    content = promising(*size)
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("it was decoded"))
    assert reason_of(content) == "too large"


def test_the_cap_is_in_megapixels():
    content = encoded(Image.new("L", (1000, 1000)), "PNG")
    assert decode(content, max_megapixels=1.0).shape == (1000, 1000)
    assert reason_of(content, max_megapixels=0.999) == "too large"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("gray", [False, True])
def test_exif_orientation_is_applied(orientation, gray):
    image = rgb_image()
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(image, "JPEG", exif=exif, quality=95)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    found = decode(content, gray)
    assert found.shape[:2] == (expected.height, expected.width)
    reference = cv2.cvtColor(np.asarray(expected), cv2.COLOR_RGB2BGR)
    reference = to_gray(reference) if gray else reference
    assert np.abs(found.astype(int) - reference).max() <= 3


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif"]
)
def test_damaged_exif_does_no_harm(exif):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert decode(encoded(rgb_image(), "JPEG", exif=exif)).shape == (60, 50, 3)


def test_an_orientation_that_does_not_exist_is_none():
    exif = Image.Exif()
    exif[0x0112] = 77
    assert decode(encoded(rgb_image(), "JPEG", exif=exif)).shape == (60, 50, 3)


def test_sixteen_bits_keep_their_upper_eight():
    deep = np.arange(0, 65536, 17, dtype=np.uint16)[:3840].reshape(60, 64)
    for form in ("PNG", "TIFF"):
        assert np.array_equal(decode(encoded(Image.fromarray(deep), form)), deep >> 8)


def test_pictures_of_real_numbers_are_refused():
    assert (
        reason_of(encoded(Image.fromarray(np.ones((9, 9), np.float32)), "TIFF"))
        == "unsupported"
    )
    wide = Image.fromarray(np.full((9, 9), 70000, np.int32))
    assert reason_of(encoded(wide, "TIFF")) == "unsupported"


@pytest.mark.parametrize("mode", ["CMYK", "P", "1", "L", "YCbCr"])
def test_colour_modes_become_8_bits(mode):
    form = "JPEG" if mode in ("CMYK", "YCbCr") else "PNG"
    image = rgb_image().convert(mode)
    content = encoded(image, form)
    expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))[..., ::-1]
    found = decode(content)
    if mode in ("1", "L"):
        expected = expected[..., 0]
    assert found.dtype == np.uint8
    assert np.array_equal(found, expected)
    assert decode(content, gray=True).shape == (60, 50)


def test_transparency_is_laid_on_white():
    for mode, level in (("RGBA", (10, 20, 30, 0)), ("LA", (10, 0))):
        image = Image.new(mode, (4, 2), level)
        image.putpixel((0, 0), (*level[:-1], 255))
        found = decode(encoded(image, "PNG"), gray=True)
        assert found[0, 0] in (18, 10)
        assert (found[:, 1:] == 255).all()
    palette = Image.new("P", (4, 2), 0)
    palette.putpalette([0, 0, 0, 50, 50, 50])
    palette.putpixel((0, 0), 1)
    found = decode(encoded(palette, "PNG", transparency=0))
    assert found[0, 0].tolist() == [50, 50, 50]
    assert (found[1] == 255).all()


def test_a_wholly_transparent_picture_is_refused():
    assert reason_of(encoded(Image.new("RGBA", (4, 4), (9, 9, 9, 0)), "PNG")) == "transparent"


def test_the_first_picture_of_an_animation_is_taken():
    frames = [Image.new("L", (8, 8), level) for level in (40, 200)]
    for form in ("GIF", "WEBP"):
        content = encoded(frames[0], form, save_all=True, append_images=frames[1:])
        assert abs(int(decode(content, gray=True)[4, 4]) - 40) <= 2


@pytest.mark.parametrize("error", [ValueError, IndexError, KeyError, SyntaxError, MemoryError])
def test_whatever_a_decoder_raises_is_a_reason(error, monkeypatch):
    content = encoded(rgb_image(), "PNG")

    def load(_):
        raise error("x")

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    assert reason_of(content) == ("too large" if error is MemoryError else "damaged")


@settings(max_examples=150, deadline=None)
@given(
    form=st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"]),
    data=st.data(),
)
def test_damaged_bytes_give_a_picture_or_a_reason(form, data):
    content = bytearray(encoded(rgb_image(), form))
    places = st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255))
    for place, value in data.draw(st.lists(places, min_size=1, max_size=30)):
        content[place] = value
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            pixels = decode(bytes(content))
        except UnusableFace:
            return
    assert pixels.dtype == np.uint8
    assert pixels.ndim in (2, 3)
