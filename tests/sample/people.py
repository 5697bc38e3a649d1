"""Persons and views that the sample's tests share."""

import hashlib
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from action_units.config import DisfaSampleConfig, StudioSampleConfig, WebSampleConfig
from action_units.sample import disfa, studio
from action_units.sample.canvas import Bytes, Floats, Pose
from action_units.sample.identity import Identity, draw_identity
from action_units.sample.muscles import RENDERED_AUS
from action_units.sample.render import render_face
from action_units.sample.view import View, draw_view
from action_units.sample.web import write_web_sample

SHAPE = (160, 160)
PLAIN = View(pose=Pose(x=80, y=74, scale=48), noise=0.0)


def shown(*aus: int, intensity: float = 5.0) -> Floats:
    return np.array([intensity if au in aus else 0.0 for au in RENDERED_AUS])


def person(number: int) -> Identity:
    """A bare-faced person: no glasses, beard or fringe to hide what is tested."""
    who = draw_identity(np.random.default_rng([5, number]))
    return replace(who, glasses="none", beard="none", hair_style="bun", age=0.2)


def varied_faces(count: int, colour: bool = False) -> list[Bytes]:
    """Faces with everything drawn at random."""
    faces = []
    for number in range(count):
        rng = np.random.default_rng([6, number])
        who = draw_identity(rng)
        view = draw_view(rng, SHAPE, (42.0, 50.0), occlusion=0.6)
        levels = np.where(rng.random(18) < 0.4, rng.uniform(0.0, 5.0, 18), 0.0)
        faces.append(render_face(who, levels, view, SHAPE, colour))
    return faces


def digest(faces: list[Bytes]) -> str:
    sha = hashlib.sha256()
    for face in faces:
        sha.update(face.tobytes())
    return sha.hexdigest()


def written_bytes(folder: Path) -> str:
    """Digest of a small web sample and of one subject of DISFA and the studio, on disk."""
    photographs = WebSampleConfig(photographs=8, identities=8, size=160)
    write_web_sample(folder / "web", photographs, workers=1)
    (folder / "Videos_RightCamera").mkdir()
    frames = DisfaSampleConfig(frames_per_subject=24, width=176, height=160)
    disfa.write_subject(folder, frames, "SN001")
    pictures = StudioSampleConfig(frames_per_subject=24, width=176, height=160)
    studio.write_subject(folder / "frames", pictures, "P01")
    sha = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        sha.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return sha.hexdigest()


if __name__ == "__main__":
    print(digest(varied_faces(25)), written_bytes(Path(sys.argv[1])))
