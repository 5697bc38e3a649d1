"""Crop geometry."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from action_units.config import DetectorSettings
from action_units.errors import ConfigurationError, UnusableFace
from action_units.faces.alignment import (
    TEMPLATE,
    TEMPLATE_SIDE,
    eye_angle,
    template_square,
)
from action_units.faces.crop import (
    Crop,
    CropSettings,
    FaceSettings,
    crop_face,
    cut_square,
    encode_crop,
    pad_to_square,
    resize_square,
    square_around,
)
from action_units.faces.detection.base import Detection
from action_units.labels.tables import parse_rectsize
from action_units.media.images import decode

PHOTO = np.random.default_rng(0).integers(1, 256, (70, 90), dtype=np.uint8)  # nowhere zero

coordinate = st.floats(-40, 100, allow_nan=False)
length = st.floats(0.5, 120, allow_nan=False)
boxes = st.tuples(coordinate, coordinate, length, length)


def cut(pixels, box, **options):
    return crop_face(pixels, Detection(*box, score=1.0), CropSettings(**options))


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
            cut(PHOTO, box, margin=margin, max_size=None)
        return
    crop = cut(PHOTO, box, margin=margin, max_size=None)
    assert np.array_equal(crop.pixels, expected)
    assert crop.source == (left, top, side, side)
    assert parse_rectsize(crop.rectsize) == (0, 0, side, side)


def test_large_crops_are_made_smaller_and_small_ones_are_not():
    box = (10, 10, 50, 50)
    assert cut(PHOTO, box, margin=0, max_size=20).pixels.shape == (20, 20)
    assert cut(PHOTO, box, margin=0, max_size=20).rectsize == "(0,0,20,20)"
    assert cut(PHOTO, box, margin=0, max_size=60).pixels.shape == (50, 50)


def test_colours_become_gray():
    colour = np.zeros((40, 40, 3), np.uint8)
    colour[..., 1] = 200  # green
    assert cut(colour, (5, 5, 10, 10)).pixels[0, 0] == round(0.587 * 200)


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


# Smooth enough that turning it loses little; nowhere zero.
ROWS, COLUMNS = np.mgrid[:240, :240]
SCENE = (128 + 60 * np.sin(ROWS / 17) + 50 * np.cos(COLUMNS / 23 + ROWS / 40)).astype(np.uint8)
EYES = ((98.0, 105.0), (142.0, 105.0))


def turned_about(centre, angle, points):
    """Points turned clockwise about a centre."""
    turn = np.radians(angle)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return (np.array(points) - centre) @ matrix.T + centre


@given(
    angle=st.floats(-180, 180),
    width=st.integers(20, 70),
    height=st.integers(20, 70),
    margin=st.floats(0, 0.3),
)
def test_an_aligned_crop_of_a_turned_picture_is_the_crop_of_the_upright_one(
    angle, width, height, margin
):
    # The middle of pixel (120, 120) stays where it is, and the crop lies about it.
    centre = np.array([120.0, 120.0])
    matrix = cv2.getRotationMatrix2D((120, 120), -angle, 1.0)
    picture = cv2.warpAffine(SCENE, matrix, SCENE.shape)
    box = (120.5 - width / 2, 120.5 - height / 2, width, height)
    eyes = turned_about(centre, angle, EYES)
    face = Detection(*box, 1.0, tuple(map(tuple, eyes)))
    aligned = crop_face(picture, face, CropSettings(margin=margin, align="eyes"))
    assert np.isclose((aligned.angle - angle + 180) % 360, 180, atol=1e-6)
    straight = cut(SCENE, box, margin=margin)
    assert aligned.source == straight.source
    # Where the side is even, the square's middle lies between pixels, half a pixel off.
    off = 1.2 if aligned.source[2] % 2 else 8
    away = np.abs(aligned.pixels.astype(int) - straight.pixels)
    assert away.mean() < off


def test_level_eyes_turn_nothing():
    face = Detection(60, 60, 50, 70, 1.0, EYES)
    aligned = crop_face(SCENE, face, CropSettings(align="eyes"))
    assert aligned.angle == 0
    assert np.array_equal(aligned.pixels, cut(SCENE, face.box).pixels)


@given(box=boxes, quarter=st.sampled_from([90, 180, -90]))
def test_quarter_turns_are_exact(box, quarter):
    """Also at the edges: what lies outside the photograph is zero."""
    source = square_around(box, 0.0)
    try:
        upright = cut_square(PHOTO, source)
    except UnusableFace:
        return
    turned = cut_square(PHOTO, source, quarter)
    # A square turned clockwise in the photograph shows the photograph turned back.
    expected = np.rot90(upright, quarter // 90)
    assert np.abs(turned.astype(int) - expected).max() <= 1


def test_the_angle_is_that_of_the_eyes_as_one_sees_it():
    for right, left, angle in (
        ((0, 0), (10, 0), 0), ((0, 0), (10, 10), 45), ((0, 0), (0, -5), -90), ((3, 3), (3, 3), 0),
    ):  # fmt: skip
        assert eye_angle(Detection(0, 0, 9, 9, 1.0, (right, left))) == pytest.approx(angle)


def test_alignment_needs_landmarks():
    eyes = CropSettings(align="eyes")
    FaceSettings(DetectorSettings(), eyes)
    FaceSettings(DetectorSettings(name="ssd"), CropSettings())
    with pytest.raises(ConfigurationError, match="the detector ssd does not give them; choose"):
        FaceSettings(DetectorSettings(name="ssd"), eyes)
    with pytest.raises(ConfigurationError, match="positions of eyes, nose and mouth, and the "):
        FaceSettings(DetectorSettings(name="ssd"), CropSettings(align="template"))
    for align, known in (("eyes", ()), ("template", EYES)):
        face = Detection(9, 9, 20, 20, 1.0, known)
        with pytest.raises(ConfigurationError, match=f"'{align}' needs .*choose yunet"):
            crop_face(PHOTO, face, CropSettings(align=align))


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_crop_is_written_as_asked(suffix):
    crop = cut(SCENE, (60, 60, 50, 70))
    files = {q: encode_crop(crop, CropSettings(suffix=suffix, quality=q)) for q in (30, 95)}
    assert (len(files[30]) < len(files[95])) == (suffix == ".jpg")
    away = np.abs(decode(files[95], gray=True).astype(int) - crop.pixels).max()
    assert away <= (0 if suffix == ".png" else 8)


def test_a_crop_too_large_for_jpeg_is_unusable():
    pixels = np.broadcast_to(np.uint8(0), (1, 70_000))
    with pytest.raises(UnusableFace, match="lower max_size"):
        encode_crop(Crop(np.ascontiguousarray(pixels), (0, 0, 1, 1)), CropSettings())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"margin": -0.1}, "a number from 0 to 2"),
        ({"margin": float("nan")}, "a number from 0 to 2"),
        ({"max_size": 0}, "a whole number from 1, or null"),
        ({"align": "nose"}, "one of: none, eyes, template"),
        ({"suffix": ".bmp"}, "one of: .jpg, .png"),
        ({"quality": 0}, "a whole number from 1 to 100"),
    ],
)
def test_settings_that_cannot_be_are_refused(options, words):
    with pytest.raises(ConfigurationError, match=words):
        CropSettings(**options)


COLOURS = np.random.default_rng(1).integers(1, 256, (70, 90, 3), dtype=np.uint8)


@given(box=boxes, align=st.sampled_from(["none", "eyes"]), tilt=st.floats(-40, 40))
def test_each_channel_of_a_crop_in_colour_is_cut_as_a_gray_picture(box, align, tilt):
    x, y, width, _ = box
    down = math.tan(math.radians(tilt)) * width / 2
    eyes = ((x, y), (x + width / 2, y + down))
    face = Detection(*box, score=1.0, landmarks=eyes)
    settings = CropSettings(align=align, colour=True, max_size=48)
    try:
        crop = crop_face(COLOURS, face, settings)
    except UnusableFace:
        return
    for channel in range(3):
        alone = crop_face(np.ascontiguousarray(COLOURS[..., channel]), face, settings)
        assert alone.pixels.ndim == 2  # a gray picture gives a gray crop
        assert alone.source == crop.source
        assert np.abs(crop.pixels[..., channel].astype(int) - alone.pixels).max() <= 1


def test_a_crop_in_colour_keeps_its_colours_in_the_file():
    flat = np.full((80, 80, 3), (40, 120, 200), np.uint8)
    for suffix in (".jpg", ".png"):
        settings = CropSettings(colour=True, suffix=suffix)
        crop = crop_face(flat, Detection(20, 20, 40, 40, 1.0), settings)
        read = decode(encode_crop(crop, settings))
        assert np.abs(read.astype(int) - (40, 120, 200)).max() <= 2


def test_the_record_of_gray_crops_is_that_of_versions_without_colour():
    gray, colour = FaceSettings(), FaceSettings(crop=CropSettings(colour=True))
    assert "colour" not in gray.provenance()["crop"]
    for settings in (gray, colour):
        assert FaceSettings.from_provenance(settings.provenance()).crop == settings.crop


def umeyama(source, target):
    """The similarity from points to points as Umeyama (1991) has it, by SVD: scale, R, shift."""
    means = source.mean(axis=0), target.mean(axis=0)
    a, b = source - means[0], target - means[1]
    u, singular, v = np.linalg.svd(b.T @ a / len(source))
    signs = np.array([1.0, np.sign(np.linalg.det(u @ v))])
    rotation = u @ np.diag(signs) @ v
    scale = (singular * signs).sum() / a.var(axis=0).sum()
    return scale, rotation, means[1] - scale * rotation @ means[0]


offsets = st.lists(st.floats(-15, 15), min_size=10, max_size=10)


@given(
    offsets, st.floats(0.4, 6), st.floats(-179, 179), st.floats(-300, 300), st.floats(0, 0.5)
)
def test_the_template_fits_the_landmarks_with_least_squares(off, scale, angle, shift, margin):
    """Against Umeyama's formula, of landmarks that are not the template's exactly."""
    template = np.array(TEMPLATE)
    drawn = turned_about(np.zeros(2), angle, template + np.reshape(off, (5, 2))) * scale + shift
    face = Detection(0, 0, 9, 9, 1.0, tuple(map(tuple, drawn)))
    (x, y, side, _), found = template_square(face, margin)
    size, rotation, away = umeyama(template, drawn)
    degrees = math.degrees(math.atan2(rotation[1, 0], rotation[0, 0]))
    assert (found - degrees + 180) % 360 == pytest.approx(180, abs=1e-6)
    assert side == pytest.approx(TEMPLATE_SIDE * size * (1 + 2 * margin), abs=0.51)
    middle = size * rotation @ np.full(2, 55.5) + away
    assert (x + (side - 1) / 2, y + (side - 1) / 2) == pytest.approx(tuple(middle), abs=0.51)


@pytest.mark.parametrize("margin", [0.0, 0.25])
def test_landmarks_lie_in_an_aligned_crop_where_the_template_has_them(margin):
    """Spots at the landmarks of a face that is tilted, large and off the middle."""
    angle, scale = 25.0, 1.7
    points = turned_about(np.zeros(2), angle, TEMPLATE) * scale + (180, 60)
    picture = np.zeros((420, 460), np.uint8)
    for at in points:
        cv2.circle(picture, tuple(np.round(at * 16).astype(int)), 5 * 16, 255, -1, shift=4)
    face = Detection(1, 2, 3, 4, 1.0, tuple(map(tuple, points)))
    crop = crop_face(picture, face, CropSettings(align="template", margin=margin))
    unit = len(crop.pixels) / (TEMPLATE_SIDE * (1 + 2 * margin))
    expected = (np.array(TEMPLATE) + 0.5 + margin * TEMPLATE_SIDE) * unit - 0.5
    _, _, _, found = cv2.connectedComponentsWithStats((crop.pixels > 127).astype(np.uint8))
    nearest = [np.abs(found[1:] - at).max(axis=1).min() for at in expected]
    assert len(found) == 6
    assert max(nearest) <= 1.0
    assert crop.angle == pytest.approx(angle, abs=0.01)


def test_landmarks_in_one_point_are_no_face():
    face = Detection(9, 9, 20, 20, 1.0, ((30.0, 30.0),) * 5)
    with pytest.raises(UnusableFace, match="no face"):
        crop_face(PHOTO, face, CropSettings(align="template"))
