"""From a face's box to a square gray crop."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from action_units.errors import UnusableFace
from action_units.faces.decoding import Pixels, to_gray


@dataclass(frozen=True, eq=False)
class Crop:
    """A face cut out of its photograph.

    Attributes:
        pixels: Gray, square ``(S, S)`` uint8.
        source: x, y, width and height of the square in the photograph, in its
            pixels; it may reach past the edges, where the crop is zero.
    """

    pixels: Pixels
    source: tuple[int, int, int, int]

    @property
    def rectsize(self) -> str:
        """The rectangle of the crop itself, as the label tables write it."""
        size = len(self.pixels)
        return f"(0,0,{size},{size})"


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


def crop_face(
    pixels: Pixels,
    box: tuple[float, float, float, float],
    margin: float = 0.0,
    max_size: int | None = None,
) -> Crop:
    """Cut a face out as a gray square; what lies outside the photograph is zero.

    Args:
        pixels: The photograph, ``(H, W)`` or ``(H, W, 3)`` blue-green-red.
        box: The face's x, y, width and height, in pixels.
        margin: Grows the box on each side, in parts of its width and height.
        max_size: Crops with a longer side are made smaller, to this side.

    Raises:
        UnusableFace: The box lies wholly outside the photograph.
    """
    x, y, side, _ = source = square_around(box, margin)
    height, width = pixels.shape[:2]
    left, top, right, bottom = max(x, 0), max(y, 0), min(x + side, width), min(y + side, height)
    if left >= right or top >= bottom:
        raise UnusableFace("no face", "the box lies outside the photograph")
    inside = to_gray(np.ascontiguousarray(pixels[top:bottom, left:right]))
    square = np.zeros((side, side), np.uint8)
    square[top - y : bottom - y, left - x : right - x] = inside
    if max_size is not None and side > max_size:
        square = resize_square(square, max_size)
    return Crop(square, source)


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
