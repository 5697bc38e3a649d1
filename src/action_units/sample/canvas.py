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
        c, s = cos(self.pose.roll), sin(self.pose.roll)
        px = self.pose.x + self.scale * (c * flat[:, 0] - s * flat[:, 1])
        py = self.pose.y + self.scale * (s * flat[:, 0] + c * flat[:, 1])
        return np.stack([px, py], axis=1)

    def window(self, u: float, v: float, half_u: float, half_v: float) -> Window:
        """The canvas rows and columns around a point; empty where it lies outside."""
        x, y = self._upright_point(u, v)
        c, s = cos(self.pose.roll), sin(self.pose.roll)
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
            inside = 1.0 - (x / _HALF_WIDTH) ** 2 - ((y - _CENTRE_V) / _HALF_HEIGHT) ** 2
            depth = _DEPTH * sqrt(max(inside, _LEAST_INSIDE))
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

    def polygon(self, points: Floats, upright: bool = False, soft: int = 3) -> Bytes:
        """A filled outline over the whole picture as a soft mask, uint8 (H, W)."""
        mask = np.zeros(self.shape, np.uint8)
        fixed = _fixed(self.pixels_of(points, upright))
        cv2.fillPoly(mask, [fixed], 255, cv2.LINE_AA, _SHIFT)
        return blur(mask, soft) if soft else mask

    def strokes(self, lines: Iterable[Stroke]) -> Bytes:
        """Lines of varying strength as a mask over the whole picture, uint8 (H, W)."""
        mask = np.zeros(self.shape, np.uint8)
        lines = list(lines)
        if not lines:
            return mask
        fixed = _fixed(self.pixels_of(np.concatenate([line.points for line in lines]))).tolist()
        first = 0
        for line in lines:
            ends = fixed[first : first + len(line.points)]
            first += len(line.points)
            for start, end, strength in zip(ends, ends[1:], line.strengths, strict=False):
                level = int(255 * min(1.0, strength))
                if level > 4:
                    cv2.line(mask, start, end, level, line.thickness, cv2.LINE_AA, _SHIFT)
        return mask


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
    t = np.clip(distance / width + 0.5, 0.0, 1.0)
    smooth: Floats = t * t * (3.0 - 2.0 * t)
    return smooth


def bump(du: Floats, dv: Floats, half_u: float, half_v: float) -> Floats:
    """(1 − r²)² inside an ellipse, 0 outside."""
    r2 = (du / half_u) ** 2 + (dv / half_v) ** 2
    inside = np.maximum(0.0, 1.0 - r2)
    smooth: Floats = inside * inside
    return smooth


def curve(start: tuple[float, float], bend: tuple[float, float], end: tuple[float, float],
          n: int = 9) -> Floats:  # fmt: skip
    """Points on a quadratic Bézier curve, (n, 2)."""
    t = np.linspace(0.0, 1.0, n)[:, None]
    a, b, c = (np.array(p)[None, :] for p in (start, bend, end))
    points: Floats = (1 - t) * (1 - t) * a + 2 * t * (1 - t) * b + t * t * c
    return points


def tapered(n: int, strength: float) -> Floats:
    """Strengths along a line of n points: full in the middle, faint at both ends."""
    t = (np.arange(n - 1) + 0.5) / (n - 1)
    strengths: Floats = strength * np.minimum(1.0, 0.25 + 3.0 * np.minimum(t, 1 - t))
    return strengths


def closed_spline(points: Floats, n: int = 6) -> Floats:
    """A smooth closed outline through control points (Catmull–Rom), (len × n, 2)."""
    p0, p1 = np.roll(points, 1, axis=0)[:, None], points[:, None]
    p2, p3 = np.roll(points, -1, axis=0)[:, None], np.roll(points, -2, axis=0)[:, None]
    t = (np.arange(n) / n)[None, :, None]
    spline = 0.5 * (
        2 * p1
        + (p2 - p0) * t
        + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t * t
        + (3 * p1 - p0 - 3 * p2 + p3) * t * t * t
    )
    outline: Floats = spline.reshape(-1, 2)
    return outline


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
    """A piece of a texture, at most 256 × 256 from an offset below 256."""
    return texture(kind)[offset[0] : offset[0] + shape[0], offset[1] : offset[1] + shape[1]]


def _depth(x: Floats, y: Floats) -> Floats:
    inside = 1.0 - (x / _HALF_WIDTH) ** 2 - ((y - _CENTRE_V) / _HALF_HEIGHT) ** 2
    depth: Floats = _DEPTH * np.sqrt(np.maximum(inside, _LEAST_INSIDE))
    return depth


def _fixed(pixels: Floats) -> npt.NDArray[np.int32]:
    return np.rint(pixels * (1 << _SHIFT)).astype(np.int32)
