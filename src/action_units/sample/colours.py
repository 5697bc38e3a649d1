"""The colours of a rendered picture, painted beside its tones through the same masks.

A colour is kept as a *tint*: its red and its blue divided by its luma (ITU-R BT.601), so that
1 and 1 are gray. A tone times its tint is the colour, whose luma is the tone whatever the
tint: the gray and the coloured picture of a face are equally light, pixel by pixel, but for
rounding and for what a pixel cannot show. Tints follow sRGB colours of skin, lips, hair and
eyes; they are plausible, and not measured.
"""

from collections.abc import Mapping
from typing import Self

import numpy as np
import numpy.typing as npt

from action_units.sample.canvas import Floats, Window
from action_units.sample.identity import Identity
from action_units.sample.view import View

Tints = npt.NDArray[np.float32]
"""Red and blue over luma, (2, h, w)."""

Palette = Mapping[str, tuple[float, float]]

RED, GREEN, BLUE = 0.299, 0.587, 0.114  # of luma
_PALE = 1.1  # the tone at which film has lost all colour …
_FADES = 2.5  # … and how fast colours go below it


class Chroma:
    """The tints of a picture or a part of one, or, for a gray picture, nothing at all."""

    def __init__(self, palette: Palette, planes: Tints | None = None) -> None:
        """Use ``of``; without ``planes`` all that is painted is ignored."""
        self.palette, self.planes = palette, planes

    @classmethod
    def of(cls, palette: Palette | None, shape: tuple[int, ...], ground: str) -> Self:
        """Tints of a shape, all of the palette's ``ground``; none without a palette."""
        if palette is None:
            return cls({})
        return cls(palette, np.broadcast_to(_tint(palette[ground]), (2, *shape)).copy())

    def paint(self, at: Window, name: str, mask: Floats, strength: float = 1.0) -> None:
        """Paint one of the palette's tints through a mask of 0–1."""
        if self.planes is not None:
            self.lay(at, _tint(self.palette[name]), mask * strength)

    def lay(self, at: Window, tints: Tints, mask: Floats) -> None:
        """Lay tints, (2, 1, 1) or (2, h, w), over a part through a mask of 0–1."""
        if self.planes is not None:
            part = self.planes[:, at[0], at[1]]
            part += (tints - part) * mask.astype(np.float32)

    def box(self, at: Window) -> "Chroma":
        """A part of it, on which painting paints the whole."""
        planes = None if self.planes is None else self.planes[:, at[0], at[1]]
        return Chroma(self.palette, planes)

    def colour(self, tones: Floats) -> Tints:
        """Blue, green and red (h, w, 3) of tones (h, w), whose luma they have; uses itself up.

        Raises:
            ValueError: It is of a gray picture.
        """
        if self.planes is None:
            raise ValueError("a gray picture has no colours")
        light = tones.astype(np.float32)
        fade = ((_PALE - light) * _FADES).clip(0.0, 1.0)
        red, blue = (1.0 + (self.planes - 1.0) * fade) * light
        pixels = np.empty((*tones.shape, 3), np.float32)
        pixels[..., 0], pixels[..., 2] = blue, red
        pixels[..., 1] = (light - RED * red - BLUE * blue) / GREEN
        return pixels


def palette(who: Identity, view: View) -> Palette:
    """The tints of a person in a picture; a pure function of its arguments."""
    own = np.random.default_rng([*who.texture, int(1e6 * who.skin), 61])
    place = np.random.default_rng([view.seed, 62])
    worn = np.random.default_rng([view.seed, *who.texture, 63])
    skin = _skin(who, own)
    red = 0.55 * (1.0 - who.lip_tone) + 0.15 * (1 - who.gender)
    hair, iris = _hair(who, own), _iris(who, own)
    wall = (place.normal(1.0, 0.08), place.normal(1.0, 0.10))
    plain = worn.random() < 0.4
    reach = 0.06 if plain else 0.35
    shirt = (worn.uniform(1 - reach, 1 + reach), worn.uniform(1 - reach, 1 + 1.2 * reach))
    tints = {
        "skin": skin,
        "flush": (skin[0] + 0.09, skin[1]),
        "lips": (skin[0] + 0.06 + red, skin[1] + 0.04),
        "mouth": (1.55, 0.70),
        "tongue": (1.45, 0.78),
        "teeth": (1.04, 0.90),
        "hair": hair,
        "sclera": (1.02, 0.96),
        "iris": iris,
        "clothes": shirt,
        "wall": wall,
        "object": (place.normal(1.0, 0.11), place.normal(1.0, 0.14)),
        "frame": (1.15, 0.70) if who.glasses == "thin" else (1.10, 0.90),
        "gray": (1.0, 1.0),
    }
    warm = place.normal(0.0, 0.045)  # of the lamp; below 0 it is daylight's blue
    return {
        name: (float(r * (1.0 + warm)), float(b * (1.0 - 1.4 * warm)))
        for name, (r, b) in tints.items()
    }


def _skin(who: Identity, rng: np.random.Generator) -> tuple[float, float]:
    """From deep brown over tan to pale; rosy or olive."""
    light = (who.skin - 0.33) / 0.55
    rosy = rng.normal(0.0, 0.02)
    return 1.37 - 0.23 * light + 0.5 * rosy, 0.62 + 0.21 * light + rosy


def _hair(who: Identity, rng: np.random.Generator) -> tuple[float, float]:
    if who.hair_tone > 0.65 or (who.hair_tone > 0.55 and who.age > 0.45):
        return 1.01, 0.99  # gray
    if who.skin > 0.6 and rng.random() < 0.10:
        return 1.50, 0.45  # red
    if who.hair_tone > 0.33:
        return rng.uniform(1.19, 1.29), rng.uniform(0.58, 0.72)  # fair
    brown = min(1.0, max(0.0, (who.hair_tone - 0.07) / 0.15))
    return 1.06 + 0.24 * brown, 0.94 - 0.32 * brown


def _iris(who: Identity, rng: np.random.Generator) -> tuple[float, float]:
    if who.iris_tone < 0.19 or who.skin < 0.55:
        return 1.45, 0.50  # brown
    if who.iris_tone < 0.26:
        return rng.uniform(0.95, 1.15), rng.uniform(0.60, 0.80)  # green or hazel
    return rng.uniform(0.70, 0.88), rng.uniform(1.15, 1.45)  # blue


def _tint(pair: tuple[float, float]) -> Tints:
    return np.array(pair, np.float32)[:, None, None]
