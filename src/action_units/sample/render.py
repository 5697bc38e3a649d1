"""One face picture from a person, a vector of action units and a view."""

from typing import Any

import numpy as np
import numpy.typing as npt

from action_units.sample.canvas import Bytes, Canvas, Floats, blend, blur
from action_units.sample.colours import Chroma, palette
from action_units.sample.creases import creases
from action_units.sample.extras import (
    paint_beard,
    paint_flush,
    paint_freckles,
    paint_glasses,
    paint_occluder,
)
from action_units.sample.features import paint_brows, paint_eyes, paint_mouth, paint_nose
from action_units.sample.head import outline, relief, shading
from action_units.sample.identity import Identity
from action_units.sample.muscles import face_shape
from action_units.sample.surroundings import (
    background,
    grid,
    paint_back_hair,
    paint_body,
    paint_front_hair,
)
from action_units.sample.view import View


def render_face(
    who: Identity, intensities: Floats, view: View, shape: tuple[int, int] = (192, 192),
    colour: bool = False,
) -> Bytes:  # fmt: skip
    """Render a face.

    Args:
        who: The person.
        intensities: (n,) for the first n of ``RENDERED_AUS``, 0–5, not only whole numbers; the
            others are 0.
        view: Pose, light, camera and the rest.
        shape: Rows and columns of the picture.
        colour: Whether it is drawn in colour, with the same luma.

    Returns:
        uint8 (rows, columns), grayscale, or (rows, columns, 3), blue-green-red; a pure function
        of its arguments.
    """
    canvas = Canvas(shape, view.pose)
    face = face_shape(who, intensities, view.asymmetry)
    tints = palette(who, view) if colour else None
    chroma = Chroma.of(tints, shape, "wall")
    skin_chroma = Chroma.of(tints, canvas.u.shape, "skin")
    picture = background(shape, view, chroma)
    paint_back_hair(picture, canvas, who, view, chroma)
    paint_body(picture, canvas, who, view, face.jaw_drop, chroma)

    tone = np.full(canvas.u.shape, who.skin)
    paint_freckles(tone, canvas, who)
    if colour:
        paint_flush(canvas, who, face, skin_chroma)
    paint_beard(tone, canvas, who, face, skin_chroma)
    folds = canvas.inside(creases(canvas, who, face))
    depth = folds.values / 255.0
    height = relief(canvas, who, face)
    height[folds.at] -= 0.026 * depth
    light = shading(height, canvas, view)
    tone[folds.at] *= 1.0 - 0.42 * depth
    paint_nose(tone, canvas, who, face)
    paint_brows(tone, canvas, who, face, skin_chroma)
    paint_eyes(tone, light, canvas, who, face, view, skin_chroma)
    paint_mouth(tone, light, canvas, who, face, skin_chroma)
    head = canvas.inside(canvas.polygon(outline(who, face.jaw_drop, canvas), upright=True))
    skin = tone[head.at] * light[head.at]
    blend(picture[canvas.box], head.at, skin, head.values / 255.0)
    if skin_chroma.planes is not None:
        own = skin_chroma.planes[:, head.at[0], head.at[1]]
        chroma.box(canvas.box).lay(head.at, own, head.values / 255.0)

    paint_front_hair(picture, canvas, who, view, chroma)
    paint_glasses(picture, canvas, who, view, chroma)
    paint_occluder(picture, canvas, who, view, chroma)
    return _photograph(picture, view, chroma)


def _photograph(picture: Floats, view: View, chroma: Chroma) -> Bytes:
    """Exposure, uneven light, blur and sensor noise."""
    if view.uneven:
        x, y = grid(picture.shape)
        dark = x * np.cos(view.uneven_angle) + y * np.sin(view.uneven_angle)
        dark *= 0.9
        dark += 0.5
        dark.clip(0.0, 1.0, out=dark)
        dark *= -view.uneven
        dark += 1.0
        picture *= dark
    picture *= view.exposure
    # A film's shoulder instead of hard clipping.
    shoulder = picture * picture
    shoulder *= shoulder
    shoulder += 1.0
    np.sqrt(shoulder, out=shoulder)
    np.sqrt(shoulder, out=shoulder)
    picture /= shoulder
    pixels = picture if chroma.planes is None else chroma.colour(picture)
    if view.blur:
        pixels = blur(_bytes(pixels), view.blur) / 255.0
    rng = np.random.default_rng([view.seed, 2, view.grain])
    grain = rng.standard_normal(picture.shape, dtype=np.float32)
    grain *= view.noise
    pixels += grain if chroma.planes is None else grain[..., None]
    return _bytes(pixels)


def _bytes(picture: npt.NDArray[Any]) -> Bytes:
    """Tones of 0 to 1 as 8 bits; the picture is used up."""
    picture.clip(0.0, 1.0, out=picture)
    picture *= 255.0
    np.rint(picture, out=picture)
    return picture.astype(np.uint8)
