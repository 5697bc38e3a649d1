"""Where a face is upright: by its eyes, or by five landmarks fitted to a template."""

import math

from action_units.errors import ConfigurationError, UnusableFace
from action_units.faces.detection.base import Detection

Square = tuple[int, int, int, int]
"""x, y, side and side again, in pixels."""

TEMPLATE_SIDE = 112
TEMPLATE = (
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
)
"""Eyes, nose tip and corners of the mouth in a square of ``TEMPLATE_SIDE`` pixels, in the order
of ``Detection.landmarks``, as face recognition aligns them (Liu et al. 2017, SphereFace, arXiv
1704.08063, in 112 × 96; Deng et al. 2019, ArcFace, arXiv 1801.07698, 8 pixels wider on each
side)."""


def eye_angle(face: Detection) -> float:
    """How far a face's line of eyes is turned from level, clockwise, in degrees.

    Raises:
        ConfigurationError: The face has no landmarks.
    """
    _check_landmarks(face, 2, "eyes")
    right, left = face.landmarks[:2]
    return math.degrees(math.atan2(left[1] - right[1], left[0] - right[0]))


def template_square(face: Detection, margin: float) -> tuple[Square, float]:
    """The square of a picture in which a face's landmarks lie nearest to the template's.

    The map from template to picture turns, scales and shifts with least squares (Umeyama 1991,
    "Least-squares estimation of transformation parameters between two point patterns"). With
    points as complex numbers that is a linear regression. The square is rounded to pixels.

    Args:
        face: With five landmarks.
        margin: Grows the template's square on each side, as a fraction of its side.

    Returns:
        The square, and by how many degrees it is turned about its centre, clockwise.

    Raises:
        ConfigurationError: The face has no landmarks.
        UnusableFace: They all lie in one point (``no face``).
    """
    _check_landmarks(face, len(TEMPLATE), "template")
    template, points = ([complex(*p) for p in one] for one in (TEMPLATE, face.landmarks))
    origin, middle = (sum(one) / len(one) for one in (template, points))
    around = [point - origin for point in template]
    turn = sum(t.conjugate() * (p - middle) for t, p in zip(around, points, strict=True)) / sum(
        abs(t) ** 2 for t in around
    )
    if not turn:
        raise UnusableFace("no face", "its landmarks lie in one point")
    half = (TEMPLATE_SIDE - 1) / 2  # the square's middle, which lies between pixels
    centre = middle + turn * (complex(half, half) - origin)
    side = max(1, round(TEMPLATE_SIDE * abs(turn) * (1 + 2 * margin)))
    x, y = (round(at - (side - 1) / 2) for at in (centre.real, centre.imag))
    return (x, y, side, side), math.degrees(math.atan2(turn.imag, turn.real))


def _check_landmarks(face: Detection, count: int, align: str) -> None:
    if len(face.landmarks) < count:
        raise ConfigurationError(
            f"align={align!r} needs a detector that gives the positions of eyes, nose and "
            "mouth: choose yunet."
        )
