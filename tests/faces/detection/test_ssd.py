"""The SSD's boxes, and the second ones that run past the frame."""

import cv2
import numpy as np
import pytest

from action_units.config import DetectorSettings
from action_units.faces.detection.registry import make_detector
from action_units.faces.tracking import overlap
from tests.faces.scenes import face_and_box, scene
from tests.faces.ssd_files import needs_the_ssd


class Network:
    """Answers with planted rows, in parts of the picture."""

    def __init__(self, *rows):
        self.rows = np.array([[0, 1, *row] for row in rows], np.float32)

    def setInput(self, blob):  # noqa: N802
        assert blob.shape == (1, 3, 300, 300)
        self.blob = blob

    def forward(self):
        return self.rows[None, None]


@pytest.fixture
def ssd():
    needs_the_ssd()
    return make_detector(DetectorSettings(name="ssd"))


def found(ssd, *rows, size=(200, 400)):
    ssd._network = Network(*rows)
    return ssd.detect(np.zeros(size, np.uint8))


def test_rows_become_boxes_in_pixels(ssd):
    (face,) = found(ssd, (0.75, 0.25, 0.5, 0.5, 0.75))
    assert face.box == (100, 100, 100, 50)
    assert face.score == 0.75
    assert face.landmarks == ()
    (large,) = found(ssd, (0.75, 0.25, 0.5, 0.5, 0.75), size=(2000, 4000))
    assert large.box == (1000, 1000, 1000, 500)


def test_the_network_sees_the_picture_less_its_training_sets_mean(ssd):
    found(ssd, (0.75, 0.25, 0.5, 0.5, 0.75))  # in a black picture
    assert np.ptp(ssd._network.blob, axis=(0, 2, 3)).tolist() == [0, 0, 0]
    assert ssd._network.blob[0, :, 0, 0].tolist() == [-104, -177, -123]


@pytest.mark.parametrize(
    ("corners", "kept"),
    [
        ((0.5, 0.5, 1.0, 1.0), True),
        ((0.5, 0.5, 1.05, 1.0), True),  # 9 % of its width past the right edge
        ((0.5, 0.5, 1.06, 1.0), False),  # 11 %
        ((-0.03, 0.5, 0.27, 1.0), True),
        ((-0.05, 0.5, 0.25, 1.0), False),
        ((0.5, -0.03, 0.7, 0.27), True),
        ((0.5, -0.05, 0.7, 0.25), False),
        ((0.5, 0.6, 0.7, 1.04), True),
        ((0.5, 0.6, 0.7, 1.06), False),
        ((0.5, 0.5, 0.4, 0.7), False),  # turned inside out
        ((0.5, 0.5, 0.5, 0.7), False),
        ((float("nan"), 0.5, 0.6, 0.7), False),
        ((0.1, 0.5, float("inf"), 0.7), False),
    ],
)
def test_boxes_far_past_an_edge_are_dropped(ssd, corners, kept):
    whole = (0.9, 0.1, 0.1, 0.3, 0.3)
    assert len(found(ssd, whole, (0.9, *corners))) == 1 + kept


def test_low_scores_are_no_faces(ssd):
    rows = [(score, 0.1, 0.1, 0.3, 0.3) for score in (0.49, 0.5, 0.9, float("nan"))]
    assert [round(face.score, 2) for face in found(ssd, *rows)] == [0.9, 0.5]


def test_a_real_second_box_is_dropped_and_the_face_is_not():
    """A close face for which the network itself gives a second box, half below the frame."""
    needs_the_ssd()
    face, box = face_and_box(89)
    side, left = 472, 84
    picture = np.full((480, 640), 190, np.uint8)
    picture[8:, left : left + side] = cv2.resize(
        face, (side, side), interpolation=cv2.INTER_CUBIC
    )
    x, y, width, height = (value * side / 192 for value in box)
    counts = {}
    for overhang in (0.1, 1.0):
        faces = make_detector(DetectorSettings(name="ssd", overhang=overhang)).detect(picture)
        counts[overhang] = len(faces)
        assert max(overlap(one.box, (left + x, 8 + y, width, height)) for one in faces) > 0.5
    assert counts == {0.1: 1, 1.0: 2}


def test_faces_at_the_frames_edge_are_kept(ssd):
    """A third of the face is outside."""
    kept = 0
    for seed in range(20):
        picture, (x, _, width, _) = scene(seed, 150)
        cut = picture[:, int(x + width / 3) :]
        kept += cut.shape[1] < 250 or bool(ssd.detect(np.ascontiguousarray(cut)))
    assert kept >= 16


def test_faces_of_90_pixels_are_found_and_much_smaller_ones_are_lost(ssd):
    """Why it is not the default: 640 × 480 pixels are squeezed to 300 × 300."""
    rates = {}
    for height in (40, 100):
        hits = 0
        for seed in range(25):
            picture, box = scene(seed, height)
            hits += any(overlap(face.box, box) > 0.4 for face in ssd.detect(picture))
        rates[height] = hits / 25
    assert rates[40] < 0.3
    assert rates[100] > 0.85
