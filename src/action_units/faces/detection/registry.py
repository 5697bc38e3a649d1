"""From settings to a detector."""

from action_units.config import DetectorSettings
from action_units.faces.detection.base import Detector
from action_units.faces.detection.ssd import Ssd
from action_units.faces.detection.weights import SSD, SSD_LAYERS, YUNET, read_weights
from action_units.faces.detection.yunet import YuNet

_DETECTORS: dict[str, type[Detector]] = {"yunet": YuNet, "ssd": Ssd}
_FILES = {"yunet": (YUNET,), "ssd": (SSD, SSD_LAYERS)}


def make_detector(settings: DetectorSettings | None = None) -> Detector:
    """Load a detector.

    Args:
        settings: How to look for faces; None takes YuNet as it comes.

    Raises:
        ArtifactError: A file of it is missing, not the one that is known, or not
            readable by this OpenCV.
    """
    settings = settings or DetectorSettings()
    return _DETECTORS[settings.name](settings)


def model_sha256(settings: DetectorSettings) -> str:
    """The SHA-256 of the network's weights, once all its files have been found right.

    Raises:
        ArtifactError: A file of it is missing or not the one that is known.
    """
    files = _FILES[settings.name]
    for weights in files:
        read_weights(weights, settings.model)
    return files[0].sha256
