"""Reading pictures that may be anything."""

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
from action_units.media import images
from action_units.media.images import decode, further_images, read_image, to_gray
from tests.media.picture_files import SMOOTH, colours, encoded, picture_files, turned


def reason_of(content, **options):
    with pytest.raises(UnusableFace) as error:
        decode(content, **options)
    return error.value.reason


def test_colours_come_as_opencv_has_them(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encoded(colours(), "PNG"))
    pixels = read_image(path)
    assert np.array_equal(pixels, SMOOTH[..., ::-1])
    assert pixels.flags.c_contiguous


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("subsampling", [0, 2])
def test_gray_jpegs_are_decoded_straight_to_gray(progressive, subsampling):
    content = encoded(
        colours(), "JPEG", quality=95, progressive=progressive, subsampling=subsampling
    )
    fast, slow = decode(content, gray=True), to_gray(decode(content))
    assert fast.shape == (41, 33)
    assert np.abs(fast.astype(int) - slow).max() <= 3
    same = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert np.abs(fast.astype(int) - same).max() <= 3


@pytest.mark.parametrize("name", ["check_end", "decode_plain_jpeg", "_pixels", "_upright"])
@pytest.mark.parametrize("error", [TypeError, ValueError, AttributeError, ZeroDivisionError])
def test_a_mistake_of_ours_is_no_damaged_picture(monkeypatch, name, error):
    def mistaken(*_):
        raise error("of ours")

    monkeypatch.setattr(images, name, mistaken)
    with pytest.raises(error, match="of ours"):
        decode(encoded(colours(), "PNG"), gray=True)


def test_a_wrong_limit_is_no_damaged_picture():
    with pytest.raises(TypeError):
        decode(encoded(colours(), "PNG"), max_megapixels="lots")


def test_pillows_own_cap_of_179_megapixels_does_not_stand_below_ours():
    content = io.BytesIO()
    Image.new("1", (20_000, 9_000)).save(content, "PNG")
    assert decode(content.getvalue(), gray=True, max_megapixels=None).shape == (9_000, 20_000)
    assert reason_of(content.getvalue(), max_megapixels=179) == "too large"


def test_what_is_no_picture_is_named(tmp_path):
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "page.jpg").write_bytes(b"\n <!DOCTYPE html><html>404</html>")
    (tmp_path / "text.jpg").write_bytes(b"not a picture")
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    found = {}
    for name in ("empty", "page", "text", "folder", "pipe", "none"):
        with pytest.raises(UnusableFace) as error:
            read_image(tmp_path / f"{name}.jpg")
        found[name] = (error.value.reason, error.value.detail)
    assert found["empty"][0] == "empty"
    assert found["page"] == ("not an image", "the content is an HTML or XML page")
    assert reason_of(b"  <?xml version='1.0'?><Error>AccessDenied</Error>") == "not an image"
    heic = b"\0\0\0\x18ftypheic" + bytes(50)
    assert reason_of(heic) == "unsupported"
    assert reason_of(b"\xff\xd8 and then nothing of the kind") == "damaged"
    assert found["text"] == ("not an image", "the content is of no known image format")
    assert found["folder"] == ("not a file", "the name belongs to a folder")
    assert found["pipe"][0] == "not a file"
    assert found["none"][0] == "missing"
    with pytest.raises(UnusableFace, match="null byte"):
        read_image("a\0b.jpg")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_not_utf8_are_read(tmp_path):
    name = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png")
    with open(name, "wb") as file:
        file.write(encoded(colours(), "PNG"))
    assert read_image(name).shape == (41, 33, 3)


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


@pytest.mark.parametrize("gray", [False, True])
def test_a_jpeg_that_promises_too_much_is_refused(gray):
    content = bytearray(encoded(colours(), "JPEG"))
    frame = content.index(b"\xff\xc0")
    content[frame + 5 : frame + 9] = b"\xff\x00\xff\x00"  # 65,280 pixels high and wide
    assert reason_of(bytes(content), gray=gray) == "too large"


def test_the_cap_is_in_megapixels():
    content = encoded(Image.new("L", (1000, 1000)), "PNG")
    assert decode(content, max_megapixels=1.0).shape == (1000, 1000)
    assert reason_of(content, max_megapixels=0.999) == "too large"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_exif_orientation_is_applied(orientation, gray, form):
    content = encoded(colours(), form, exif=turned(orientation), quality=95)
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
        assert decode(encoded(colours(), "JPEG", exif=exif)).shape == (41, 33, 3)


def test_an_orientation_that_does_not_exist_is_none():
    assert decode(encoded(colours(), "JPEG", exif=turned(77))).shape == (41, 33, 3)


def test_sixteen_bits_keep_their_upper_eight():
    deep = np.arange(0, 65536, 17, dtype=np.uint16)[:3840].reshape(60, 64)
    for form in ("PNG", "TIFF"):
        assert np.array_equal(decode(encoded(Image.fromarray(deep), form)), deep >> 8)


def test_sixteen_bits_of_each_colour_keep_their_upper_eight():
    deep = np.random.default_rng(0).integers(0, 65536, (9, 7, 4)).astype(np.uint16)
    deep[..., 3] = 65535
    for channels in (3, 4):
        _, content = cv2.imencode(".png", deep[..., :channels])
        assert np.array_equal(decode(content.tobytes()), deep[..., :3] >> 8)


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
    image = colours().convert(mode)
    content = encoded(image, form)
    expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))[..., ::-1]
    found = decode(content)
    if mode in ("1", "L"):
        expected = expected[..., 0]
    assert found.dtype == np.uint8
    assert np.array_equal(found, expected)
    assert decode(content, gray=True).shape == (41, 33)


@pytest.mark.parametrize("marked", [True, False])
def test_cmyk_is_neither_turned_over_nor_lost(marked):
    """Adobe's programs write JPEG's CMYK upside down and say so in a marker of theirs."""
    content = encoded(colours().convert("CMYK"), "JPEG", quality=95)
    place = content.index(b"\xff\xee\x00\x0eAdobe")
    if not marked:
        content = content[:place] + content[place + 16 :]
    away = np.abs(decode(content)[..., ::-1].astype(int) - SMOOTH)
    assert away.mean() < 4
    gray = to_gray(np.ascontiguousarray(SMOOTH[..., ::-1]))
    assert np.abs(decode(content, gray=True).astype(int) - gray).mean() < 4


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


@pytest.mark.parametrize("name", ["GIF", "WebP", "PNG", "TIFF"])
def test_the_first_picture_of_several_is_taken(name):
    files = picture_files()
    several = files["TIFF of two" if name == "TIFF" else f"{name} animated"]
    away = np.abs(decode(several).astype(int) - decode(files[name]))
    assert away.mean() < (6 if name == "WebP" else 1)


@pytest.mark.parametrize("name", ["GIF", "WebP", "PNG", "TIFF", "JPEG"])
def test_what_is_left_out_of_several_pictures_is_said(name):
    files = picture_files()
    several = "TIFF of two" if name == "TIFF" else f"{name} animated"
    assert further_images(files[name]) == ""
    if name != "JPEG":
        assert further_images(files[several]) == "the first of 2 pictures was taken"
    else:  # views of one moment
        views = encoded(colours(), "MPO", save_all=True, append_images=[colours()])
        assert further_images(views) == ""


@pytest.mark.parametrize("error", [ValueError, IndexError, KeyError, SyntaxError, MemoryError])
def test_whatever_a_decoder_raises_is_a_reason(error, monkeypatch):
    content = encoded(colours(), "PNG")

    def load(_):
        raise error("x")

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    assert reason_of(content) == ("too large" if error is MemoryError else "damaged")


@settings(max_examples=80, deadline=None)
@given(
    form=st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"]),
    data=st.data(),
)
def test_damaged_bytes_give_a_picture_or_a_reason(form, data):
    content = bytearray(encoded(colours(), form))
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
