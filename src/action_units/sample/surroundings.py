"""Background, clothes, neck, ears and hair."""

from functools import lru_cache

import numpy as np

from action_units.sample.canvas import (
    Canvas,
    Floats,
    Mask,
    Window,
    blend,
    closed_spline,
    patch,
    texture,
)
from action_units.sample.colours import Chroma
from action_units.sample.head import outline
from action_units.sample.identity import Identity
from action_units.sample.view import View

_WHOLLY = np.ones((1, 1))
_HAIR_TILE = 256  # pixels after which hair's texture repeats
_GROWTH = {
    "short": 0.07, "receding": 0.05, "bald": 0.0, "fringe": 0.10, "side": 0.10, "long": 0.11,
    "curly": 0.19, "bun": 0.05,
}  # fmt: skip


def background(shape: tuple[int, int], view: View, chroma: Chroma) -> Floats:
    """A soft backdrop with a few out-of-focus shapes, (H, W)."""
    columns = shape[1]
    x, y = grid(shape)
    slope_x, slope_y = view.background_slope
    rng = np.random.default_rng([view.seed, 1])
    offset = (int(rng.integers(256)), int(rng.integers(256)))
    picture = view.background + slope_x * x + slope_y * y
    picture += rng.uniform(0.0, 0.22) * patch("clouds", shape, offset)
    for _ in range(int(rng.integers(0, 4))):  # door frames, shelves, curtains
        left = int(rng.integers(-columns // 4, columns))
        wide = int(rng.integers(columns // 16, columns // 3))
        if right := max(0, left + wide):
            at = (slice(None), slice(max(0, left), right))
            picture[at] += rng.normal(0.0, 0.12)
            chroma.paint(at, "object", _WHOLLY)
    return picture


@lru_cache(maxsize=8)
def grid(shape: tuple[int, int]) -> tuple[Floats, Floats]:
    """Picture coordinates of −1 to 1, (1, W) and (H, 1); read-only."""
    x, y = (np.linspace(-1.0, 1.0, n) for n in reversed(shape))
    x.flags.writeable = y.flags.writeable = False
    return x[None, :], y[:, None]


def paint(
    picture: Floats, mask: Mask, tone: float | Floats, strength: float = 1.0,
    chroma: Chroma | None = None, tint: str = "gray",
) -> None:  # fmt: skip
    """Blend a tone and a tint into the picture through a mask.

    ``tone`` may be an array of the mask's part.
    """
    weights: Floats = np.multiply(mask.values, strength / 255.0, dtype=np.float64)
    blend(picture, mask.at, tone, weights)
    if chroma is not None:
        chroma.paint(mask.at, tint, weights)


def paint_body(
    picture: Floats, canvas: Canvas, who: Identity, view: View, drop: float, chroma: Chroma
) -> None:
    """Draw shoulders, neck and ears behind the face."""
    wide = 1.0 + 0.12 * who.gender
    shoulders = np.array(
        [[-0.30, 1.42], [-0.85 * wide, 1.62], [-1.55 * wide, 1.95], [-1.9, 3.4], [1.9, 3.4],
         [1.55 * wide, 1.95], [0.85 * wide, 1.62], [0.30, 1.42]]
    )  # fmt: skip
    paint(
        picture,
        canvas.polygon(closed_spline(shoulders), upright=True),
        view.clothes,
        chroma=chroma,
        tint="clothes",
    )
    neck_wide = 0.40 + 0.07 * who.gender
    neck = np.array(
        [[-neck_wide, 0.5], [-neck_wide, 1.25], [-neck_wide - 0.1, 1.55], [0.0, 1.72],
         [neck_wide + 0.1, 1.55], [neck_wide, 1.25], [neck_wide, 0.5]]
    )  # fmt: skip
    lit = who.skin * (view.ambient + 0.30)
    paint(
        picture,
        canvas.polygon(closed_spline(neck), upright=True),
        0.80 * lit,
        chroma=chroma,
        tint="skin",
    )
    shade = np.array([[-0.62, 0.75], [0.62, 0.75], [0.42, 1.22], [0.0, 1.34], [-0.42, 1.22]])
    shade[:, 1] += drop
    paint(
        picture,
        canvas.polygon(closed_spline(shade), upright=True, soft=7),
        0.48 * lit,
        0.6,
        chroma=chroma,
        tint="skin",
    )
    if who.hair_style in ("long", "side", "curly") and who.gender == 0:
        return  # hair covers the ears
    swing = -0.25 * float(np.sin(canvas.pose.yaw))
    for side in (-1.0, 1.0):
        light = 1.0 + 0.5 * side * view.light[0]
        u = side * (who.face_width + 0.03 + 0.03 * who.ears) + swing
        ear = np.array(
            [[u - side * 0.06, -0.14], [u + side * 0.07, -0.16], [u + side * 0.09, 0.02],
             [u + side * 0.03, 0.24], [u - side * 0.06, 0.28]]
        )  # fmt: skip
        paint(
            picture,
            canvas.polygon(closed_spline(ear), upright=True),
            0.88 * lit * light,
            chroma=chroma,
            tint="skin",
        )
        inner = closed_spline(0.55 * (ear - ear.mean(axis=0)) + ear.mean(axis=0))
        paint(
            picture,
            canvas.polygon(inner, upright=True),
            0.62 * lit * light,
            0.7,
            chroma=chroma,
            tint="skin",
        )


def paint_hair(
    picture: Floats, mask: Mask, canvas: Canvas, who: Identity, view: View, chroma: Chroma,
    strength: float = 1.0,
) -> None:  # fmt: skip
    """Blend hair into the picture through a mask: strands or curls under the light."""
    curly = who.hair_style == "curly"
    rows, columns = (np.arange(at.start, at.stop) for at in mask.at)
    grain = (0.55 if curly else 0.38) * _hair_grain(
        "curls" if curly else "strands", mask.at, who
    )
    x = (columns - canvas.pose.x)[None, :] / canvas.scale
    y = (rows - canvas.pose.y)[:, None] / canvas.scale
    tones = view.ambient + 0.42 + 0.32 * (view.light[0] * x + view.light[1] * (y + 0.5))
    tones.clip(0.3, 1.6, out=tones)
    tones *= who.hair_tone + 0.02
    grain += 1.0
    tones *= grain
    paint(picture, mask, tones, strength, chroma, "hair")


def _hair_grain(kind: str, at: Window, who: Identity) -> Floats:
    """The part of the picture's hair texture, which repeats after so many pixels."""
    (rows, columns), (top, left) = at, who.texture
    if rows.stop <= _HAIR_TILE and columns.stop <= _HAIR_TILE:
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        return patch(kind, shape, (top + rows.start, left + columns.start))
    down, across = (np.arange(part.start, part.stop) % _HAIR_TILE for part in at)
    again: Floats = texture(kind)[np.ix_(top + down, left + across)]
    return again


def paint_back_hair(
    picture: Floats, canvas: Canvas, who: Identity, view: View, chroma: Chroma
) -> None:
    """Draw the hair that falls behind the head."""
    if who.hair_style == "bald":
        return
    if who.hair_style in ("long", "curly", "side") and who.gender == 0:
        end = 1.75 if who.hair_style == "long" else 1.05 if who.hair_style == "side" else 0.75
        wide = who.face_width + (0.26 if who.hair_style == "curly" else 0.15)
        fall = np.array(
            [[0.45, -1.12], [0.78, -0.85], [wide, -0.3], [wide + 0.03, 0.4],
             [wide - 0.05, end - 0.1], [wide - 0.35, end], [0.35 - wide, end],
             [0.05 - wide, end - 0.1], [-wide - 0.03, 0.4], [-wide, -0.3], [-0.78, -0.85],
             [-0.45, -1.12]]
        )  # fmt: skip
        fallen = canvas.polygon(closed_spline(fall), upright=True, soft=5)
        paint_hair(picture, fallen, canvas, who, view, chroma)
    if who.hair_style == "bun":
        angle = np.linspace(0, 2 * np.pi, 10, endpoint=False)
        knot = np.stack([0.30 * np.cos(angle), -1.22 + 0.24 * np.sin(angle)], axis=1)
        tied = canvas.polygon(closed_spline(knot), upright=True, soft=5)
        paint_hair(picture, tied, canvas, who, view, chroma)
    crown = outline(who, 0.0, canvas, grow=_GROWTH[who.hair_style])
    crown = crown[crown[:, 1] < 0.12]
    if who.hair_style == "curly":
        index = np.arange(len(crown))
        crown = crown * (1.0 + 0.035 * ((index % 4) / 2.0 - 0.75))[:, None]
    paint_hair(picture, canvas.polygon(crown, upright=True, soft=5), canvas, who, view, chroma)


def paint_front_hair(
    picture: Floats, canvas: Canvas, who: Identity, view: View, chroma: Chroma
) -> None:
    """Draw the hair over the forehead, from the hairline to the crown."""
    style = who.hair_style
    if style == "bald":
        return
    w, top = who.face_width, who.hairline
    part = 0.28 if who.texture[0] % 2 else -0.28
    hairline = {
        "short": [[w, 0.06], [w - 0.08, -0.10], [w - 0.13, -0.42], [0.42, top],
                  [0.0, top + 0.03]],
        "receding": [[w, 0.06], [w - 0.05, -0.12], [w - 0.07, -0.52], [0.52, -0.96],
                     [0.0, top - 0.14]],
        "fringe": [[w, 0.25], [w - 0.10, -0.05], [w - 0.16, -0.30], [0.40, -0.385],
                   [0.0, -0.40]],
        "side": [[w, 0.45], [w - 0.07, 0.05], [w - 0.13, -0.36], [0.40, top + 0.05],
                 [0.0, top + 0.02]],
        "long": [[w, 0.70], [w - 0.06, 0.20], [w - 0.13, -0.30], [0.34, top + 0.02],
                 [0.0, top - 0.10]],
        "curly": [[w, 0.10], [w - 0.06, -0.12], [w - 0.14, -0.45], [0.40, top + 0.02],
                  [0.0, top + 0.03]],
        "bun": [[w, -0.02], [w - 0.06, -0.22], [w - 0.12, -0.50], [0.38, top - 0.04],
                [0.0, top - 0.06]],
    }[style]  # fmt: skip
    right = np.array(hairline)
    left = right[-2::-1] * np.array([-1.0, 1.0])
    edge = np.concatenate([right, left])
    if style == "side":
        edge[:, 1] += 0.22 * np.clip(-(edge[:, 0] - part) * np.sign(part), 0, 0.5)
    fine = _open_spline(edge)
    jag = patch("pores", (1, len(fine)), who.texture)[0]
    fine[:, 1] += 0.018 * jag
    fine[:, 0].clip(-0.9, 0.9, out=fine[:, 0])
    fine[:, 1].clip(-1.1, 1.2, out=fine[:, 1])
    edge_up = canvas.upright_of(fine)
    crown = outline(who, 0.0, canvas, grow=_GROWTH[style])
    crown = crown[crown[:, 1] < -0.1]
    order = np.argsort(np.arctan2(crown[:, 0], -crown[:, 1]), kind="stable")  # left to right
    # Out to the sides of the head, so that no skin shows between hairline and crown.
    whole = np.concatenate([edge_up, crown[order]])
    paint_hair(
        picture, canvas.polygon(whole, upright=True, soft=5), canvas, who, view, chroma, 0.97
    )


def _open_spline(points: Floats, n: int = 5) -> Floats:
    around = closed_spline(points, n)
    inner: Floats = np.concatenate([points[:1], around[n : -2 * n], points[-1:]])
    return inner
