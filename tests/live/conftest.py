"""A classifier that is quick and without training, and rendered people to look at."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from fastapi.testclient import TestClient

from action_units.evaluation.postprocessing.postprocessing import Postprocessing
from action_units.evaluation.postprocessing.thresholds import FittedThresholds
from action_units.labels.action_units import DISFA_AUS
from action_units.live.limits import Limits
from action_units.live.server import create_app
from action_units.prediction.classifier import Classifier, FaceInput, FoldPredictor
from tests.portraits import portrait


class Shades:
    """A network whose probabilities are of how bright the rows of a face are."""

    aus = DISFA_AUS

    def probabilities(self, faces):
        rows = np.array_split(faces.astype(np.float32) / 255, len(self.aus), axis=1)
        return np.stack([part.mean(axis=(1, 2)) for part in rows], axis=1)  # (N, A)


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    n = len(DISFA_AUS)
    fitted = FittedThresholds((0.5,) * n, (False,) * n, (0.5,) * n, ("S1",))
    member = FoldPredictor("fold1", Shades(), Postprocessing(fitted))
    return Classifier([member], FaceInput(), "test/fold1", "0" * 64)


@pytest.fixture
def limits() -> Limits:
    return Limits(upload_mb=2.0, frame_mb=0.5, megapixels=1.0, idle_seconds=5.0)


@pytest.fixture
def client(classifier: Classifier, limits: Limits) -> Iterator[TestClient]:
    with TestClient(create_app(classifier, limits), base_url="http://127.0.0.1:8000") as made:
        yield made


def scene(places, shape=(240, 420)):
    """A gray wall with portraits, whose left edges are given by person."""
    wall = np.full((*shape, 3), 105, np.uint8)
    for person, left in places.items():
        wall[40:200, left : left + 160] = cv2.resize(portrait(person), (160, 160))[..., None]
    return wall


def jpeg(pixels) -> bytes:
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


def write_video(path: Path, frames, rate=10.0) -> Path:
    code = {".avi": "MJPG", ".mjpeg": "MJPG", ".webm": "VP80", ".mp4": "mp4v"}[path.suffix]
    writer = cv2.VideoWriter(
        str(path), cv2.VideoWriter.fourcc(*code), rate, frames[0].shape[1::-1]
    )
    for frame in frames:
        writer.write(frame)
    writer.release()
    return path


@pytest.fixture(scope="session")
def two_people(tmp_path_factory) -> list[np.ndarray]:
    """20 frames: one person, then a second beside, then nobody."""
    frames = [scene({1: 20 + n}) for n in range(8)]
    frames += [scene({1: 28, 2: 230 - n}) for n in range(8)]
    return frames + [scene({}) for _ in range(4)]


@pytest.fixture(scope="session")
def webm(tmp_path_factory, two_people) -> Path:
    return write_video(tmp_path_factory.mktemp("videos") / "two.webm", two_people)


@pytest.fixture(scope="session")
def camera(tmp_path_factory, two_people) -> Path:
    """The first frames as a fake webcam plays them: JPEGs one after the other."""
    path = tmp_path_factory.mktemp("camera") / "camera.mjpeg"
    path.write_bytes(b"".join(jpeg(cv2.resize(f, (640, 360))) for f in two_people[8:16]))
    return path
