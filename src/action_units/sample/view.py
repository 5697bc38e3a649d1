"""One picture's circumstances: pose, light, camera, and what hides part of the face."""

from dataclasses import dataclass, field
from math import pi, sin
from typing import Self

import numpy as np

from action_units.sample.canvas import Floats, Pose

OCCLUDERS = ("none", "hand", "strand", "microphone", "finger", "shadow")
_BLURS = (0, 0, 0, 3, 3, 5)
_TURNS = np.radians([9, 5, 5])


@dataclass(frozen=True)
class View:
    """A picture's conditions apart from person and expression.

    Light directions are in the picture's axes (x right, y down, z to the camera).
    ``asymmetry`` holds one number a for each of the first RENDERED_AUS, the others have 0:
    the picture's right side shows the AU (1 + a) times, its left side (1 − a) times.
    """

    pose: Pose
    light: tuple[float, float, float] = (-0.35, -0.45, 0.82)
    ambient: float = 0.42
    exposure: float = 1.0
    uneven: float = 0.0  # how much darker one side of the picture is
    uneven_angle: float = 0.0
    gaze: tuple[float, float] = (0.0, 0.0)
    asymmetry: Floats = field(default_factory=lambda: np.zeros(18))
    occluder: str = "none"
    occluder_place: tuple[float, float] = (0.5, 0.5)  # each 0–1, meaning by kind
    background: float = 0.5
    background_slope: tuple[float, float] = (0.0, 0.0)
    clothes: float = 0.3
    noise: float = 0.010
    blur: int = 0  # Gaussian kernel size in pixels, 0 for none
    seed: int = 0  # of the background's shapes and, with ``grain``, of the noise
    grain: int = 0  # which picture of a series with one background


def draw_view(
    rng: np.random.Generator,
    shape: tuple[int, int],
    scale: tuple[float, float] = (50.0, 60.0),
    turn: float = 1.0,
    occlusion: float = 0.10,
) -> View:
    """Draw the circumstances of a photograph.

    Args:
        rng: Its state alone decides.
        shape: Rows and columns of the picture.
        scale: Range of pixels per face unit; a face is about 1.8 units tall.
        turn: Factor on the head's rotation; 1 has standard deviations of 9° yaw,
            5° pitch and 5° roll, cut at two and a half of them.
        occlusion: How often something hides part of the face.
    """
    size = float(rng.uniform(*scale))
    yaw, pitch, roll = (rng.normal(size=3).clip(-2.4, 2.4) * _TURNS * turn).tolist()
    pose = Pose(
        x=shape[1] / 2 + float(rng.normal(0, 0.035)) * shape[1],
        y=shape[0] * 0.465 + float(rng.normal(0, 0.02)) * shape[0],
        scale=size,
        yaw=yaw,
        pitch=pitch,
        roll=roll,
    )
    side, height = float(rng.normal(0, 0.42)), float(rng.normal(-0.38, 0.22))
    norm = (side * side + height * height + 0.64) ** 0.5
    hidden = rng.random() < occlusion
    return View(
        pose=pose,
        light=(side / norm, height / norm, 0.8 / norm),
        ambient=float(rng.uniform(0.28, 0.58)),
        exposure=min(max(rng.normal(1.0, 0.13), 0.7), 1.35),
        uneven=float(rng.uniform(0.1, 0.48) * (rng.random() < 0.3)),
        uneven_angle=float(rng.uniform(-np.pi, np.pi)),
        gaze=(float(rng.normal(0, 0.25)), float(rng.normal(0, 0.12))),
        asymmetry=draw_asymmetry(rng, 0.14),
        occluder=OCCLUDERS[rng.integers(1, len(OCCLUDERS))] if hidden else "none",
        occluder_place=(float(rng.random()), float(rng.random())),
        background=float(rng.uniform(0.12, 0.9)),
        background_slope=(float(rng.normal(0, 0.1)), float(rng.normal(0, 0.1))),
        clothes=float(rng.uniform(0.05, 0.85)),
        noise=float(rng.uniform(0.004, 0.026)),
        blur=_BLURS[rng.integers(len(_BLURS))],
        seed=int(rng.integers(2**31)),
    )


@dataclass(frozen=True)
class Drift:
    """How a head moves slowly around its pose: slow and quick waves, (6, 2), and how far."""

    phases: list[list[float]]
    periods: list[list[float]]
    reach: list[float]

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Self:
        """Draw a movement; the generator's state alone decides."""
        phases = rng.uniform(0, 2 * pi, (6, 2)).tolist()
        periods = rng.uniform([23.0, 6.0], [70.0, 15.0], (6, 2)).tolist()
        return cls(phases, periods, rng.uniform(0.5, 1.0, 6).tolist())

    def moved(
        self, pose: Pose, seconds: float, shape: tuple[int, int], turn: float = 1.0
    ) -> Pose:
        """Where the head is at a moment.

        Args:
            pose: The middle.
            seconds: The moment.
            shape: Rows and columns of the picture.
            turn: Factor on the rotation.
        """
        x, y, scale, yaw, pitch, roll = (self._at(k, seconds) for k in range(6))
        return Pose(
            x=pose.x + 0.05 * shape[1] * x,
            y=pose.y + 0.02 * shape[0] * y,
            scale=pose.scale * (1.0 + 0.04 * scale),
            yaw=pose.yaw + turn * 0.14 * yaw,
            pitch=pose.pitch + turn * 0.10 * pitch,
            roll=pose.roll + turn * 0.08 * roll,
        )

    def _at(self, k: int, seconds: float) -> float:
        slow, quick = (
            sin(2 * pi * seconds / p + f)
            for p, f in zip(self.periods[k], self.phases[k], strict=True)
        )
        return self.reach[k] * (0.65 * slow + 0.35 * quick)


def draw_asymmetry(rng: np.random.Generator, spread: float, aus: int = 18) -> Floats:
    """How much more each AU shows on the picture's right side, (aus,)."""
    asymmetry: Floats = np.clip(rng.normal(0.0, spread, aus), -0.6, 0.6)
    return asymmetry
