"""Text on pictures, in a font that is always there: matplotlib's DejaVu Sans."""

from functools import lru_cache
from pathlib import Path

import matplotlib
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from action_units.media.images import Pixels

Colour = tuple[int, int, int]
"""Blue, green and red, 0 to 255."""

_FONTS = {False: "DejaVuSans.ttf", True: "DejaVuSans-Bold.ttf"}


def bgr(html: str) -> Colour:
    """The colour of ``#rrggbb``."""
    return int(html[5:7], 16), int(html[3:5], 16), int(html[1:3], 16)


def one_line(text: str) -> str:
    """A text as a line can show it: what has no shape, such as a tab, is a space."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


@lru_cache(maxsize=1024)  # labels come back in every frame; numbers have 101 values
def mask(text: str, size: int, bold: bool = False) -> npt.NDArray[np.uint8]:
    """How much of each pixel a text covers, (H, W); all texts of a size are of one height.

    Args:
        text: Is drawn as one line.
        size: Of the font, in pixels.
        bold: The heavier cut.
    """
    text, font = one_line(text), _font(size, bold)
    ascent, descent = font.getmetrics()
    image = Image.new("L", (int(font.getlength(text)) + 1, ascent + descent))
    ImageDraw.Draw(image).text((0, 0), text, font=font, fill=255)
    return np.asarray(image, np.uint8)


def width(text: str, size: int, bold: bool = False) -> int:
    """How wide a text is, in pixels."""
    return int(mask(text, size, bold).shape[1])


def put(
    canvas: Pixels,
    text: str,
    at: tuple[int, int],
    size: int,
    colour: Colour,
    bold: bool = False,
) -> None:
    """Write a line of text; what passes an edge is cut off.

    Args:
        canvas: ``(H, W, 3)``, changed.
        text: One line.
        at: x of its left end, and y of its middle.
        size: Of the font, in pixels.
        colour: Of the letters.
        bold: The heavier cut.
    """
    letters = mask(text, size, bold)
    x, y = at[0], at[1] - letters.shape[0] // 2
    left, top = max(-x, 0), max(-y, 0)
    right = min(letters.shape[1], canvas.shape[1] - x)
    bottom = min(letters.shape[0], canvas.shape[0] - y)
    if left >= right or top >= bottom:
        return
    cover = letters[top:bottom, left:right, None].astype(np.int32)
    place = canvas[y + top : y + bottom, x + left : x + right]
    place += ((np.array(colour) - place) * cover // 255).astype(np.uint8)  # modulo 256


@lru_cache(maxsize=32)
def _font(size: int, bold: bool) -> ImageFont.FreeTypeFont:
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return ImageFont.truetype(str(folder / _FONTS[bold]), size)
