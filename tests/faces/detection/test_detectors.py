"""What both detectors find, in which order, and which face of a video they follow."""

import cv2
import numpy as np
import pytest

from action_units.config import DetectorSettings
from action_units.errors import UnusableFace
from action_units.faces.detection.base import Detection, Detector
from action_units.faces.detection.registry import make_detector
from action_units.faces.tracking import PATIENCE, overlap
from tests.faces.ssd_files import needs_the_ssd


@pytest.fixture(scope="module", params=["yunet", "ssd"])
def name(request):
    if request.param == "ssd":
        needs_the_ssd()
    return request.param


@pytest.fixture(scope="module")
def detector(name):
    return make_detector(DetectorSettings(name=name))


def test_rendered_faces_are_found(detector, portraits):
    for pixels in portraits:
        face = detector.best(pixels)
        assert face.score >= detector.settings.lowest_score
        assert 0 < face.x < face.x + face.width < 192
        assert bool(face.landmarks) == detector.settings.has_landmarks
        if face.landmarks:
            (right_eye, left_eye, nose, *_mouth) = face.landmarks
            assert right_eye[0] < nose[0] < left_eye[0]
            assert right_eye[1] < nose[1]


def test_gray_and_its_three_equal_colours_are_the_same(detector, portraits):
    colour = cv2.cvtColor(portraits[0], cv2.COLOR_GRAY2BGR)
    assert detector.detect(colour) == detector.detect(portraits[0])


def test_the_sizes_seen_before_do_not_matter(name, portraits):
    sizes = [(192, 192), (224, 192), (160, 192), (250, 190), (192, 192), (160, 192)]
    pictures = [cv2.resize(portraits[0], size) for size in sizes]
    used = make_detector(DetectorSettings(name=name))
    for picture in pictures:
        assert used.detect(picture) == make_detector(DetectorSettings(name=name)).detect(
            picture
        )


def test_boxes_come_back_in_the_pixels_of_the_picture(detector, portraits):
    large = cv2.resize(portraits[0], (1920, 1440), interpolation=cv2.INTER_CUBIC)
    small, big = detector.best(portraits[0]), detector.best(large)
    scaled = (small.x * 10, small.y * 7.5, small.width * 10, small.height * 7.5)
    assert overlap(scaled, big.box) > 0.75


def test_a_picture_without_a_face_is_unusable(detector):
    for shape in ((200, 200), (8, 8), (1, 1), (1, 4000, 3), (4000, 2), (200, 200, 3)):
        with pytest.raises(UnusableFace) as error:
            detector.best(np.full(shape, 128, np.uint8))
        assert error.value.reason == "no face"


def test_the_face_is_chosen_as_asked(name, portraits):
    sheet = np.full((400, 600), 120, np.uint8)
    sheet[100:292, 380:572] = portraits[0]  # large, off the centre
    sheet[140:260, 240:360] = cv2.resize(portraits[1], (120, 120))  # small, central
    found = {
        choose: make_detector(DetectorSettings(name=name, choose=choose)).detect(sheet)
        for choose in ("largest", "central", "surest")
    }
    assert {len(faces) for faces in found.values()} == {2}
    assert found["largest"][0].x > 370 > 348 > found["central"][0].x
    assert found["surest"][0].score == max(face.score for face in found["surest"])


def test_it_gives_the_same_on_any_number_of_threads_and_in_any_order(name, portraits):
    threads = cv2.getNumThreads()
    settings = DetectorSettings(name=name)
    try:
        found = []
        for count in (1, 2, 4):
            cv2.setNumThreads(count)
            found.append([make_detector(settings).detect(pixels) for pixels in portraits])
        one = make_detector(settings)
        again = [one.detect(pixels) for pixels in portraits[::-1]][::-1]
    finally:
        cv2.setNumThreads(threads)
    assert found[0] == found[1] == found[2] == again


class Planted(Detector):
    """Finds what it is told to."""

    faces = ()

    def _find(self, colour, size):
        return [Detection(*box, score=0.9) for box in self.faces]


FACE, POSTER = (100, 80, 60, 80), (400, 50, 150, 200)
FRAME = np.zeros((480, 640), np.uint8)


def test_a_video_stays_with_its_face():
    detector = Planted(DetectorSettings(longest_side=640))
    detector.faces = (FACE, POSTER)
    assert detector.best(FRAME).box == POSTER  # the largest
    last = Detection(104, 83, 60, 80, 0.9)
    assert detector.best(FRAME, last).box == FACE
    detector.faces = (POSTER,)
    for gap in (1, 3):
        with pytest.raises(UnusableFace, match="none of the faces found") as error:
            detector.best(FRAME, last, gap)
        assert error.value.reason == "no face"
    assert detector.best(FRAME, last, PATIENCE + 1).box == POSTER
    detector.faces = ()
    with pytest.raises(UnusableFace, match="no face was found with a score of 0.8"):
        detector.best(FRAME, last)
