"""One face picture from a person, a vector of action units and a view."""

import numpy as np

from action_units.sample.canvas import Bytes, Canvas, Floats, blur
from action_units.sample.creases import creases
from action_units.sample.extras import (
    paint_beard,
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
    hair_tones,
    paint_back_hair,
    paint_body,
    paint_front_hair,
)
from action_units.sample.view import View


def render_face(
    who: Identity, intensities: Floats, view: View, shape: tuple[int, int] = (192, 192)
) -> Bytes:
    """Render a face.

    Args:
        who: The person.
        intensities: (n,) for the first n of ``RENDERED_AUS``, 0–5, not only whole numbers; the
            others are 0.
        view: Pose, light, camera and the rest.
        shape: Rows and columns of the picture.

    Returns:
        uint8 (rows, columns), grayscale; a pure function of its arguments.
    """
    canvas = Canvas(shape, view.pose)
    face = face_shape(who, intensities, view.asymmetry)
    picture = background(shape, view)
    tones = hair_tones(canvas, who, view)
    paint_back_hair(picture, tones, canvas, who)
    paint_body(picture, canvas, who, view, face.jaw_drop)

    tone = np.full(canvas.u.shape, who.skin)
    paint_freckles(tone, canvas, who)
    paint_beard(tone, canvas, who, face)
    folds = blur(creases(canvas, who, face), 3)[canvas.box] / 255.0
    height = relief(canvas, who, face)
    height -= 0.026 * folds
    light = shading(height, canvas, view)
    tone *= 1.0 - 0.42 * folds
    paint_nose(tone, canvas, who, face)
    paint_brows(tone, canvas, who, face)
    paint_eyes(tone, light, canvas, who, face, view)
    paint_mouth(tone, light, canvas, who, face)
    head = canvas.polygon(outline(who, face.jaw_drop, canvas), upright=True)[canvas.box]
    part = picture[canvas.box]
    part += (tone * light - part) * (head / 255.0)

    paint_front_hair(picture, tones, canvas, who)
    paint_glasses(picture, canvas, who, view)
    paint_occluder(picture, canvas, who, view)
    return _photograph(picture, view)


def _photograph(picture: Floats, view: View) -> Bytes:
    """Exposure, uneven light, blur and sensor noise."""
    rows, columns = picture.shape
    if view.uneven:
        x = np.linspace(-1.0, 1.0, columns)[None, :] * np.cos(view.uneven_angle)
        y = np.linspace(-1.0, 1.0, rows)[:, None] * np.sin(view.uneven_angle)
        picture *= 1.0 - view.uneven * np.clip(0.5 + 0.9 * (x + y), 0.0, 1.0)
    picture *= view.exposure
    # A film's shoulder instead of hard clipping.
    picture /= np.sqrt(np.sqrt(1.0 + (picture * picture) ** 2))
    if view.blur:
        sharp = np.rint(np.clip(picture, 0.0, 1.0) * 255.0).astype(np.uint8)
        picture = blur(sharp, view.blur) / 255.0
    rng = np.random.default_rng([view.seed, 2, view.grain])
    grain = rng.standard_normal(picture.shape, dtype=np.float32)
    exposed = np.clip(picture + view.noise * grain, 0.0, 1.0) * 255.0
    photograph: Bytes = np.rint(exposed).astype(np.uint8)
    return photograph
