"""From settings to a detector."""

import threading

from action_units.config import DetectorSettings
from action_units.faces.detection.base import Detector, read_weights
from action_units.faces.detection.ssd import Ssd
from action_units.faces.detection.yunet import YuNet

_DETECTORS: dict[str, type[Detector]] = {"yunet": YuNet, "ssd": Ssd}
_local = threading.local()


def make_detector(settings: DetectorSettings | None = None) -> Detector:
    """Load a detector.

    Args:
        settings: How to find faces; None takes YuNet with its defaults.

    Raises:
        ArtifactError: A file of it is missing, not the one that is known, or not
            readable by this OpenCV.
    """
    settings = settings or DetectorSettings()
    return _DETECTORS[settings.name](settings)


def thread_detector(settings: DetectorSettings) -> Detector:
    """This thread's detector: loading the network once serves all its pictures."""
    detector: Detector | None = getattr(_local, "detector", None)
    if detector is None or detector.settings != settings:
        detector = _local.detector = make_detector(settings)
    return detector


def model_sha256(settings: DetectorSettings) -> str:
    """The SHA-256 of the network's weights, once all its files have been verified.

    Raises:
        ArtifactError: A file of it is missing or not the one that is known.
    """
    files = _DETECTORS[settings.name].FILES
    for weights in files:
        read_weights(weights, settings.model)
    return files[0].sha256
