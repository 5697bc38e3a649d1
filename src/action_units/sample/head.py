"""The head's outline, relief and light: skin before eyes, brows and mouth are drawn."""

from math import sin

import numpy as np

from action_units.sample.canvas import (
    Canvas,
    Floats,
    closed_spline,
    patch,
)
from action_units.sample.identity import Identity
from action_units.sample.muscles import FaceShape
from action_units.sample.view import View

_SIDES = (-1.0, 1.0)


def outline(who: Identity, jaw_drop: float, canvas: Canvas, grow: float = 0.0) -> Floats:
    """The head's contour in upright picture coordinates, (n, 2).

    ``grow`` widens the skull (for hair); the jaw below the ears stays as it is.
    """
    w, j, c, length = who.face_width, who.jaw_width, who.chin_width, who.chin_length
    full = 0.97 + 0.06 * who.cheeks
    right = np.array(
        [
            [0.40, -1.05 - grow], [0.66, -0.90 - 0.7 * grow], [0.82, -0.56], [0.845, -0.20],
            [0.825 * full, 0.14], [0.785 * full, 0.42], [0.700 * j, 0.68 * length / 1.14],
            [0.530 * j, 0.92 * length / 1.14], [0.300 * c, 1.09 * length / 1.14],
            [0.120 * c, length],
        ]
    )  # fmt: skip
    right[:, 0] *= w / 0.83
    right[:4, 0] += grow * np.array([0.4, 0.8, 1.0, 1.0])
    lower = np.clip((right[:, 1] - 0.30) / 0.6, 0.0, 1.0)
    right[:, 1] += jaw_drop * lower
    right[:, 0] *= 1.0 - 0.25 * jaw_drop * lower
    left = right[::-1] * np.array([-1.0, 1.0])
    points = np.concatenate([[[0.0, -1.12 - grow]], right, left])
    # The jaw lies further forward than the skull, so it swings out more as the head turns.
    forward = np.clip(0.25 + 0.35 * points[:, 1], 0.0, 0.62)
    points[:, 0] += forward * sin(canvas.pose.yaw)
    points[:, 1] += forward * sin(canvas.pose.pitch)
    return closed_spline(points)


def relief(canvas: Canvas, who: Identity, shape: FaceShape) -> Floats:
    """Height of the skin over the picture plane in face units, on the canvas (h, w)."""
    height = -0.42 * canvas.x * canvas.x - 0.20 * (canvas.y - 0.1) * (canvas.y - 0.1)
    add = canvas.add_bump
    add(height, 0.0, -0.50, 0.70, 0.34, 0.045)  # forehead
    tip_u, tip_v = canvas.lift(0.20)
    mid_u, mid_v = canvas.lift(0.10)
    nose = who.nose_length
    width = who.nose_width
    strong = 0.7 + 0.6 * who.nose_bridge
    add(height, 0.2 * mid_u, 0.06, 0.10, 0.30, 0.030 * strong)
    add(height, mid_u, 0.20 + mid_v, 0.115, 0.36, 0.075 * strong)
    add(height, tip_u, nose - 0.05 + tip_v, 0.85 * width, 0.16, 0.110)
    for side, s in enumerate(_SIDES):
        rise = float(shape.wing_rise[side])
        add(height, s * 0.80 * width + mid_u, nose - 0.015 - rise + mid_v, 0.075, 0.075, 0.050)
        brow = float(shape.brow_middle[side])
        frown = float(shape.au[4][side])
        add(height, s * 0.32, brow + 0.02, 0.30, 0.13, 0.035 + 0.02 * who.gender)
        add(height, s * 0.09, brow + 0.05, 0.10, 0.12, 0.030 * frown)
        add(height, s * (who.eye_spacing + 0.01), 0.0, 0.25, 0.19, -0.055)  # socket
        add(height, s * 0.105, 0.0, 0.085, 0.13, -0.030)
        add(height, s * 0.455, float(shape.cheek_v[side]), 0.30, 0.25,
            float(shape.cheek_height[side]))  # fmt: skip
        u, v = float(shape.corner_u[side]), float(shape.corner_v[side])
        smile, pull = float(shape.au[12][side]), float(shape.au[15][side])
        dimple = float(shape.au[14][side])
        add(height, s * (u + 0.10), v, 0.13, 0.20, 0.030 * smile + 0.035 * dimple)
        add(height, s * (u + 0.03), v, 0.055, 0.075, -0.015 - 0.020 * smile - 0.042 * dimple)
        add(height, s * 0.50, 0.62 + 0.5 * shape.jaw_drop, 0.22, 0.26, -0.16 * shape.jaw_drop)
        add(height, s * (u + 0.02), v + 0.10, 0.13, 0.13, 0.030 * pull)
    drop = shape.jaw_drop
    add(height, 0.0, shape.mouth_v, 0.36, 0.26, 0.040)  # the teeth behind the lips
    rolled, tight = shape.rolled, float(shape.au[23].mean())
    bulge = 0.030 * rolled + 0.014 * tight + 0.032 * shape.pressed
    add(height, 0.0, shape.mouth_v - 0.085, 0.30, 0.085, bulge)
    add(height, 0.0, shape.mouth_v + 0.095, 0.28, 0.090, bulge)
    boss = float(shape.au[17].mean())
    add(height, 0.0, shape.chin_v - 0.175, 0.22, 0.17, shape.chin_boss)
    below = shape.mouth_v + shape.gap_down + shape.lower_lip + 0.065 + 0.1 * drop
    add(height, 0.0, below, 0.20, 0.060, -0.022 - 0.020 * who.chin_crease - 0.045 * boss)
    if boss > 0.02:  # the chin's skin wrinkles like orange peel
        at = canvas.window(0.0, shape.chin_v - 0.17, 0.17, 0.14)
        part = height[at]
        inside = np.maximum(
            0.0,
            1.0 - (canvas.u[at] / 0.17) ** 2
            - ((canvas.v[at] - shape.chin_v + 0.17) / 0.14) ** 2,
        )  # fmt: skip
        part += 0.022 * boss * inside * patch("pores", part.shape, who.texture)
    stretch = float(shape.au[20].mean())
    add(height, 0.0, shape.chin_v - 0.13, 0.40, 0.16, -0.020 * stretch)
    wrinkled = float(shape.au[9].mean())
    add(height, 0.0, 0.02, 0.13, 0.10, 0.040 * wrinkled)
    return height


def shading(height: Floats, canvas: Canvas, view: View) -> Floats:
    """Light on the relief, around 1 on a surface that faces the lamp, (h, w)."""
    slope_x, slope_y = np.zeros_like(height), np.zeros_like(height)
    half = canvas.scale / 2
    slope_x[:, 1:-1] = (height[:, 2:] - height[:, :-2]) * half
    slope_y[1:-1] = (height[2:] - height[:-2]) * half
    lx, ly, lz = view.light
    facing = (lz - lx * slope_x - ly * slope_y) / np.sqrt(
        1.0 + slope_x * slope_x + slope_y * slope_y
    )
    lit: Floats = view.ambient + (1.25 - view.ambient) * np.maximum(0.0, facing)
    return lit
