"""Things on or before the face: beard, glasses, hands, strands of hair, microphones."""

import numpy as np

from action_units.sample.canvas import (
    Canvas,
    Floats,
    Stroke,
    blend,
    bump,
    closed_spline,
    curve,
    patch,
    step,
)
from action_units.sample.colours import Chroma
from action_units.sample.identity import Identity
from action_units.sample.muscles import FaceShape
from action_units.sample.surroundings import paint
from action_units.sample.view import View


def paint_flush(canvas: Canvas, who: Identity, shape: FaceShape, chroma: Chroma) -> None:
    """Redden the cheeks, the nose's tip and the chin, where blood shines through."""
    lift_u, lift_v = canvas.lift(0.15)
    spots = [
        (s * 0.45, float(shape.cheek_v[k]) + 0.06, 0.36, 0.32) for k, s in enumerate((-1, 1))
    ]
    spots += [
        (lift_u, who.nose_length + lift_v, 0.24, 0.20),
        (0.0, shape.chin_v - 0.16, 0.3, 0.2),
    ]
    for u, v, half_u, half_v in spots:
        at = canvas.window(u, v, half_u, half_v)
        chroma.paint(at, "flush", bump(canvas.u[at] - u, canvas.v[at] - v, half_u, half_v))


def paint_freckles(tone: Floats, canvas: Canvas, who: Identity) -> None:
    """Mottle the skin: pores on everybody, freckles or age spots on some."""
    grain = patch("pores", tone.shape, who.texture)
    tone *= 1.0 + 0.03 * grain
    if who.freckles > 0.15:
        at = canvas.window(0.0, 0.22, 0.60, 0.26)
        part = tone[at]
        spots = patch("pores", part.shape, who.texture[::-1])
        zone = bump(canvas.u[at], canvas.v[at] - 0.22, 0.70, 0.32)
        part *= 1.0 - 0.22 * min(1.0, who.freckles) * zone * step(spots - 0.35, 0.2)


def paint_beard(
    tone: Floats, canvas: Canvas, who: Identity, shape: FaceShape, chroma: Chroma
) -> None:
    """Darken the skin where the beard grows, before the mouth is drawn."""
    if who.beard == "none":
        return
    at = canvas.window(0.0, 0.85, 0.95, 0.60)
    u, v = canvas.u[at], canvas.v[at]
    if u.size == 0:
        return
    across = np.abs(u)
    lip = shape.mouth_v - shape.upper_lip - shape.gap_up - shape.lip_rise
    corner_u, corner_v = float(shape.corner_u.mean()), float(shape.corner_v.mean())
    top = who.nose_length + 0.085
    down = np.clip((v - top) / max(0.05, lip + 0.04 - top), 0.0, 1.3)
    moustache = (
        step(v - top - 0.10 * across * across, 0.05)
        * step(lip + 0.03 + (corner_v + 0.04 - lip) * (across / corner_u) ** 2 - v, 0.05)
        * step(0.13 + (corner_u - 0.10) * down - across, 0.07)
    )
    chin = step(v - shape.mouth_v - 0.11 - shape.gap_down - 0.25 * across * across, 0.07)
    cheeks = step(v - 0.52 - 0.55 * (across - 0.62) * (across < 0.62), 0.18) * step(
        across - 0.34, 0.10
    )
    grown = moustache
    if who.beard == "goatee":
        chin *= step(0.30 - across * (0.6 + 0.9 * across + 0.4 * v), 0.08)
        grown = np.maximum(moustache, chin)
    elif who.beard in ("stubble", "full"):
        grown = np.maximum(np.maximum(moustache, chin), cheeks)
    weight = 0.32 if who.beard == "stubble" else 0.85
    grain = 0.80 + 0.20 * patch("pores", u.shape, who.texture)
    grey = who.hair_tone > 0.5
    shade = min(who.hair_tone + 0.03, 0.8 if grey else 0.6 * who.skin)
    hair = shade * (1.0 + 0.3 * patch("strands", u.shape, who.texture))
    mask = np.clip(grown * grain, 0.0, 1.0) * (weight * who.beard_density)
    blend(tone, at, hair, mask)
    chroma.paint(at, "hair", mask)


def paint_glasses(
    picture: Floats, canvas: Canvas, who: Identity, view: View, chroma: Chroma
) -> None:
    """Draw the frame, and a faint reflection on one lens."""
    if who.glasses == "none":
        return
    lift_u, lift_v = canvas.lift(0.08)
    frame = 0.10 if who.glasses != "thin" else 0.35
    half = 0.014 if who.glasses == "thin" else 0.024
    power = 4 if who.glasses == "square" else 2
    part = picture[canvas.box]
    u, v = canvas.u - lift_u, canvas.v - lift_v
    for s in (-1.0, 1.0):
        at = canvas.window(s * 0.375, 0.03, 0.32, 0.28)
        if part[at].size == 0:
            continue
        du, dv = (u[at] - s * 0.375) / 0.255, (v[at] - 0.035) / 0.195
        du2, dv2 = du * du, dv * dv
        r = np.sqrt(np.sqrt(du2 * du2 + dv2 * dv2)) if power == 4 else np.sqrt(du2 + dv2)
        ring = step(half - np.abs(r - 1.0) * 0.215, 1.6 / canvas.scale)
        inside = step(1.0 - r, 0.06)
        glare = bump(du + 0.35, dv + 0.3, 0.8, 0.5) * (0.16 if s * view.light[0] > 0 else 0.05)
        piece = part[at]
        piece += (0.9 - piece) * inside * glare
        piece += (frame - piece) * ring * 0.92
        lens = chroma.box(canvas.box)
        lens.paint(at, "gray", inside * glare)
        lens.paint(at, "frame", ring, 0.92)
    bridge = curve((-0.13, 0.0), (0.0, -0.05), (0.13, 0.0))
    temples = [curve((s * 0.63, -0.01), (s * 0.72, -0.02), (s * 0.84, -0.02)) for s in (-1, 1)]
    shift = np.array([lift_u, lift_v])
    wires = [Stroke(points + shift, np.ones(8), 2) for points in (bridge, *temples)]
    paint(picture, canvas.strokes(wires), frame, 0.9, chroma, "frame")


def paint_occluder(
    picture: Floats, canvas: Canvas, who: Identity, view: View, chroma: Chroma
) -> None:
    """Hide part of the face behind the view's occluder."""
    a, b = view.occluder_place
    side = 1.0 if a > 0.5 else -1.0
    lit = who.skin * (view.ambient + 0.35)
    if view.occluder == "hand":  # a cheek or the chin leans on knuckles
        base_u, base_v = side * (0.46 + 0.2 * b), 0.98
        for k in range(4):
            u = base_u + side * (0.14 * k - 0.18)
            v = base_v - 0.10 * (1 - abs(k - 1.5)) - 0.22 * b
            finger = np.array(
                [[u - 0.075, v + 0.9], [u - 0.075, v], [u, v - 0.09], [u + 0.075, v],
                 [u + 0.075, v + 0.9]]
            )  # fmt: skip
            paint(
                picture,
                canvas.polygon(finger, upright=True, soft=3),
                (0.88 + 0.05 * k) * lit,
                chroma=chroma,
                tint="skin",
            )
            gap = np.stack([np.full(6, u + 0.075), np.linspace(v, v + 0.8, 6)], axis=1)
            dark = canvas.strokes([Stroke(gap, np.full(5, 0.8))])
            paint(picture, dark, 0.35 * lit, 0.8, chroma, "skin")
    elif view.occluder == "finger":  # one finger on the lips' edge or the cheek
        u, v = side * (0.20 + 0.35 * b), 0.62 + 0.2 * a
        finger = np.array(
            [[u - 0.07 + side * 0.35, 2.0], [u - 0.07, v + 0.1], [u, v], [u + 0.07, v + 0.1],
             [u + 0.07 + side * 0.35, 2.0]]
        )  # fmt: skip
        paint(picture, canvas.polygon(finger, upright=True), 0.95 * lit, 1.0, chroma, "skin")
    elif view.occluder == "strand":  # loose hair across brow and eye
        hairs = []
        for k in range(11):
            spread = ((7 * k) % 11 - 5) / 5.0  # a fixed shuffle of −1 … 1
            start = (side * (0.18 + 0.10 * a + 0.05 * spread), -0.80)
            bend = (side * (0.40 + 0.45 * b + 0.06 * spread), -0.45)
            end = (side * (0.30 + 0.25 * b + 0.10 * spread), 0.05 + 0.3 * a + 0.03 * (k % 4))
            fade = np.linspace(1.0, 0.35, 11)
            hairs.append(Stroke(curve(start, bend, end, 12), fade))
        paint(picture, canvas.strokes(hairs, soft=3), 0.9 * who.hair_tone, 1.0, chroma, "hair")
    elif view.occluder == "microphone":
        u, v = side * (0.10 + 0.30 * b), 1.12
        angle = np.linspace(0, 2 * np.pi, 16, endpoint=False)
        ball = np.stack([u + 0.17 * np.cos(angle), v + 0.20 * np.sin(angle)], axis=1)
        stick = np.array(
            [[u - 0.06, v], [u + 0.06, v], [u + side * 0.35 + 0.05, 2.6],
             [u + side * 0.35 - 0.05, 2.6]]
        )  # fmt: skip
        paint(picture, canvas.polygon(stick, upright=True), 0.12, 1.0, chroma)
        paint(picture, canvas.polygon(ball, upright=True), 0.20, 1.0, chroma)
        glint = closed_spline(0.4 * (ball - ball.mean(axis=0)) + ball.mean(axis=0) - 0.05)
        paint(picture, canvas.polygon(glint, upright=True, soft=5), 0.45, 0.7, chroma)
    elif view.occluder == "shadow":  # something near the lamp throws a hard shadow
        edge = side * (0.15 + 0.5 * b)
        slope = 0.6 * (a - 0.5)
        part = picture[canvas.box]
        part *= 1.0 - 0.42 * step(side * (canvas.x + slope * canvas.y - edge), 0.08)
