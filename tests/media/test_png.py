"""Checksums of a PNG's pixels hold, and notes beside them do no harm."""

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from action_units.errors import UnusableFace
from action_units.media.images import decode
from tests.media.picture_files import SMOOTH, colours, encoded, turned

CONTENT = encoded(colours(), "PNG")


def refused(content):
    with pytest.raises(UnusableFace) as error:
        decode(content)
    return error.value.reason


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
