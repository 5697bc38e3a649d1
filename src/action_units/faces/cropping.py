"""From a face to a square gray crop and its file."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from action_units.config import CropSettings, DetectorSettings
from action_units.errors import ConfigurationError, UnusableFace
from action_units.faces.detection.base import Detection
from action_units.media.decoding import Pixels, to_gray


def check_alignment(detector: DetectorSettings, crop: CropSettings) -> None:
    """Refuse an alignment that the detector cannot give; raises ConfigurationError."""
    if crop.align == "eyes" and not detector.has_landmarks:
        raise ConfigurationError(
            f"align='eyes' needs to know where the eyes are, and the detector "
            f"{detector.name} does not tell; choose the detector yunet or align='none'."
        )


@dataclass(frozen=True, eq=False)
class Crop:
    """A face cut out of its photograph.

    Attributes:
        pixels: Gray, square ``(S, S)`` uint8.
        source: x, y, width and height of the square in the photograph, in its
            pixels; it may reach past the edges, where the crop is zero.
        angle: By how many degrees the square is turned about its centre in the
            photograph, clockwise as one sees it; 0 unless the crop is aligned.
    """

    pixels: Pixels
    source: tuple[int, int, int, int]
    angle: float = 0.0

    @property
    def rectsize(self) -> str:
        """The rectangle of the crop itself, as the label tables write it."""
        size = len(self.pixels)
        return f"(0,0,{size},{size})"


def crop_face(pixels: Pixels, face: Detection, settings: CropSettings) -> Crop:
    """Cut a face out as a gray square; what lies outside the photograph is zero.

    Args:
        pixels: The photograph, ``(H, W)`` or ``(H, W, 3)`` blue-green-red.
        face: Where it is; if it is to be aligned, with landmarks from
            ``alignment.with_exact_landmarks``.
        settings: How to cut.

    Raises:
        UnusableFace: The box lies wholly outside the photograph (``no face``).
        ConfigurationError: Alignment is asked for and there are no landmarks.
    """
    source = square_around(face.box, settings.margin)
    angle = eye_angle(face) if settings.align == "eyes" else 0.0
    square = cut_square(pixels, source, angle)
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


def square_around(
    box: tuple[float, float, float, float], margin: float
) -> tuple[int, int, int, int]:
    """The smallest whole-pixel square with a box and its margin, about its centre.

    Args:
        box: x, y, width and height, in pixels.
        margin: Grows the box on each side, in parts of its width and height.

    Returns:
        x, y, side and side again.
    """
    x, y, width, height = box
    left, right = x - margin * width, x + width * (1 + margin)
    top, bottom = y - margin * height, y + height * (1 + margin)
    x0, x1 = math.floor(left), math.ceil(right)
    y0, y1 = math.floor(top), math.ceil(bottom)
    side = max(x1 - x0, y1 - y0, 1)
    return x0 - (side - (x1 - x0)) // 2, y0 - (side - (y1 - y0)) // 2, side, side


def cut_square(pixels: Pixels, source: tuple[int, int, int, int], angle: float = 0.0) -> Pixels:
    """A square of a photograph, gray, zero outside of it.

    Args:
        pixels: The photograph, ``(H, W)`` or ``(H, W, 3)`` blue-green-red.
        source: x, y, side and side again, in its pixels.
        angle: By how many degrees the square is turned about its centre, clockwise.

    Raises:
        UnusableFace: The square lies wholly outside the photograph (``no face``).
    """
    return _turned(pixels, source, angle) if angle else _upright(pixels, source)


def eye_angle(face: Detection) -> float:
    """How far a face's line of eyes is turned from level, clockwise, in degrees.

    Raises:
        ConfigurationError: The face has no landmarks.
    """
    if len(face.landmarks) < 2:
        raise ConfigurationError(
            "align='eyes' needs a detector that tells where the eyes are: choose yunet."
        )
    right, left = face.landmarks[:2]
    return math.degrees(math.atan2(left[1] - right[1], left[0] - right[0]))


def resize_square(pixels: Pixels, size: int) -> Pixels:
    """Gray pixels as ``(size, size)``: by area where they shrink, linear where they grow."""
    if pixels.shape == (size, size):
        return pixels
    shrinks = min(pixels.shape) >= size
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (size, size), interpolation=method), np.uint8)


def pad_to_square(pixels: Pixels) -> Pixels:
    """Gray pixels in the middle of a square, zero around them."""
    height, width = pixels.shape
    side = max(height, width)
    if height == width:
        return pixels
    square = np.zeros((side, side), np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = pixels
    return square


def _upright(pixels: Pixels, source: tuple[int, int, int, int]) -> Pixels:
    x, y, side, _ = source
    height, width = pixels.shape[:2]
    left, top, right, bottom = max(x, 0), max(y, 0), min(x + side, width), min(y + side, height)
    if left >= right or top >= bottom:
        raise UnusableFace("no face", "the box lies outside the photograph")
    square = np.zeros((side, side), np.uint8)
    inside = to_gray(np.ascontiguousarray(pixels[top:bottom, left:right]))
    square[top - y : bottom - y, left - x : right - x] = inside
    return square


def _turned(pixels: Pixels, source: tuple[int, int, int, int], angle: float) -> Pixels:
    x, y, side, _ = source
    # The upright square that holds the turned one is cut out first: only it becomes gray.
    spare = math.ceil(side * (math.sqrt(2) - 1) / 2) + 1
    around = _upright(pixels, (x - spare, y - spare, side + 2 * spare, side + 2 * spare))
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    middle, centre = (side - 1) / 2, (side - 1) / 2 + spare
    # From a pixel of the crop to its place in `around`.
    turn = np.array(
        [
            [cos, -sin, centre - cos * middle + sin * middle],
            [sin, cos, centre - sin * middle - cos * middle],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(around, turn, (side, side), flags=flags), np.uint8)
