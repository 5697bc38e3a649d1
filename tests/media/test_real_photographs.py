"""Portraits of people, and faces in large pictures, are found and cut out."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from action_units.config import DetectorSettings
from action_units.faces.crop import (
    CropSettings,
    crop_face,
    encode_crop,
    refine_landmarks,
    resize_square,
)
from action_units.faces.detection.registry import make_detector
from action_units.faces.tracking import overlap
from action_units.media.images import decode, read_image
from tests.faces.scenes import scene
from tests.faces.ssd_files import needs_the_ssd


def astronaut():
    """Eileen Collins, NASA, 512 × 512."""
    images = pytest.importorskip("skimage.data")
    return cv2.cvtColor(images.astronaut(), cv2.COLOR_RGB2BGR)


def grace_hopper():
    """Rear Admiral Grace M. Hopper, US Navy, 512 × 600."""
    samples = pytest.importorskip("matplotlib.cbook")
    return read_image(Path(samples.get_sample_data("grace_hopper.jpg", asfileobj=False)))


# The eyes and the middle of the mouth, read off the photographs by eye.
PEOPLE = {
    "astronaut": (astronaut, ((202, 102), (247, 102), (220, 144)), 90),
    "grace_hopper": (grace_hopper, ((228, 193), (308, 193), (265, 268)), 168),
}


@pytest.fixture(scope="module", params=["yunet", "ssd"])
def detector(request):
    if request.param == "ssd":
        needs_the_ssd()
    return make_detector(DetectorSettings(name=request.param))


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("margin", [0.0, 0.2])
def test_one_face_is_found_and_cut_out(who, detector, margin):
    photograph, places, width = PEOPLE[who]
    pixels = photograph()
    (face,) = detector.detect(pixels)
    assert face.score > 0.9
    assert 0.85 * width < face.width < 1.15 * width
    crop = crop_face(pixels, face, CropSettings(margin=margin))
    x, y, side, _ = crop.source
    assert side == pytest.approx(face.height * (1 + 2 * margin), abs=2)
    (right, left, mouth) = [((a - x) / side, (b - y) / side) for a, b in places]
    assert 0.1 < right[0] < 0.5 < left[0] < 0.9
    assert 0.25 < right[1] < 0.5 < mouth[1] < 0.85
    assert 0.35 < mouth[0] < 0.6
    gray = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    assert np.array_equal(crop.pixels, gray[y : y + side, x : x + side])
    again = decode(encode_crop(crop, CropSettings(suffix=".png")), gray=True)
    assert np.array_equal(again, crop.pixels)


@pytest.mark.parametrize("who", PEOPLE)
def test_both_detectors_find_the_same_face(who):
    needs_the_ssd()
    pixels = PEOPLE[who][0]()
    boxes = [
        make_detector(DetectorSettings(name=name)).best(pixels).box for name in ("yunet", "ssd")
    ]
    assert overlap(*boxes) > 0.85


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("angle", [-25, 20])
def test_a_tilted_head_is_set_upright(who, angle):
    photograph, places, _ = PEOPLE[who]
    pixels, centre = photograph(), places[0]
    turn = cv2.getRotationMatrix2D(centre, -angle, 1.0)  # OpenCV turns against the clock
    tilted = cv2.warpAffine(pixels, turn, pixels.shape[1::-1])
    yunet = make_detector()
    face = refine_landmarks(yunet, tilted, yunet.best(tilted))
    crop = crop_face(tilted, face, CropSettings(margin=0.3, align="eyes"))
    assert crop.angle == pytest.approx(angle, abs=7)
    upright = crop_face(pixels, yunet.best(pixels), CropSettings(margin=0.3))
    ours, theirs = (np.float32(resize_square(c.pixels, 48)) for c in (crop, upright))
    skewed = resize_square(crop_face(tilted, face, CropSettings(margin=0.3)).pixels, 48)
    likeness = [np.corrcoef(one.ravel(), theirs.ravel())[0, 1] for one in (ours, skewed)]
    assert likeness[0] > likeness[1] + 0.1


def test_yunet_finds_faces_from_64_pixels_up():
    """Nearly all rendered faces of 64 to 300 pixels, where the renderer drew them."""
    yunet = make_detector()
    count, found = 50, 0
    for seed in range(count):
        height = 64 + 236 * (seed / (count - 1)) ** 2  # half of them below 123 pixels
        pixels, box = scene(seed, height)
        faces = yunet.detect(pixels)
        found += bool(faces) and overlap(faces[0].box, box) > 0.5
    assert found >= count - 1
