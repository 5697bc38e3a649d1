"""One annotated frame: the picture with its faces marked, and next to it all AUs as bars.

The bars are next to the picture, so that faces stay visible. A present AU has a filled bar and
bold letters, an absent one a hollow bar; they differ without colour, too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from action_units.evaluation.report.theme import Palette
from action_units.faces.tracking import Box
from action_units.labels.action_units import AU_NAMES, au_column
from action_units.media.images import Pixels

Colour = tuple[int, int, int]
"""Blue, green and red, 0 to 255."""

DARK = Palette(ink="#e8ecf0", muted="#9aa5b1", grid="#3a4550", paper="#12161b", ours="#56b4e9")
"""The panel's colours; those of the report's page in the dark."""

FACES = ("#56b4e9", "#e69f00", "#2cc49a", "#f0e442", "#cc79a7", "#f0803c")
"""Of one face after the other (Okabe & Ito 2008, brighter), and then again from the first."""

MAX_COLUMNS = 4
"""The most faces that have bars at the same time; further ones are named in the picture."""

_SMALLEST = 480  # much smaller pictures are enlarged, so that text is legible
_LINE = 1.6  # from one row to the next, in font sizes
_BAR, _NUMBER, _GAP = 4.6, 2.7, 0.9  # widths, in font sizes
_TAG = 191  # of 255: how dark the ground of a text on the picture is


def bgr(html: str) -> Colour:
    """The colour of ``#rrggbb``."""
    return int(html[5:7], 16), int(html[3:5], 16), int(html[1:3], 16)


_INK, _MUTED, _GRID, _PAPER = map(bgr, (DARK.ink, DARK.muted, DARK.grid, DARK.paper))


def one_line(text: str) -> str:
    """A text without characters that have no shape, such as a tab; each becomes a space."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


@lru_cache(maxsize=32)
def _font(size: int, bold: bool) -> ImageFont.FreeTypeFont:
    """Matplotlib's DejaVu Sans, which is always installed."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)


def _width(text: str, size: int, bold: bool = False) -> int:
    """In pixels."""
    return int(_font(size, bold).getlength(one_line(text))) + 1


@dataclass(frozen=True)
class ShownFace:
    """A face of a frame and its predictions.

    Attributes:
        face_id: Its number.
        confidence: The detector's score.
        box: x, y, width and height in the picture's pixels.
        p: Probabilities (A,); NaN where the face could not be used.
        present: Whether each AU is called present, (A,).
    """

    face_id: int
    confidence: float
    box: Box
    p: npt.NDArray[np.float32]
    present: npt.NDArray[np.bool_]

    @property
    def colour(self) -> Colour:
        """Of its box and bars."""
        return bgr(FACES[self.face_id % len(FACES)])


class Panel:
    """Draws frames of one size with the bars of the same AUs.

    Attributes:
        size: Width and height of the result, both even, as codecs need them.
    """

    def __init__(
        self, picture: tuple[int, int], aus: Sequence[int], columns: int, name: str = ""
    ) -> None:
        """Lay out.

        Args:
            picture: Width and height.
            aus: One row of the panel each.
            columns: The number of faces that have bars.
            name: Of the classifier; drawn at the foot.
        """
        self.aus, self.columns, self.name = tuple(aus), columns, name
        self._enlarged = max(1, round(_SMALLEST / min(picture)))
        self._picture = picture[0] * self._enlarged, picture[1] * self._enlarged
        rows = len(self.aus) + 4  # a head, and a foot of three lines
        short = min(self._picture)
        self._font = max(11, min(int(self._picture[1] / (rows * _LINE)), round(0.026 * short)))
        self._line = round(_LINE * self._font)
        self._names = [f"{au_column(au)} {AU_NAMES.get(au, '').lower()}" for au in self.aus]
        self._left = self._picture[0] + self._font  # x of the names
        column = round((_BAR + _NUMBER + _GAP) * self._font)
        after = max(_width(text, self._font, bold=True) for text in self._names)
        after += self._left + round(_GAP * self._font)
        self._bars = [after + n * column for n in range(columns)]  # x of each face's
        height = max(self._picture[1], (rows + 1) * self._line)
        across = after + columns * column + self._font // 4
        self.size = across + across % 2, height + height % 2

    def draw(
        self, picture: Pixels, faces: Sequence[ShownFace], slots: Mapping[int, int], note: str
    ) -> Pixels:
        """One frame.

        Args:
            picture: ``(H, W)`` or ``(H, W, 3)`` blue-green-red.
            faces: Found in it.
            slots: The column of each face's bars by its number, where it has one.
            note: Such as the time; drawn at the foot.

        Returns:
            ``(H, W, 3)`` of ``size``.
        """
        colour = picture if picture.ndim == 3 else cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
        shown = cv2.resize(colour, self._picture, interpolation=cv2.INTER_LINEAR)
        for face in faces:
            x, y, w, h = self._box(face)
            thick = max(2, round(self._font / 7))
            cv2.rectangle(shown, (x, y), (x + w, y + h), _PAPER, thick + 2, cv2.LINE_AA)
            cv2.rectangle(shown, (x, y), (x + w, y + h), face.colour, thick, cv2.LINE_AA)
        canvas = Image.new("RGB", self.size, _PAPER)  # its channels are blue, green and red
        canvas.paste(Image.fromarray(shown), (0, 0))
        pen = _Pen(canvas, self._picture, self._font)
        for face in faces:  # after all boxes, which would cross the letters
            self._tag_face(pen, face)
        if not faces:
            pen.tag("no face found", (self._font, 2 * self._font), _INK)
        in_column = {slots[face.face_id]: face for face in faces if face.face_id in slots}
        for column, face in in_column.items():
            at = self._bars[column], self._line
            pen.text(f"face {face.face_id}", at, face.colour, bold=True)
        for row, name in enumerate(self._names):
            y = round((row + 2) * self._line)
            present = any(face.present[row] for face in in_column.values())
            pen.text(name, (self._left, y), _INK if present else _MUTED, bold=present)
            for column, x in enumerate(self._bars):
                self._draw_bar(pen, x, y, row, in_column.get(column))
        self._draw_foot(pen, sum(face.face_id not in slots for face in faces), note)
        return np.array(canvas)

    def _box(self, face: ShownFace) -> tuple[int, ...]:
        return tuple(round(value * self._enlarged) for value in face.box)

    def _tag_face(self, pen: "_Pen", face: ShownFace) -> None:
        """Number and confidence above a face, present AUs below it."""
        x, y, w, h = self._box(face)
        above = f"face {face.face_id} · {face.confidence:.2f}"
        pen.tag(above, (x, y - self._line // 2 - 2), face.colour)
        lines = ["cannot be used"] if np.isnan(face.p).all() else []
        for au, present in zip(self.aus, face.present, strict=True):
            if present:
                longer = f"{lines[-1]} {au_column(au)}" if lines else ""
                if lines and _width(longer, self._font) <= max(w, round(11 * self._font)):
                    lines[-1] = longer
                else:
                    lines.append(au_column(au))
        top = min(y + h + 2, self._picture[1] - len(lines) * self._line) + self._line // 2
        for n, line in enumerate(lines):
            pen.tag(line, (x, top + n * self._line), face.colour)

    def _draw_bar(self, pen: "_Pen", x: int, y: int, row: int, face: ShownFace | None) -> None:
        length, half = round(_BAR * self._font), max(3, round(0.34 * self._font))
        pen.rectangle((x, y - half, x + length, y + half), _GRID, max(1, self._font // 14))
        if face is None or np.isnan(face.p[row]):
            return
        p, present = float(face.p[row]), bool(face.present[row])
        bar = (x, y - half, x + max(1, round(p * length)), y + half)
        pen.rectangle(bar, face.colour, 0 if present else max(1, self._font // 9))
        # Never 1.00 or 0.00, which a probability does not reach.
        text = f"{min(max(p, 0.01), 0.99):.2f}"
        at = x + length + round(0.35 * self._font), y
        pen.text(text, at, _INK if present else _MUTED, bold=present)

    def _draw_foot(self, pen: "_Pen", without_bars: int, note: str) -> None:
        y = (len(self.aus) + 2) * self._line + self._line // 2
        small = max(10, round(0.85 * self._font))
        side = max(3, round(0.34 * small))
        x = self._left
        for text, width in (("present", 0), ("absent", 1)):
            pen.rectangle((x, y - side, x + 3 * side, y + side), _MUTED, width)
            pen.text(text, (x + 4 * side, y), _MUTED, small)
            x += 4 * side + _width(text, small) + small
        if without_bars:
            plural = "s" if without_bars > 1 else ""
            pen.text(f"+ {without_bars} more face{plural} without bars", (x, y), _MUTED, small)
        for n, text in enumerate((note, self.name), 1):
            pen.text(text, (self._left, y + n * self._line), _MUTED, small)


class _Pen:
    """Draws on a canvas; what passes its edge is cut off."""

    def __init__(self, canvas: Image.Image, picture: tuple[int, int], font: int) -> None:
        self._canvas, self._picture, self._size = canvas, picture, font
        self._draw = ImageDraw.Draw(canvas)

    def rectangle(self, box: tuple[int, int, int, int], colour: Colour, width: int) -> None:
        """Hollow, with edges of `width` pixels; filled where it is 0."""
        self._draw.rectangle(box, fill=None if width else colour, outline=colour, width=width)

    def text(
        self,
        text: str,
        at: tuple[int, int],
        colour: Colour,
        size: int | None = None,
        bold: bool = False,
    ) -> None:
        """One line, from the middle of its left edge."""
        font = _font(size or self._size, bold)
        self._draw.text(at, one_line(text), colour, font, anchor="lm")

    def tag(self, text: str, at: tuple[int, int], colour: Colour) -> None:
        """A line of text on dark ground, moved to where the picture shows it."""
        width = _width(text, self._size) + self._size // 2
        half = round(_LINE * self._size) // 2
        x = max(0, min(at[0], self._picture[0] - width))
        y = max(half, min(at[1], self._picture[1] - half))
        right = min(x + width, self._picture[0])
        bottom = min(y + half, self._picture[1])
        box = (x, y - half, right, bottom)
        self._canvas.paste(_PAPER, box, Image.new("L", (right - x, bottom - y + half), _TAG))
        self.text(text, (x + self._size // 4, y), colour)
