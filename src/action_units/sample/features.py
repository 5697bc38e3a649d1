"""Eyes, brows, nostrils and mouth, painted onto the skin in face coordinates."""

import numpy as np

from action_units.sample.canvas import Canvas, Floats, blend, bump, patch, step
from action_units.sample.colours import Chroma
from action_units.sample.identity import Identity
from action_units.sample.muscles import FaceShape
from action_units.sample.view import View

_SIDES = (-1.0, 1.0)


def paint_brows(
    tone: Floats, canvas: Canvas, who: Identity, shape: FaceShape, chroma: Chroma
) -> None:
    """Draw both brows into the skin's tones."""
    for side, s in enumerate(_SIDES):
        inner_u = float(shape.brow_gap[side])
        outer_u = who.eye_spacing + who.eye_length + 0.075
        heights = (shape.brow_inner, shape.brow_middle, shape.brow_outer)
        inner, middle, outer = (float(h[side]) for h in heights)
        centre = (inner_u + outer_u) / 2
        top, bottom = min(inner, middle, outer) - 0.1, max(inner, middle, outer) + 0.1
        at = canvas.window(s * centre, (top + bottom) / 2, 0.30, (bottom - top) / 2)
        if tone[at].size == 0:
            continue
        t = (s * canvas.u[at] - inner_u) / (outer_u - inner_u)
        # The parabola through (0, inner), (0.58, middle), (1, outer).
        p = 0.58
        bend = ((middle - inner) / p - (outer - inner)) / (p - 1.0)
        line = inner + (outer - inner - bend) * t + bend * t * t
        thick = who.brow_thickness * np.clip(1.12 - 0.75 * t, 0.25, 1.0)
        distance = np.abs(canvas.v[at] - line)
        hair = 0.82 + 0.18 * patch("pores", t.shape, who.texture)
        mask = step(thick - distance, 0.034) * step(t + 0.02, 0.14) * step(1.0 - t, 0.16)
        mask = np.clip(0.95 * mask * hair, 0.0, 1.0)
        blend(tone, at, who.brow_tone, mask)
        chroma.paint(at, "hair", mask)


def paint_eyes(
    tone: Floats, light: Floats, canvas: Canvas, who: Identity, shape: FaceShape, view: View,
    chroma: Chroma,
) -> None:  # fmt: skip
    """Draw both eyes: sclera, iris, pupil, catchlight, lids, lashes and the lids' folds."""
    soft = 1.3 / canvas.scale
    for side, s in enumerate(_SIDES):
        at = canvas.window(s * who.eye_spacing, -0.01, who.eye_length + 0.06, 0.22)
        if tone[at].size == 0:
            continue
        e = (s * canvas.u[at] - who.eye_spacing) / who.eye_length  # −1 inner … 1 outer
        v = canvas.v[at] + who.eye_tilt * e
        arc = np.maximum(0.0, 1.0 - e * e)
        full = arc * (1.0 + 0.25 * arc * (1 - e))
        closed = float(shape.closed[side])
        low = float(shape.lower_lid[side])
        high = float(shape.upper_lid[side])
        lid = -high * (1.0 - closed) * full + closed * (low * 0.85) * arc
        under = low * arc
        within = step(1.02 - np.abs(e), 0.12)
        open_ = step(v - lid, soft) * step(under - v, soft) * within
        open_ *= min(1.0, 8.0 * (1.0 - closed))  # soft edges would leave a slit

        gaze_u, gaze_v = view.gaze
        iris_u = s * canvas.u[at] - who.eye_spacing - s * 0.045 * gaze_u
        iris_v = v - 0.028 * gaze_v + 0.008
        r = np.sqrt(iris_u * iris_u + iris_v * iris_v)
        ball = (0.92 - 0.16 * e * e) * np.clip(0.62 + 6.0 * (v - lid), 0.55, 1.0)
        ball = np.clip(ball * 0.95, 0.0, 1.0)
        size = who.iris_size
        iris = who.iris_tone * np.clip(0.55 + 0.65 * (1 - r / size) + 2.5 * iris_v, 0.5, 1.5)
        at_iris = step(size - r, soft)
        ball += (iris - ball) * at_iris
        ball += (0.04 - ball) * step(0.42 * size - r, soft)
        glint = bump(s * iris_u - 0.3 * size * (1 if view.light[0] > 0 else -1),
                     iris_v + 0.35 * size, 0.030, 0.030)  # fmt: skip
        ball += (1.0 - ball) * np.minimum(1.0, 1.6 * glint)

        skin = tone[at].copy()
        light_at = light[at]
        # Light inside the eye is even: the ball is wet and lies behind the lids.
        even = 0.45 * light_at + 0.55
        light_at += (even - light_at) * open_
        part = tone[at]
        part += (ball - part) * open_
        chroma.paint(at, "sclera", open_)
        chroma.paint(at, "iris", open_ * at_iris)
        # The lid's own edge and lashes: a dark line that thickens outwards.
        lash_width = 0.010 + 0.012 * who.lashes * np.clip(0.6 + 0.5 * e, 0.2, 1.1)
        lash_width += 0.010 * closed  # shut, both rows of lashes make one dark line
        lash = step(lash_width - np.abs(v - lid), 1.5 * soft) * within
        part += (0.10 + 0.25 * skin - part) * lash * (0.55 + 0.45 * max(who.lashes, closed))
        rim = step(0.010 - np.abs(v - under - 0.006), 1.6 * soft) * within
        part += (0.72 * skin - part) * rim * 0.6
        # The fold over the upper lid, hidden when a frown presses the brow on the lid.
        fold_v = lid - float(shape.lid_fold[side]) * (0.35 + 0.65 * arc)
        fold = step(0.007 - np.abs(v - fold_v), 1.8 * soft) * step(1.05 - np.abs(e), 0.3)
        visible = float(np.clip(float(shape.lid_fold[side]) / 0.03, 0.0, 1.0))
        part += (0.62 * skin - part) * fold * 0.75 * visible * (1.0 - 0.7 * closed)


def paint_nose(tone: Floats, canvas: Canvas, who: Identity, shape: FaceShape) -> None:
    """Draw the nostrils and the shadow beneath the nose's tip."""
    lift_u, lift_v = canvas.lift(0.12)
    for side, s in enumerate(_SIDES):
        rise = float(shape.wing_rise[side])
        wide = 1.0 + 0.22 * float(shape.au[10][side]) + 0.12 * float(shape.au[9][side])
        u = s * 0.46 * who.nose_width * wide + lift_u
        v = who.nose_length + 0.035 - 0.5 * rise + lift_v
        at = canvas.window(u, v, 0.058, 0.036)
        if tone[at].size:
            hole = bump(canvas.u[at] - u, canvas.v[at] - v, 0.058, 0.036)
            blend(tone, at, 0.14, 0.95 * np.minimum(1.0, 1.5 * hole))
        u = s * (who.nose_width * wide + 0.02) + lift_u
        at = canvas.window(u, who.nose_length - rise, 0.04, 0.075)
        if tone[at].size:
            v = who.nose_length - 0.01 - rise + lift_v
            edge = bump(canvas.u[at] - u, canvas.v[at] - v, 0.035, 0.075)
            part = tone[at]
            part *= 1.0 - 0.34 * edge
    at = canvas.window(lift_u, who.nose_length + 0.07, 0.17, 0.06)
    if tone[at].size:
        shadow = bump(canvas.u[at] - lift_u, canvas.v[at] - who.nose_length - 0.065 - lift_v,
                      0.17, 0.055)  # fmt: skip
        part = tone[at]
        part *= 1.0 - 0.28 * shadow


def paint_mouth(
    tone: Floats, light: Floats, canvas: Canvas, who: Identity, shape: FaceShape, chroma: Chroma
) -> None:
    """Draw the lips, and between them the mouth's darkness, teeth and tongue."""
    soft = 1.3 / canvas.scale
    left, right = float(shape.corner_u[0]), float(shape.corner_u[1])
    reach = max(left, right) + 0.08
    at = canvas.window(0.0, shape.mouth_v + 0.04, reach, 0.36)
    if tone[at].size == 0:
        return
    u, v = canvas.u[at], canvas.v[at]
    is_right = u > 0
    s = np.abs(u) / np.where(is_right, right, left)  # 0 middle … 1 corner
    s2 = s * s
    corner = np.where(is_right, float(shape.corner_v[1]), float(shape.corner_v[0]))
    arc = np.maximum(0.0, 1.0 - s2)
    line = shape.mouth_v + (corner - shape.mouth_v) * s2 * (0.55 + 0.45 * s)
    within = step(1.0 - s, 0.10)
    gap_top = line - shape.gap_up * arc
    gap_bottom = line + shape.gap_down * (0.35 + 0.65 * arc) * np.sqrt(arc)
    bow = 1.0 - 0.28 * np.maximum(0.0, 1.0 - (s / 0.28)) * (1 - shape.rolled) * (
        1 - shape.pressed
    )
    rise = shape.lip_rise * np.maximum(0.0, 1.0 - s2 * 1.1)
    full_upper = shape.upper_lip * (1 - 0.92 * shape.rolled)
    full_lower = shape.lower_lip * (1 - 0.92 * shape.rolled)
    top = gap_top - full_upper * (0.2 + 0.8 * arc) * bow * np.sqrt(arc) - rise
    bottom = gap_bottom + full_lower * arc * np.sqrt(arc + 0.15)
    lips = step(v - top, 1.6 * soft) * step(bottom - v, 1.6 * soft) * within
    skin = tone[at].copy()
    part, light_at = tone[at], light[at]
    red = skin * who.lip_tone
    # The upper lip faces down and is darker; the lower one catches the light.
    sheen = np.where(v < line, 0.88, 1.02 + 0.10 * np.clip(1 - np.abs(v - (gap_bottom + bottom)
                     / 2) / 0.03, 0, 1))  # fmt: skip
    # Pressed lips turn pale along their seam.
    red = red + (skin - red) * (0.45 * shape.pressed * step(0.030 - np.abs(v - line), 0.03))
    part += (red * sheen - part) * lips * (1.0 - shape.rolled)
    chroma.paint(at, "lips", lips, 1.0 - shape.rolled)
    under = bump(u, v - (shape.mouth_v + shape.gap_down + shape.lower_lip + 0.035), 0.17, 0.045)
    part *= 1.0 - 0.22 * under

    opening = gap_bottom - gap_top
    inside = step(v - gap_top, soft) * step(gap_bottom - v, soft) * within
    inside = inside * np.clip(opening / (0.6 * soft), 0.0, 1.0)
    if shape.gap_up + shape.gap_down > 0.004:
        dark = np.full_like(part, 0.07)
        # However narrow the opening, darkness shows below the teeth's edge.
        edge = gap_top + np.minimum(0.052, 0.60 * opening)
        teeth = step(edge - v, 1.2 * soft) * step(0.86 - s, 0.22)
        dark += (0.86 * (1.0 - 0.30 * s2) - dark) * teeth
        tongue = bump(u, v - gap_bottom - 0.01, 0.8 * min(left, right), 0.07)
        dark += (0.34 - dark) * tongue * (1.0 - teeth) * 0.8
        part += (dark - part) * inside
        chroma.paint(at, "mouth", inside)
        chroma.paint(at, "teeth", inside * teeth)
        chroma.paint(at, "tongue", inside * tongue * (1.0 - teeth), 0.8)
        light_at += ((0.30 + 0.60 * light_at) - light_at) * inside
    seam_width = 0.009 + 0.008 * float(shape.au[23].mean()) + 0.010 * shape.rolled
    seam_width += 0.006 * shape.pressed
    seam = step(seam_width - np.abs(v - line), 1.5 * soft)
    seam = seam * step(1.03 + 0.12 * shape.pressed - s, 0.08)
    closed = 1.0 - np.clip((shape.gap_up + shape.gap_down) / 0.02, 0.0, 1.0)
    part += (0.30 * skin - part) * seam * (0.90 * np.maximum(closed, step(s - 0.85, 0.2)))
    for sign, reach_u in ((-1.0, left), (1.0, right)):
        v_corner = float(shape.corner_v[0 if sign < 0 else 1])
        pit = bump(u - sign * reach_u, v - v_corner, 0.045, 0.040)
        part *= 1.0 - 0.40 * pit
