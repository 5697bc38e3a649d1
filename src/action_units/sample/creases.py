"""Folds and wrinkles: those a person has anyway and those that action units draw."""

import numpy as np

from action_units.sample.canvas import Canvas, Mask, Stroke, curves, tapered
from action_units.sample.identity import Identity
from action_units.sample.muscles import FaceShape

_SIDES = (-1.0, 1.0)
_Point = tuple[float, float]


class _Lines:
    """Collects the curved lines that are strong enough to be seen."""

    def __init__(self) -> None:
        self._ends: list[tuple[_Point, _Point, _Point]] = []
        self._pens: list[tuple[float, int]] = []

    def __call__(
        self, start: _Point, bend: _Point, end: _Point, strength: float, thickness: int = 1
    ) -> None:
        if strength > 0.04:
            self._ends.append((start, bend, end))
            self._pens.append((strength, thickness))

    def strokes(self) -> list[Stroke]:
        """All of them, bent at once."""
        if not self._ends:
            return []
        points = curves(np.array(self._ends))  # (k, n, 2)
        return [
            Stroke(line, tapered(len(line), strength), thickness)
            for line, (strength, thickness) in zip(points, self._pens, strict=True)
        ]


def creases(canvas: Canvas, who: Identity, shape: FaceShape) -> Mask:
    """Folds and wrinkles as a soft mask."""
    line = _Lines()

    au = {k: (float(s[0]), float(s[1])) for k, s in shape.au.items()}
    for side, s in enumerate(_SIDES):
        inner, middle = float(shape.brow_inner[side]), float(shape.brow_middle[side])
        outer = float(shape.brow_outer[side])
        lift_in, lift_out, frown = au[1][side], au[2][side], au[4][side]
        for k in range(3):  # AU1: short lines in the middle; AU2: arcs over the outer brow
            v = who.brow_height - 0.125 - 0.085 * k
            fade = 1.0 - 0.12 * k
            line((0.0, v + 0.01), (s * 0.14, v - 0.03), (s * 0.27, v + 0.030),
                 fade * min(1.0, 0.95 * lift_in + 0.6 * who.forehead_lines))  # fmt: skip
            v_out = middle - 0.085 - 0.070 * k
            line((s * 0.26, v_out + 0.035), (s * 0.44, v_out - 0.055),
                 (s * 0.62, v_out + 0.075),
                 fade * min(1.0, 0.95 * lift_out + 0.45 * who.forehead_lines))  # fmt: skip
        furrow = min(1.0, 1.0 * frown + 0.55 * who.glabella_lines)
        line((s * 0.040, inner - 0.12), (s * 0.030, inner - 0.02), (s * 0.060, inner + 0.09),
             furrow, 2 if furrow > 0.7 else 1)  # fmt: skip
        nose = au[9][side]
        for k in range(3):
            v = 0.005 + 0.062 * k
            line((0.0, v + 0.022), (s * 0.05, v + 0.005), (s * 0.12, v - 0.035 + 0.02 * k),
                 0.95 * nose)  # fmt: skip
        line((s * 0.115, 0.30), (s * 0.16, 0.22), (s * 0.16, 0.12), 0.75 * nose)
        _around_eye(line, who, shape, side, s)
        _around_mouth(line, who, shape, side, s)
        line((s * 0.46, outer - 0.02), (s * 0.62, outer), (s * 0.66, outer + 0.05),
             0.25 * frown)  # fmt: skip
    return canvas.strokes(line.strokes(), soft=3)


def _around_eye(line: _Lines, who: Identity, shape: FaceShape, side: int, s: float) -> None:
    cheek, lids, nose = (float(shape.au[k][side]) for k in (6, 7, 9))
    out = who.eye_spacing + who.eye_length
    tilt = -who.eye_tilt
    crow = min(1.0, 0.95 * cheek + 0.5 * who.crow_lines)
    for dv, bend in ((-0.085, -0.030), (-0.005, 0.0), (0.075, 0.030)):
        line((s * (out + 0.045), tilt + 0.35 * dv), (s * (out + 0.11), tilt + 0.75 * dv + bend),
             (s * (out + 0.20), tilt + 1.5 * dv + bend), crow)  # fmt: skip
    low = float(shape.lower_lid[side])
    bag = min(1.0, 0.85 * cheek + 0.5 * nose + 0.55 * who.eye_bags)
    line((s * (who.eye_spacing - 0.17), low + 0.055), (s * who.eye_spacing, low + 0.125),
         (s * (out + 0.05), low + 0.040), bag)  # fmt: skip
    line((s * (who.eye_spacing - 0.13), low + 0.035), (s * who.eye_spacing, low + 0.052),
         (s * (out - 0.02), low + 0.030), 0.85 * lids)  # fmt: skip


def _around_mouth(line: _Lines, who: Identity, shape: FaceShape, side: int, s: float) -> None:
    a = {k: float(strength[side]) for k, strength in shape.au.items()}
    u, v = float(shape.corner_u[side]), float(shape.corner_v[side])
    rise = float(shape.wing_rise[side])
    wing = who.nose_width
    smile = a[12]
    fold = min(
        1.0, 0.75 * smile + 0.55 * who.nasolabial + 0.25 * a[15] + 0.25 * a[20] + 0.2 * a[6]
    )
    start = (s * (wing + 0.035), who.nose_length - 0.05 - rise)
    end = (s * (u + 0.085 + 0.02 * smile), v - 0.02 + 0.03 * smile)
    bend = (s * (0.5 * (wing + u) + 0.10 + 0.06 * smile), who.nose_length + 0.07 - 0.03 * smile)
    line(start, bend, end, fold, 2 if fold > 0.85 else 1)
    sneer = min(1.0, max(1.0 * a[10], 0.85 * a[9]))
    line((s * (wing + 0.015), who.nose_length - 0.11 - rise),
         (s * (wing + 0.12), who.nose_length - 0.02 - rise),
         (s * (wing + 0.145), who.nose_length + 0.17), sneer,
         2 if sneer > 0.6 else 1)  # fmt: skip
    line((s * (u + 0.005), v + 0.02), (s * (u + 0.055), v + 0.08), (s * (u + 0.045), v + 0.19),
         min(1.0, 0.95 * a[15] + 0.25 * who.nasolabial * who.age))  # fmt: skip
    pit = min(1.0, 1.0 * a[14] + 0.4 * who.dimples * (0.3 + smile))
    line((s * (u + 0.040), v - 0.075), (s * (u + 0.075), v), (s * (u + 0.035), v + 0.075),
         0.9 * pit, 2 if pit > 0.6 else 1)  # fmt: skip
    for k in range(2):
        reach = 0.06 + 0.05 * k
        line((s * (u + reach), v - 0.07), (s * (u + reach + 0.02), v),
             (s * (u + reach), v + 0.10), 0.75 * a[20])  # fmt: skip
    for k in range(2):  # AU23: short upright lines in the tightened lips' edges
        x = s * (0.05 + 0.09 * k)
        line((x, shape.mouth_v - 0.105), (x, shape.mouth_v - 0.07), (x * 0.96,
             shape.mouth_v - 0.03), 0.5 * a[23])  # fmt: skip
        line((x, shape.mouth_v + 0.035), (x, shape.mouth_v + 0.07), (x * 1.02,
             shape.mouth_v + 0.11), 0.5 * a[23])  # fmt: skip
    for dv in (-0.062, 0.066):  # AU28: the skin bends where the lips were
        middle = shape.mouth_v + dv
        line((0.0, middle), (s * 0.7 * u, middle), (s * u, v + 0.3 * dv), 0.55 * a[28])
    for dv in (-0.115, 0.120):  # AU24: a fold around the bulge over and under pressed lips
        line((s * 0.55 * u, shape.mouth_v + dv), (s * 0.95 * u, shape.mouth_v + 0.8 * dv),
             (s * (u + 0.06), v + 0.15 * dv), 0.4 * a[24])  # fmt: skip
    crease = min(1.0, 0.9 * a[17] + 0.25 * who.chin_crease)
    below = shape.mouth_v + shape.gap_down + shape.lower_lip + 0.055 + 0.1 * shape.jaw_drop
    line((0.0, below), (s * 0.12, below + 0.005), (s * 0.20, below + 0.07), crease)
