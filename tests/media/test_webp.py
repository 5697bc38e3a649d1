"""Holes in WebP files are seen, and parts of one colour are no holes."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from action_units.errors import UnusableFace
from action_units.media.image_damage import webp_fault
from action_units.media.images import decode
from tests.media.picture_files import encoded
from tests.portraits import portrait

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
