"""How far a head is tilted, looked at closely enough to align its crop.

YuNet finds a tilted face at once, but unless the face is of one certain size its
landmarks stay nearly level: of heads tilted by 25° it may tell 4°. So the face is brought
to that size, turned by what the landmarks say, and looked at again until they are level.
"""

import math
from dataclasses import replace

from action_units.faces.cropping import cut_square, eye_angle, resize_square, square_around
from action_units.faces.detection.base import Detection, Detector
from action_units.media.decoding import Pixels

_VIEW = 224  # side of the picture in which a face is looked at again, in pixels
_MARGIN = 0.3  # around the face in it, which is then 140 pixels long
_LOOKS = 5
_LEVEL = 1.0  # degrees that are no tilt any more


def with_exact_landmarks(detector: Detector, pixels: Pixels, face: Detection) -> Detection:
    """A face with landmarks that follow its tilt.

    Args:
        detector: One that gives landmarks.
        pixels: The picture, ``(H, W)`` or ``(H, W, 3)`` blue-green-red.
        face: A face that the detector found in it.

    Returns:
        The same face; its landmarks are the last look's, or its own where a closer look
        finds no face.
    """
    source = square_around(face.box, _MARGIN)
    angle, landmarks = 0.0, face.landmarks
    for _ in range(_LOOKS):
        view = resize_square(cut_square(pixels, source, angle), _VIEW)
        found = detector.detect(view)
        if not found:
            break
        nearest = min(found, key=_off_centre)
        landmarks = tuple(_in_picture(point, source, angle) for point in nearest.landmarks)
        turned = eye_angle(nearest)
        angle += turned
        if abs(turned) < _LEVEL:
            break
    return replace(face, landmarks=landmarks)


def _off_centre(face: Detection) -> float:
    """How far a face of the view is from its middle, in pixels."""
    x, y = face.x + face.width / 2, face.y + face.height / 2
    return math.hypot(x - _VIEW / 2, y - _VIEW / 2)


def _in_picture(
    point: tuple[float, float], source: tuple[int, int, int, int], angle: float
) -> tuple[float, float]:
    """Where a point of the view lies in the picture."""
    x, y, side, _ = source
    right, down = ((value + 0.5) * side / _VIEW - side / 2 for value in point)
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    middle = (side - 1) / 2
    return x + middle + cos * right - sin * down, y + middle + sin * right + cos * down
