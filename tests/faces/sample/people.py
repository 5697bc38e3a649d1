"""Persons and views that the sample's tests share."""

import hashlib

import numpy as np

from action_units.faces.sample.canvas import Bytes, Floats, Pose
from action_units.faces.sample.identity import Identity, draw_identity
from action_units.faces.sample.render import render_face
from action_units.faces.sample.view import View, draw_view
from action_units.facs.action_units import PRETRAIN_AUS

SHAPE = (160, 160)
PLAIN = View(pose=Pose(x=80, y=74, scale=48), noise=0.0)


def shown(*aus: int, intensity: float = 5.0) -> Floats:
    return np.array([intensity if au in aus else 0.0 for au in PRETRAIN_AUS])


def person(number: int) -> Identity:
    """A bare-faced person: no glasses, beard or fringe to hide what is tested."""
    from dataclasses import replace

    who = draw_identity(np.random.default_rng([5, number]))
    return replace(who, glasses="none", beard="none", hair_style="bun", age=0.2)


def varied_faces(count: int) -> list[Bytes]:
    """Faces with everything drawn at random."""
    faces = []
    for number in range(count):
        rng = np.random.default_rng([6, number])
        who = draw_identity(rng)
        view = draw_view(rng, SHAPE, (42.0, 50.0), occlusion=0.6)
        levels = np.where(rng.random(18) < 0.4, rng.uniform(0.0, 5.0, 18), 0.0)
        faces.append(render_face(who, levels, view, SHAPE))
    return faces


def digest(faces: list[Bytes]) -> str:
    sha = hashlib.sha256()
    for face in faces:
        sha.update(face.tobytes())
    return sha.hexdigest()


if __name__ == "__main__":
    print(digest(varied_faces(25)))
