"""What a detector is: its files, its detections, and the choice of one face.

The files come with installed packages, which are located without being imported, or from a
path. No file reaches OpenCV before its SHA-256 has been verified.
"""

import hashlib
import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np

from action_units.config import DetectorSettings
from action_units.errors import ArtifactError, UnusableFace
from action_units.faces.tracking import PATIENCE, Box, continuation
from action_units.media.images import Pixels


@dataclass(frozen=True)
class Weights:
    """A file that a detector needs.

    Attributes:
        names: Its possible names, that in the package first.
        sha256: Of its bytes.
        package: The installed package that ships it.
        install: How to get that package.
        text: It is text, and is hashed with line feeds as line ends.
    """

    names: tuple[str, ...]
    sha256: str
    package: str
    install: str
    text: bool = False


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
            corner of the mouth, as seen from the person; empty where the detector
            has none.
    """

    x: float
    y: float
    width: float
    height: float
    score: float
    landmarks: tuple[tuple[float, float], ...] = ()

    @property
    def box(self) -> Box:
        """x, y, width and height."""
        return self.x, self.y, self.width, self.height


class Detector(ABC):
    """Finds faces in pictures; keeps one network in memory.

    It is deterministic, whatever the number of OpenCV's threads, and belongs to the thread
    that made it.

    Attributes:
        FILES: What it loads; the network's weights first.
        settings: How faces are found.
    """

    FILES: ClassVar[tuple[Weights, ...]]

    def __init__(self, settings: DetectorSettings) -> None:
        self.settings = settings

    def detect(self, pixels: Pixels) -> list[Detection]:
        """All faces of a picture, the one to take first.

        Args:
            pixels: ``(H, W)`` gray or ``(H, W, 3)`` blue-green-red.
        """
        colour = pixels if pixels.ndim == 3 else cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR)
        height, width = colour.shape[:2]
        shrink = min(1.0, self.settings.longest_side / max(height, width))
        if shrink < 1.0:
            size = max(1, round(width * shrink)), max(1, round(height * shrink))
            # By area, which uses every pixel of a large photograph.
            colour = cv2.resize(colour, size, interpolation=cv2.INTER_AREA)
        detections = self._find(np.asarray(colour, np.uint8), (width, height))
        return sorted(detections, key=lambda face: self._rank(face, width, height))

    def best(
        self, pixels: Pixels, previous: Detection | None = None, gap: int = 1
    ) -> Detection:
        """The face to take.

        Args:
            pixels: As in ``detect``.
            previous: In a video, the face that was last taken. The one that
                continues its track is taken, and no other until
                ``tracking.PATIENCE`` frames have passed without it; then the track
                starts again with the face that the settings choose.
            gap: How many frames ago that was, 1 for the frame before.

        Raises:
            UnusableFace: No face was found (``no face``).
        """
        return choose_face(self.detect(pixels), self.settings.lowest_score, previous, gap)

    @abstractmethod
    def _find(self, colour: Pixels, size: tuple[int, int]) -> list[Detection]:
        """The faces of a picture, in any order.

        Args:
            colour: ``(h, w, 3)`` blue-green-red, no longer than ``longest_side``.
            size: Width and height of the picture before it was made smaller, in
                whose pixels the faces are given.
        """

    def _rank(self, face: Detection, width: int, height: int) -> tuple[float, ...]:
        off_x = face.x + face.width / 2 - width / 2
        off_y = face.y + face.height / 2 - height / 2
        key = {
            "largest": -face.width * face.height,
            "central": off_x**2 + off_y**2,
            "surest": -face.score,
        }[self.settings.choose]
        return key, -face.score, face.x, face.y


def choose_face(
    detections: Sequence[Detection],
    lowest_score: float,
    previous: Detection | None = None,
    gap: int = 1,
) -> Detection:
    """The face to take of those that were found; see ``Detector.best``.

    Args:
        detections: As ``Detector.detect`` gives them.
        lowest_score: That a face had to have.
        previous: The face that was last taken.
        gap: How many frames ago that was.

    Raises:
        UnusableFace: No face was found (``no face``).
    """
    if not detections:
        raise UnusableFace(
            "no face", f"no face was found with a score of {lowest_score:g} or more"
        )
    if previous is None or gap > PATIENCE:
        return detections[0]
    index = continuation(previous.box, [face.box for face in detections], gap)
    if index is None:
        raise UnusableFace(
            "no face",
            f"none of the faces found ({len(detections)}) continues the track of the one taken "
            f"{gap} frame{'s' if gap > 1 else ''} before",
        )
    return detections[index]


def read_weights(weights: Weights, model: Path | str | None = None) -> bytes:
    """The bytes of a detector's file, once their hash has been verified.

    Args:
        weights: Which file.
        model: The configured model file: the file itself, or one in the same folder;
            None takes the installed package's.

    Raises:
        ArtifactError: It is missing or another file.
    """
    path = _locate(weights, model)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ArtifactError(
            f"the face detector's file {path} cannot be read ({error.strerror}); install "
            f"{weights.install}, which ships it, or name the file in the configuration."
        ) from None
    hashed = content.replace(b"\r\n", b"\n") if weights.text else content
    digest = hashlib.sha256(hashed).hexdigest()
    if digest != weights.sha256:
        raise ArtifactError(
            f"{path} is not the face detector's file that this project knows: its SHA-256 is "
            f"{digest}, expected {weights.sha256}. Install {weights.install}, which ships it."
        )
    return content


def _locate(weights: Weights, model: Path | str | None) -> Path:
    if model is None:
        # Importing the package would cost seconds, or fail for want of what it imports.
        package = importlib.util.find_spec(weights.package)
        if package is None or package.origin is None:
            raise ArtifactError(
                f"the face detector's file {weights.names[0]} comes with the package "
                f"{weights.package}, which is not installed; install {weights.install} or name "
                "the file in the configuration."
            )
        return Path(package.origin).parent / weights.names[0]
    if not weights.text:
        return Path(model)
    beside = [Path(model).with_name(name) for name in weights.names]
    return next((path for path in beside if path.is_file()), beside[0])
