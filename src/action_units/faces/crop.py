"""From a face in a picture to a square crop, gray or in colour, and its file."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import cv2
import numpy as np

from action_units.config import CropSettings, DetectorSettings
from action_units.errors import ArtifactError, ConfigurationError, UnusableFace
from action_units.faces.alignment import Square, eye_angle, template_square
from action_units.faces.detection.base import Detection, Detector
from action_units.faces.detection.registry import model_sha256, thread_detector
from action_units.media.images import MAX_MEGAPIXELS, Pixels, to_gray

# YuNet finds a tilted face, but unless the face is of one certain size its landmarks stay
# nearly level: for heads tilted by 25° it may give 4°. So the face is scaled to that size and
# rotated by the eyes' angle, and detected again until they are level.
_VIEW = 224  # side of the picture in which a face is detected again, in pixels
_VIEW_MARGIN = 0.3  # around the face in it, which is then 140 pixels long
_REFINEMENTS = 5
_LEVEL = 1.0  # degrees of tilt that need no further turn


@dataclass(frozen=True)
class FaceSettings:
    """How faces are found and cut out.

    Attributes:
        detector: How faces are found.
        crop: How they are cut out.
        max_megapixels: The largest picture that is decoded; None for no limit.
    """

    detector: DetectorSettings = field(default_factory=DetectorSettings)
    crop: CropSettings = field(default_factory=CropSettings)
    max_megapixels: float | None = MAX_MEGAPIXELS

    def __post_init__(self) -> None:
        """Check that detector and alignment fit; raises ConfigurationError."""
        align = self.crop.align
        if align != "none" and not self.detector.has_landmarks:
            parts = "the eyes" if align == "eyes" else "eyes, nose and mouth"
            raise ConfigurationError(
                f"align={align!r} needs the positions of {parts}, and the detector "
                f"{self.detector.name} does not give them; choose the detector yunet or "
                "align='none'."
            )

    def provenance(self) -> dict[str, Any]:
        """All that the crops depend on, as plain values.

        Raises:
            ArtifactError: The detector's model is missing or another.
        """
        used = {
            "weights": model_sha256(self.detector)[:16],
            "score": self.detector.lowest_score,
        }
        crop = self.crop.model_dump()
        if not self.crop.colour:  # as records had it before there was colour
            del crop["colour"]
        return {
            "detector": {**self.detector.model_dump(), **used},
            "crop": crop,
            "max_megapixels": self.max_megapixels,
        }

    @classmethod
    def from_provenance(cls, recorded: Mapping[str, Any]) -> Self:
        """The settings that `provenance` recorded; other entries are ignored.

        Raises:
            ArtifactError: A setting is missing or invalid.
        """
        try:
            detector = {n: recorded["detector"][n] for n in DetectorSettings.model_fields}
            known = {"colour": False, **recorded["crop"]}
            crop = {n: known[n] for n in CropSettings.model_fields}
            limit = recorded["max_megapixels"]
            return cls(DetectorSettings(**detector), CropSettings(**crop), limit)
        except (KeyError, TypeError, ConfigurationError) as error:
            raise ArtifactError(f"how faces were cut out cannot be read ({error}).") from error


@dataclass(frozen=True, eq=False)
class Crop:
    """A face cut out of its picture.

    Attributes:
        pixels: Square, uint8, gray ``(S, S)`` or blue-green-red ``(S, S, 3)``.
        source: The square in the picture; it may reach past the edges, where the crop is zero.
        angle: By how many degrees the square is turned about its centre in the picture,
            clockwise as one sees it; 0 unless the crop is aligned.
    """

    pixels: Pixels
    source: Square
    angle: float = 0.0

    @property
    def rectsize(self) -> str:
        """The rectangle of the crop itself, as the label tables write it."""
        size = len(self.pixels)
        return f"(0,0,{size},{size})"


def cut_and_encode(
    pixels: Pixels, face: Detection, settings: FaceSettings
) -> tuple[Crop, bytes]:
    """A crop and the bytes of its file, as preprocessing and prediction make them.

    Raises:
        UnusableFace: The face cannot be cut out.
    """
    if settings.crop.align != "none":
        face = refine_landmarks(thread_detector(settings.detector), pixels, face)
    crop = crop_face(pixels, face, settings.crop)
    return crop, encode_crop(crop, settings.crop)


def crop_face(pixels: Pixels, face: Detection, settings: CropSettings) -> Crop:
    """Cut a face out as a square; what lies outside the picture is zero.

    The crop is gray unless the settings keep colour; that of a gray picture always is.

    Args:
        pixels: The picture, ``(H, W)`` or ``(H, W, 3)`` blue-green-red.
        face: Where it is; for alignment with landmarks from ``refine_landmarks``.
        settings: How to cut.

    Raises:
        UnusableFace: The box lies wholly outside the picture (``no face``).
        ConfigurationError: Alignment is requested, but the face has no landmarks.
    """
    if settings.align == "template":
        source, angle = template_square(face, settings.margin)
    else:
        source = square_around(face.box, settings.margin)
        angle = eye_angle(face) if settings.align == "eyes" else 0.0
    square = cut_square(pixels, source, angle, settings.colour)
    if settings.max_size is not None and len(square) > settings.max_size:
        square = resize_square(square, settings.max_size)
    return Crop(square, source, angle)


def encode_crop(crop: Crop, settings: CropSettings) -> bytes:
    """The bytes of a crop's file."""
    options = [cv2.IMWRITE_JPEG_QUALITY, settings.quality] if settings.suffix == ".jpg" else []
    written, encoded = cv2.imencode(settings.suffix, crop.pixels, options)
    if not written:
        raise UnusableFace(
            "too large", f"a crop of {len(crop.pixels):,} pixels a side; lower max_size"
        )
    return encoded.tobytes()


def square_around(box: tuple[float, float, float, float], margin: float) -> Square:
    """The smallest whole-pixel square with a box and its margin, about its centre.

    Args:
        box: x, y, width and height, in pixels.
        margin: Grows the box on each side, as a fraction of its width and height.
    """
    x, y, width, height = box
    left, right = x - margin * width, x + width * (1 + margin)
    top, bottom = y - margin * height, y + height * (1 + margin)
    x0, x1 = math.floor(left), math.ceil(right)
    y0, y1 = math.floor(top), math.ceil(bottom)
    side = max(x1 - x0, y1 - y0, 1)
    return x0 - (side - (x1 - x0)) // 2, y0 - (side - (y1 - y0)) // 2, side, side


def cut_square(
    pixels: Pixels, source: Square, angle: float = 0.0, colour: bool = False
) -> Pixels:
    """A square of a picture, zero outside of it.

    Args:
        pixels: The picture, ``(H, W)`` or ``(H, W, 3)`` blue-green-red.
        source: The square, in its pixels.
        angle: By how many degrees the square is turned about its centre, clockwise.
        colour: Keep the picture's colours; otherwise the square is gray.

    Raises:
        UnusableFace: The square lies wholly outside the picture (``no face``).
    """
    x, y, side, _ = source
    if not angle:
        height, width = pixels.shape[:2]
        left, top = max(x, 0), max(y, 0)
        right, bottom = min(x + side, width), min(y + side, height)
        if left >= right or top >= bottom:
            raise UnusableFace("no face", "the box lies outside the photograph")
        inside = np.ascontiguousarray(pixels[top:bottom, left:right])
        inside = inside if colour else to_gray(inside)
        square = np.zeros((side, side, *inside.shape[2:]), np.uint8)
        square[top - y : bottom - y, left - x : right - x] = inside
        return square
    # The upright square that holds the turned one is cut out first: only it becomes gray.
    spare = math.ceil(side * (math.sqrt(2) - 1) / 2) + 1
    outer = side + 2 * spare
    around = cut_square(pixels, (x - spare, y - spare, outer, outer), colour=colour)
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    middle, centre = (side - 1) / 2, (side - 1) / 2 + spare
    # From a pixel of the crop to its position in `around`.
    turn = np.array(
        [
            [cos, -sin, centre - cos * middle + sin * middle],
            [sin, cos, centre - sin * middle - cos * middle],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(around, turn, (side, side), flags=flags), np.uint8)


def resize_square(pixels: Pixels, size: int) -> Pixels:
    """Pixels ``(H, W)`` or ``(H, W, 3)`` as a square of ``size``.

    By area where they shrink, linear where they grow.
    """
    if pixels.shape[:2] == (size, size):
        return pixels
    shrinks = min(pixels.shape[:2]) >= size
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (size, size), interpolation=method), np.uint8)


def pad_to_square(pixels: Pixels) -> Pixels:
    """Pixels ``(H, W)`` or ``(H, W, 3)`` in the middle of a square, zero around them."""
    height, width = pixels.shape[:2]
    side = max(height, width)
    if height == width:
        return pixels
    square = np.zeros((side, side, *pixels.shape[2:]), np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = pixels
    return square


def refine_landmarks(detector: Detector, pixels: Pixels, face: Detection) -> Detection:
    """A face with landmarks that follow its tilt.

    Args:
        detector: One that gives landmarks.
        pixels: The picture, ``(H, W)`` or ``(H, W, 3)`` blue-green-red.
        face: A face that the detector found in it.

    Returns:
        The same face; its landmarks are those of the last detection, or its own where a
        closer look finds no face.
    """
    source = square_around(face.box, _VIEW_MARGIN)
    angle, landmarks = 0.0, face.landmarks
    for _ in range(_REFINEMENTS):
        view = resize_square(cut_square(pixels, source, angle), _VIEW)
        detections = detector.detect(view)
        if not detections:
            break
        nearest = min(detections, key=_distance_from_centre)
        landmarks = tuple(_in_picture(point, source, angle) for point in nearest.landmarks)
        turned = eye_angle(nearest)
        angle += turned
        if abs(turned) < _LEVEL:
            break
    return replace(face, landmarks=landmarks)


def _distance_from_centre(face: Detection) -> float:
    """How far a face of the view is from its middle, in pixels."""
    x, y = face.x + face.width / 2, face.y + face.height / 2
    return math.hypot(x - _VIEW / 2, y - _VIEW / 2)


def _in_picture(
    point: tuple[float, float], source: Square, angle: float
) -> tuple[float, float]:
    """The position in the picture of a point of the view."""
    x, y, side, _ = source
    right, down = ((value + 0.5) * side / _VIEW - side / 2 for value in point)
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    middle = (side - 1) / 2
    return x + middle + cos * right - sin * down, y + middle + sin * right + cos * down
