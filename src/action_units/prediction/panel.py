"""One annotated frame: the picture with its faces marked, and beside it all AUs as bars.

The bars stand beside the picture, so that faces stay visible. A called AU is told by its
filled bar and bold letters, and one that is not by a hollow bar; no colour is needed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from action_units.evaluation.report.theme import Palette
from action_units.faces.tracking import Box
from action_units.labels.action_units import AU_NAMES, au_column
from action_units.media.images import Pixels
from action_units.prediction.lettering import Colour, bgr, put, width

DARK = Palette(ink="#e8ecf0", muted="#9aa5b1", grid="#3a4550", paper="#12161b", ours="#56b4e9")
"""The panel's colours; those of the report's page in the dark."""

FACES = ("#56b4e9", "#e69f00", "#2cc49a", "#f0e442", "#cc79a7", "#f0803c")
"""Of one face after the other (Okabe & Ito 2008, brighter), and then again from the first."""

MOST_COLUMNS = 4
"""The most faces that have bars at the same time; further ones are named in the picture."""

_SMALLEST = 480  # much smaller pictures are drawn larger, so that text is legible
_LINE = 1.6  # from one row to the next, in font sizes
_BAR, _NUMBER, _GAP = 4.6, 2.7, 0.9  # widths, in font sizes
_INK, _MUTED, _GRID, _PAPER = map(bgr, (DARK.ink, DARK.muted, DARK.grid, DARK.paper))


@dataclass(frozen=True)
class ShownFace:
    """A face of a frame and what was predicted of it.

    Attributes:
        face_id: Its number.
        confidence: The detector's score.
        box: x, y, width and height in the picture's pixels.
        p: Probabilities (A,); NaN where the face could not be used.
        called: Whether each AU is called present, (A,).
    """

    face_id: int
    confidence: float
    box: Box
    p: npt.NDArray[np.float32]
    called: npt.NDArray[np.bool_]

    @property
    def colour(self) -> Colour:
        """What it is drawn in."""
        return bgr(FACES[self.face_id % len(FACES)])


class Panel:
    """Draws frames of one size with the bars of the same AUs.

    Attributes:
        size: Width and height of what it draws, both even, as codecs want them.
    """

    def __init__(
        self, picture: tuple[int, int], aus: Sequence[int], columns: int, name: str = ""
    ) -> None:
        """Lay out.

        Args:
            picture: Width and height.
            aus: A row of the panel for each.
            columns: For so many faces.
            name: Of the classifier; stands at the foot.
        """
        self.aus, self.columns, self.name = tuple(aus), columns, name
        self._enlarged = max(1, round(_SMALLEST / min(picture)))
        self._picture = picture[0] * self._enlarged, picture[1] * self._enlarged
        rows = len(self.aus) + 4  # a head, and a foot of three lines
        short = min(self._picture)
        self._font = max(11, min(int(self._picture[1] / (rows * _LINE)), round(0.026 * short)))
        self._line = round(_LINE * self._font)
        self._names = [f"{au_column(au)} {AU_NAMES.get(au, '').lower()}" for au in self.aus]
        self._first = self._picture[0] + self._font  # x of the names
        column = round((_BAR + _NUMBER + _GAP) * self._font)
        after = max(width(text, self._font, bold=True) for text in self._names)
        after += self._first + round(_GAP * self._font)
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
            faces: Found in it; none where there is none.
            slots: The column of each face's bars by its number, where it has one.
            note: Such as the time; stands at the foot.

        Returns:
            ``(H, W, 3)`` of ``size``.
        """
        canvas = np.empty((self.size[1], self.size[0], 3), np.uint8)
        canvas[:] = _PAPER
        colour = picture if picture.ndim == 3 else cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
        shown = canvas[: self._picture[1], : self._picture[0]]
        shown[:] = cv2.resize(colour, self._picture, interpolation=cv2.INTER_LINEAR)
        for face in faces:
            self._outline(shown, face)
        for face in faces:  # so that no box crosses another's letters
            self._tags(shown, face)
        if not faces:
            self._tag(shown, "no face found", (self._font, 2 * self._font), _INK)
        in_column = {slots[face.face_id]: face for face in faces if face.face_id in slots}
        self._head(canvas, in_column)
        for row, text in enumerate(self._names):
            y = round((row + 2) * self._line)
            called = any(face.called[row] for face in in_column.values())
            ink = _INK if called else _MUTED
            put(canvas, text, (self._first, y), self._font, ink, bold=called)
            for column in range(self.columns):
                self._bar(canvas, self._bars[column], y, row, in_column.get(column))
        self._foot(canvas, [face for face in faces if face.face_id not in slots], note)
        return canvas

    def _outline(self, shown: Pixels, face: ShownFace) -> None:
        x, y, w, h = (round(value * self._enlarged) for value in face.box)
        thick = max(2, round(self._font / 7))
        cv2.rectangle(shown, (x, y), (x + w, y + h), _PAPER, thick + 2, cv2.LINE_AA)
        cv2.rectangle(shown, (x, y), (x + w, y + h), face.colour, thick, cv2.LINE_AA)

    def _tags(self, shown: Pixels, face: ShownFace) -> None:
        """Number and confidence above a face, called AUs below it."""
        x, y, w, h = (round(value * self._enlarged) for value in face.box)
        above = f"face {face.face_id} · {face.confidence:.2f}"
        self._tag(shown, above, (x, y - self._line // 2 - 2), face.colour)
        if np.isnan(face.p).all():
            lines = ["cannot be used"]
        else:
            called = [au_column(au) for au, c in zip(self.aus, face.called, strict=True) if c]
            lines = self._wrapped(called, max(w, round(11 * self._font)))
        room = shown.shape[0] - len(lines) * self._line
        top = min(y + h + 2, room) + self._line // 2
        for n, line in enumerate(lines):
            self._tag(shown, line, (x, top + n * self._line), face.colour)

    def _wrapped(self, words: Sequence[str], widest: int) -> list[str]:
        lines: list[str] = []
        for word in words:
            longer = f"{lines[-1]} {word}" if lines else word
            if lines and width(longer, self._font) <= widest:
                lines[-1] = longer
            else:
                lines.append(word)
        return lines

    def _tag(self, shown: Pixels, text: str, at: tuple[int, int], colour: Colour) -> None:
        """A line of text on dark ground, moved to where the picture shows it."""
        wide, half = width(text, self._font) + self._font // 2, self._line // 2
        x = max(0, min(at[0], shown.shape[1] - wide))
        y = max(half, min(at[1], shown.shape[0] - half))
        ground = shown[y - half : y + half, x : x + wide]
        ground[:] = (ground * 0.25 + np.array(_PAPER) * 0.75).astype(np.uint8)
        put(shown, text, (x + self._font // 4, y), self._font, colour)

    def _head(self, canvas: Pixels, in_column: Mapping[int, ShownFace]) -> None:
        for column, face in in_column.items():
            at = self._bars[column], self._line
            put(canvas, f"face {face.face_id}", at, self._font, face.colour, bold=True)

    def _bar(self, canvas: Pixels, x: int, y: int, row: int, face: ShownFace | None) -> None:
        long, half = round(_BAR * self._font), max(3, round(0.34 * self._font))
        ends = (x, y - half), (x + long, y + half)
        cv2.rectangle(canvas, *ends, _GRID, max(1, self._font // 14))
        if face is None or np.isnan(face.p[row]):
            return
        p, called = float(face.p[row]), bool(face.called[row])
        until = x + max(1, round(p * long)), y + half
        edge = max(1, self._font // 9)
        cv2.rectangle(canvas, ends[0], until, face.colour, cv2.FILLED if called else edge)
        # Never 1.00 or 0.00 for what is less sure than that would say.
        text = f"{min(max(p, 0.01), 0.99):.2f}"
        at = x + long + round(0.35 * self._font), y
        put(canvas, text, at, self._font, _INK if called else _MUTED, bold=called)

    def _foot(self, canvas: Pixels, others: Sequence[ShownFace], note: str) -> None:
        y = (len(self.aus) + 2) * self._line + self._line // 2
        small = max(10, round(0.85 * self._font))
        side = max(3, round(0.34 * small))
        x = self._first
        for text, filled in (("present", True), ("absent", False)):
            ends = (x, y - side), (x + 3 * side, y + side)
            cv2.rectangle(canvas, *ends, _MUTED, cv2.FILLED if filled else 1)
            put(canvas, text, (x + 4 * side, y), small, _MUTED)
            x += 4 * side + width(text, small) + small
        if others:
            text = f"+ {len(others)} more face{'s' if len(others) > 1 else ''} without bars"
            put(canvas, text, (x, y), small, _MUTED)
        for n, text in enumerate((note, self.name), 1):
            put(canvas, text, (self._first, y + n * self._line), small, _MUTED)
