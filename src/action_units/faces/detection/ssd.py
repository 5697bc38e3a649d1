"""The paper's detector: OpenCV's ResNet-10 SSD (Liu et al. 2016) for 300×300 pixels."""

import cv2
import numpy as np

from action_units.config import DetectorSettings
from action_units.errors import ArtifactError
from action_units.faces.detection.base import Detection, Detector
from action_units.faces.detection.weights import SSD, SSD_LAYERS, read_weights
from action_units.media.decoding import Pixels

_INPUT = (300, 300)
_MEAN = (104.0, 177.0, 123.0)  # blue, green, red of the training set


class Ssd(Detector):
    """The paper's detector; every picture is squeezed to 300×300, and small faces are lost.

    It has no landmarks. Now and then it gives, beside a face, a box of its own that
    runs far past an edge of the picture; ``DetectorSettings.overhang`` drops those.
    """

    def __init__(self, settings: DetectorSettings) -> None:
        """Load the network.

        Args:
            settings: How to look for faces.

        Raises:
            ArtifactError: A file is missing or not the one that is known, or this
                OpenCV cannot read it.
        """
        super().__init__(settings)
        layers = np.frombuffer(read_weights(SSD_LAYERS, settings.model), np.uint8)
        weights = np.frombuffer(read_weights(SSD, settings.model), np.uint8)
        try:
            # OpenCV gets the very bytes whose hashes were checked, not paths to read again.
            self._network = cv2.dnn.readNetFromCaffe(layers, weights)
        except (AttributeError, cv2.error) as error:
            raise ArtifactError(
                f"OpenCV {cv2.__version__} cannot read the SSD's Caffe files, which OpenCV 4 "
                "can; install opencv-python-headless below 5, or choose the detector yunet."
            ) from error

    def _find(self, colour: Pixels, size: tuple[int, int]) -> list[Detection]:
        self._network.setInput(cv2.dnn.blobFromImage(colour, 1.0, _INPUT, _MEAN))
        rows = self._network.forward()[0, 0]  # (N, 7): picture, class, score, two corners
        found: list[Detection] = []
        for _, _, score, left, top, right, bottom in rows.astype(np.float64).tolist():
            width, height = right - left, bottom - top  # in parts of the picture's
            # Comparisons with NaN are false, so what is no number is no face.
            if not (score >= self.settings.lowest_score and width > 0 and height > 0):
                continue
            past_x, past_y = max(-left, right - 1.0) / width, max(-top, bottom - 1.0) / height
            if max(past_x, past_y) <= self.settings.overhang:
                x, y = left * size[0], top * size[1]
                found.append(Detection(x, y, width * size[0], height * size[1], score))
        return found
