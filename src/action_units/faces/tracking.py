"""Which of the faces in a frame is the one that was followed so far."""

import math
from collections.abc import Sequence

Box = tuple[float, float, float, float]
"""x, y, width and height, in pixels."""

PATIENCE = 10
"""Frames that a track survives without its face; half a second at DISFA's 20 a second."""

_SAME = 0.3  # boxes that share more than this part of their union are of one face
_REACH = 0.5  # how far a face moves from one frame to the next, in parts of its size
_GROWTH = 2.0  # a face does not become more than so many times larger or smaller


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes, 0 to 1."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    shared = max(width, 0.0) * max(height, 0.0)
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)


def distance(one: Box, other: Box) -> float:
    """Between the centres of two boxes, in pixels."""
    return math.hypot(
        one[0] + one[2] / 2 - other[0] - other[2] / 2,
        one[1] + one[3] / 2 - other[1] - other[3] / 2,
    )


def continuation(previous: Box, boxes: Sequence[Box], gap: int = 1) -> int | None:
    """Which box continues a track.

    It is the one that overlaps the track's last box most. Where none does, it is the
    nearest that the face can have reached: half its size away for each frame since,
    and at most twice or half as large.

    Args:
        previous: The track's last box.
        boxes: The boxes of this frame.
        gap: How many frames lie between the two, 1 for neighbours.

    Returns:
        Its index in `boxes`; None if no box can be of that face.
    """
    likely = [
        (-near[0], near[1], index)
        for index, box in enumerate(boxes)
        if (near := nearness(previous, box, gap)) is not None
    ]
    return min(likely)[2] if likely else None


def nearness(previous: Box, box: Box, gap: int = 1) -> tuple[float, float] | None:
    """How well a box continues a track.

    Args:
        previous: The track's last box.
        box: Of this frame.
        gap: How many frames lie between the two, 1 for neighbours.

    Returns:
        What part of their union they share, 0 where that is little; and their distance as
        a fraction of how far the face can have moved. None if the box cannot be of that
        face.
    """
    side = math.sqrt(previous[2] * previous[3])
    shared, away = overlap(previous, box), distance(previous, box) / (_REACH * side * gap)
    if shared > _SAME:
        return shared, away
    growth = math.sqrt(box[2] * box[3]) / side
    return (0.0, away) if away <= 1 and 1 / _GROWTH <= growth <= _GROWTH else None
