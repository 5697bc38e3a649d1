"""Rendered faces in large pictures, with the place of the face known from the renderer."""

import cv2
import numpy as np

from action_units.sample.canvas import Canvas
from action_units.sample.head import outline
from action_units.sample.identity import draw_identity
from action_units.sample.muscles import face_shape
from action_units.sample.render import render_face
from action_units.sample.view import draw_view

_SIDE = 192


def face_and_box(seed):
    """A rendered face, gray (192, 192), and the box of its head's outline, chin to hair."""
    shape = (_SIDE, _SIDE)
    size = (0.26 * _SIDE, 0.315 * _SIDE)
    view = draw_view(np.random.default_rng([seed, 2]), shape, size, occlusion=0.0)
    who = draw_identity(np.random.default_rng([seed, 1]))
    canvas = Canvas(shape, view.pose)
    jaw = face_shape(who, np.zeros(18), view.asymmetry).jaw_drop
    mask = canvas.polygon(outline(who, jaw, canvas), upright=True)
    head = mask.values > 127
    rows, columns = (np.flatnonzero(head.any(axis)) for axis in (1, 0))
    top, left = (int(at.start) for at in mask.at)
    box = left + columns[0], top + rows[0], np.ptp(columns) + 1, np.ptp(rows) + 1
    return render_face(who, np.zeros(18), view, shape), box


def scene(seed, face_height, size=(640, 480)):
    """A soft coloured background with a face somewhere, (H, W, 3), and the face's box."""
    rng = np.random.default_rng([seed, 7])
    blotches = rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)
    picture = cv2.resize(blotches, size, interpolation=cv2.INTER_CUBIC)
    face, (x, y, width, height) = face_and_box(seed)
    side = min(round(_SIDE * face_height / height), size[1])
    scale = side / _SIDE
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    left, top = (int(rng.integers(0, room - side + 1)) for room in size)
    face = cv2.resize(face, (side, side), interpolation=method)
    picture[top : top + side, left : left + side] = face[..., None]
    return picture, (left + x * scale, top + y * scale, width * scale, height * scale)
