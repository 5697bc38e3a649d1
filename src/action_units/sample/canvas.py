"""Where things lie in the picture, and the few brushes that everything is drawn with.

Face coordinates (u, v) are those of a frontal head: the eye line is v = 0, the chin
v ≈ 1.15, the cheekbones u ≈ ±0.83, u grows to the right of the picture and v downwards.
A head pose bends these coordinates over an ellipsoid, so that every brush draws in the
face's own coordinates and the pose comes for free.

Arrays are only ever added, multiplied, divided, clipped and square-rooted, operations
that IEEE 754 fixes to the last bit, and OpenCV only touches 8-bit masks: the same seed
gives the same bytes on every processor.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from math import cos, sin, sqrt

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]
Window = tuple[slice, slice]

# The ellipsoid that stands for the head when it turns: half width, height, depth.
_HALF_WIDTH, _HALF_HEIGHT, _DEPTH, _CENTRE_V = 1.00, 1.45, 0.85, 0.10
_LEAST_INSIDE = 0.05  # keeps the slope finite at the ellipsoid's rim
_ROUNDS = 4  # of the fixed point that inverts the turn; the head's curvature contracts it
_SHIFT = 4  # sub-pixel bits of OpenCV's drawing
_PEN = 6  # pixels that a line or an outline reaches beyond its points; 4 at the most were seen


@dataclass(frozen=True)
class Pose:
    """Where the head is: pixel of the point between the eyes, size and rotation.

    ``scale`` is pixels per face unit; angles are radians; positive yaw turns the face
    to the picture's right, positive pitch downwards, positive roll clockwise.
    """

    x: float
    y: float
    scale: float
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0


@dataclass(frozen=True)
class Stroke:
    """A line on the face: points (n, 2), strengths 0–1 of its n − 1 pieces, pixels."""

    points: Floats
    strengths: Floats
    thickness: int = 1


@dataclass(frozen=True)
class Mask:
    """An 8-bit mask of a part of the picture; it is 0 everywhere else."""

    at: Window
    values: Bytes  # (h, w)


class Canvas:
    """The part of a picture that holds the head, with its face coordinates.

    Attributes:
        u: Face coordinate of each pixel, (h, w).
        v: The same, downwards, (h, w).
        x: Upright picture coordinate in face units, without the turn of the head, (h, w).
        y: The same, downwards, (h, w).
        box: Where the canvas lies in the picture.
    """

    def __init__(self, shape: tuple[int, int], pose: Pose) -> None:
        self.shape, self.pose, self.scale = shape, pose, pose.scale
        reach_x, reach_y = 1.12 * pose.scale, 1.5 * pose.scale
        rows = slice(max(0, int(pose.y - reach_y)), min(shape[0], int(pose.y + reach_y)))
        columns = slice(max(0, int(pose.x - reach_x)), min(shape[1], int(pose.x + reach_x)))
        self.box: Window = (rows, columns)
        px = (np.arange(columns.start, columns.stop) - pose.x)[None, :] / pose.scale
        py = (np.arange(rows.start, rows.stop) - pose.y)[:, None] / pose.scale
        c, s = cos(pose.roll), sin(pose.roll)
        self.x = c * px + s * py
        self.y = c * py - s * px
        depth = _depth(self.x, self.y)
        self._sin_roll, self._cos_roll = s, c
        self._sin_yaw, self._cos_yaw = sin(pose.yaw), cos(pose.yaw)
        self._sin_pitch, self._cos_pitch = sin(pose.pitch), cos(pose.pitch)
        self.u = self.x * self._cos_yaw - depth * self._sin_yaw
        self.v = self.y * self._cos_pitch - depth * self._sin_pitch

    def lift(self, depth: float) -> tuple[float, float]:
        """How far a point that stands ``depth`` off the head moves in (u, v)."""
        return depth * self._sin_yaw, depth * self._sin_pitch

    def upright_of(self, points: Floats) -> Floats:
        """Face coordinates (n, 2) to upright picture coordinates (n, 2)."""
        x, y = points[:, 0], points[:, 1]
        for _ in range(_ROUNDS):
            depth = _depth(x, y)
            x = (points[:, 0] + depth * self._sin_yaw) / self._cos_yaw
            y = (points[:, 1] + depth * self._sin_pitch) / self._cos_pitch
        return np.stack([x, y], axis=1)

    def pixels_of(self, points: Floats, upright: bool = False) -> Floats:
        """Face coordinates (n, 2) to picture pixels (n, 2), x first.

        With ``upright`` the points are upright picture coordinates already.
        """
        flat = points if upright else self.upright_of(points)
        c, s = self._cos_roll, self._sin_roll
        x, y = flat[:, 0], flat[:, 1]
        pixels = np.empty_like(flat)
        pixels[:, 0] = self.pose.x + self.scale * (c * x - s * y)
        pixels[:, 1] = self.pose.y + self.scale * (s * x + c * y)
        return pixels

    def window(self, u: float, v: float, half_u: float, half_v: float) -> Window:
        """The canvas rows and columns around a point; empty where it lies outside."""
        x, y = self._upright_point(u, v)
        c, s = self._cos_roll, self._sin_roll
        px = self.pose.x + self.scale * (c * x - s * y)
        py = self.pose.y + self.scale * (s * x + c * y)
        c, s = abs(c), abs(s)
        reach_x = 1.15 * self.scale * (half_u * c + half_v * s) + 2
        reach_y = 1.15 * self.scale * (half_v * c + half_u * s) + 2
        height, width = self.u.shape
        left, top = px - self.box[1].start, py - self.box[0].start
        return (
            slice(max(0, int(top - reach_y)), min(height, max(0, int(top + reach_y)))),
            slice(max(0, int(left - reach_x)), min(width, max(0, int(left + reach_x)))),
        )

    def _upright_point(self, u: float, v: float) -> tuple[float, float]:
        """``upright_of`` for one point, in plain floats: it is called most of all."""
        x, y = u, v
        for _ in range(_ROUNDS):
            across, down = x / _HALF_WIDTH, (y - _CENTRE_V) / _HALF_HEIGHT
            depth = _DEPTH * sqrt(max(1.0 - across * across - down * down, _LEAST_INSIDE))
            x = (u + depth * self._sin_yaw) / self._cos_yaw
            y = (v + depth * self._sin_pitch) / self._cos_pitch
        return x, y

    def add_bump(
        self, field: Floats, u: float, v: float, half_u: float, half_v: float, height: float
    ) -> None:
        """Add a smooth round bump of compact support to a field on the canvas."""
        if height == 0.0:
            return
        at = self.window(u, v, half_u, half_v)
        field[at] += height * bump(self.u[at] - u, self.v[at] - v, half_u, half_v)

    def polygon(self, points: Floats, upright: bool = False, soft: int = 3) -> Mask:
        """A filled outline as a soft mask."""
        mask = np.zeros(self.shape, np.uint8)
        fixed = _fixed(self.pixels_of(points, upright))
        cv2.fillPoly(mask, [fixed], 255, cv2.LINE_AA, _SHIFT)
        return self._mask(mask, fixed, soft)

    def strokes(self, lines: Iterable[Stroke], soft: int = 0) -> Mask:
        """Lines of varying strength as a mask, soft or sharp."""
        mask = np.zeros(self.shape, np.uint8)
        lines = list(lines)
        if not lines:
            return Mask((slice(0), slice(0)), mask[:0, :0])
        pixels = _fixed(self.pixels_of(np.concatenate([line.points for line in lines])))
        fixed = pixels.tolist()
        first = 0
        for line in lines:
            ends = fixed[first : first + len(line.points)]
            first += len(line.points)
            strengths = line.strengths.tolist()
            for start, end, strength in zip(ends, ends[1:], strengths, strict=False):
                level = int(255 * min(1.0, strength))
                if level > 4:
                    cv2.line(mask, start, end, level, line.thickness, cv2.LINE_AA, _SHIFT)
        return self._mask(mask, pixels, soft)

    def inside(self, mask: Mask) -> Mask:
        """The part of a mask that lies on the canvas, in the canvas' rows and columns."""
        own, cut = [], []
        for at, box in zip(mask.at, self.box, strict=True):
            start, stop = max(at.start, box.start), min(at.stop, box.stop)
            stop = max(start, stop)
            own.append(slice(start - box.start, stop - box.start))
            cut.append(slice(start - at.start, stop - at.start))
        return Mask((own[0], own[1]), mask.values[cut[0], cut[1]])

    def _mask(self, drawn: Bytes, points: npt.NDArray[np.int32], soft: int) -> Mask:
        """The part of a drawn mask around its points, blurred where it is to be soft."""
        margin = _PEN + soft  # so wide that the blur sees nothing but zeros at the edges
        left, top, wide, high = cv2.boundingRect(points)
        at = (
            _pixels(top, top + high, margin, self.shape[0]),
            _pixels(left, left + wide, margin, self.shape[1]),
        )
        part = drawn[at]
        return Mask(at, blur(part, soft) if soft and part.size else part)


def blur(mask: npt.NDArray[np.uint8], size: int) -> Bytes:
    """Gaussian blur of an 8-bit picture, which OpenCV does in exact whole numbers."""
    soft: Bytes = np.asarray(cv2.GaussianBlur(mask, (size, size), 0), dtype=np.uint8)
    return soft


def blend(field: Floats, at: Window | slice, tone: float | Floats, mask: Floats) -> None:
    """Paint a tone over part of a field through a mask of 0–1."""
    part = field[at]
    part += (tone - part) * mask


def step(distance: Floats, width: float) -> Floats:
    """0 below, 1 above, smooth over ``width`` around 0."""
    t = distance / width
    t += 0.5
    t.clip(0.0, 1.0, out=t)
    smooth = t * t
    t *= -2.0
    t += 3.0
    smooth *= t
    return smooth


def bump(du: Floats, dv: Floats, half_u: float, half_v: float) -> Floats:
    """(1 − r²)² inside an ellipse, 0 outside."""
    r2, dv = du / half_u, dv / half_v
    r2 *= r2
    dv *= dv
    r2 += dv
    np.subtract(1.0, r2, out=r2)
    np.maximum(r2, 0.0, out=r2)
    r2 *= r2
    return r2


def curve(start: tuple[float, float], bend: tuple[float, float], end: tuple[float, float],
          n: int = 9) -> Floats:  # fmt: skip
    """Points on a quadratic Bézier curve, (n, 2)."""
    points: Floats = curves(np.array([[start, bend, end]]), n)[0]
    return points


def curves(ends: Floats, n: int = 9) -> Floats:
    """Points on curves as ``curve``'s, each of start, bend and end: (k, 3, 2) to (k, n, 2)."""
    a, b, c = (ends[:, None, j] for j in range(3))
    start, bend, end = _bernstein(n)
    points: Floats = start * a + bend * b + end * c
    return points


@lru_cache(maxsize=8)
def _bernstein(n: int) -> tuple[Floats, Floats, Floats]:
    t = np.linspace(0.0, 1.0, n)[:, None]
    return (1 - t) * (1 - t), 2 * t * (1 - t), t * t


def tapered(n: int, strength: float) -> Floats:
    """Strengths along a line of n points: full in the middle, faint at both ends."""
    return strength * _taper(n)


@lru_cache(maxsize=8)
def _taper(n: int) -> Floats:
    t = (np.arange(n - 1) + 0.5) / (n - 1)
    strengths: Floats = np.minimum(1.0, 0.25 + 3.0 * np.minimum(t, 1 - t))
    return strengths


def closed_spline(points: Floats, n: int = 6) -> Floats:
    """A smooth closed outline through control points (Catmull–Rom), (len × n, 2)."""
    around = np.concatenate([points[-1:], points, points[:2]])
    p0, p1, p2, p3 = around[:-3], points, around[2:-1], around[3:]
    t = _fractions(n)
    straight, bent = p2 - p0, 2 * p0 - 5 * p1 + 4 * p2 - p3
    twisted = 3 * p1 - p0 - 3 * p2 + p3
    spline = 0.5 * (
        (2 * p1)[:, None]
        + straight[:, None] * t
        + bent[:, None] * t * t
        + twisted[:, None] * t * t * t
    )
    outline: Floats = spline.reshape(-1, 2)
    return outline


@lru_cache(maxsize=8)
def _fractions(n: int) -> Floats:
    return (np.arange(n) / n)[None, :, None]


@lru_cache(maxsize=8)
def texture(kind: str) -> Floats:
    """A fixed tile of smooth noise in −1…1, (512, 512); read-only.

    ``strands`` runs downwards, ``curls`` is blotchy, ``pores`` is fine.
    """
    kernels = {"strands": (3, 21), "curls": (7, 7), "pores": (3, 3), "clouds": (61, 61)}
    rng = np.random.default_rng([512, sorted(kernels).index(kind)])
    tile = rng.integers(0, 256, (512, 512), dtype=np.uint8)
    soft = cv2.GaussianBlur(tile, kernels[kind], 0).astype(np.float64)
    low, high = float(soft.min()), float(soft.max())
    result: Floats = 2.0 * (soft - low) / (high - low) - 1.0
    result.flags.writeable = False
    return result


def patch(kind: str, shape: tuple[int, ...], offset: tuple[int, int]) -> Floats:
    """A piece of a texture from an offset; beyond the tile's edge it begins again."""
    tile = texture(kind)
    rows, columns = offset[0] + shape[0], offset[1] + shape[1]
    if rows <= len(tile) and columns <= len(tile):
        return tile[offset[0] : rows, offset[1] : columns]
    down, across = np.arange(offset[0], rows), np.arange(offset[1], columns)
    again: Floats = tile[np.ix_(down % len(tile), across % len(tile))]
    return again


def _depth(x: Floats, y: Floats) -> Floats:
    inside = x / _HALF_WIDTH
    inside *= inside
    np.subtract(1.0, inside, out=inside)
    down = (y - _CENTRE_V) / _HALF_HEIGHT
    down *= down
    inside -= down
    np.maximum(inside, _LEAST_INSIDE, out=inside)
    np.sqrt(inside, out=inside)
    inside *= _DEPTH
    return inside


def _pixels(start: int, stop: int, margin: int, side: int) -> slice:
    """The whole pixels from one sub-pixel to another and around them, of those there are."""
    first, last = (start >> _SHIFT) - margin, (stop >> _SHIFT) + margin
    return slice(min(side, max(0, first)), min(side, max(0, last)))


def _fixed(pixels: Floats) -> npt.NDArray[np.int32]:
    return np.rint(pixels * (1 << _SHIFT)).astype(np.int32)
