"""A rendered studio: frames as PNG files, and one table of codes."""

from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

import cv2
import numpy as np

from action_units.config import StudioSampleConfig
from action_units.sample.canvas import Bytes, Floats
from action_units.sample.groups import write_groups
from action_units.sample.identity import Identity, draw_gain, draw_identity
from action_units.sample.layout import make_once, run_tasks
from action_units.sample.muscles import RENDERED_AUS
from action_units.sample.render import render_face
from action_units.sample.studio_plan import SUBJECTS, codes_csv, intensities, occluder
from action_units.sample.view import Drift, View, draw_asymmetry, draw_view

_SECONDS = 2.5  # between two pictures
_LAMP = (0.78, -0.34, 0.53)  # beside the face, on the picture's right


def write_studio_sample(
    folder: Path, config: StudioSampleConfig, workers: int | None = None, colour: bool = False
) -> bool:
    """Render 12 subjects' frames with their codes, once.

    Args:
        folder: Gets ``frames/P01/0001.png`` … and ``codes.csv`` (``subject,frame,AU01,…``;
            letters A–E, 0 where an AU is absent and 9 where it was not scored).
        config: What to render.
        workers: Processes; None for one per CPU. The bytes do not depend on it.
        colour: Whether the pictures are in colour.

    Returns:
        Whether anything was rendered; False where the sample was there already.

    Raises:
        ArtifactError: The folder holds something else, or the disk refused.
    """

    def fill(making: Path) -> None:
        (making / "codes.csv").write_text(codes_csv(config))
        weights = [config.frames_per_subject] * len(SUBJECTS)
        write = partial(write_subject, making / "frames", config, colour=colour)
        run_tasks(write, SUBJECTS, weights, workers, "Rendering the studio", "frames")

    return make_once(folder, "studio", config, fill, colour=colour)


def write_studio_groups(folder: Path, config: StudioSampleConfig) -> bool:
    """Write which groups the subjects belong to, once; see ``write_groups``."""

    def views(subject: str) -> list[View]:
        return [_view(config, subject, k) for k in range(config.frames_per_subject)]

    return write_groups(folder, SUBJECTS, partial(subject_identity, config), views)


@lru_cache(maxsize=len(SUBJECTS))
def subject_identity(config: StudioSampleConfig, subject: str) -> Identity:
    """The person who plays a subject, who is in no other sample; men and women alternate."""
    number = SUBJECTS.index(subject)
    return draw_identity(np.random.default_rng([config.seed, 33, number]), (number + 1) % 2)


@lru_cache(maxsize=len(SUBJECTS))
def subject_gain(config: StudioSampleConfig, subject: str) -> Floats:
    """How far the subject's face moves at the same coded intensity, by AU (19,); read-only."""
    rng = np.random.default_rng([config.seed, 34, SUBJECTS.index(subject)])
    gain: Floats = config.strength * draw_gain(rng, config.expressiveness, len(RENDERED_AUS))
    gain.flags.writeable = False
    return gain


def render_frame(
    config: StudioSampleConfig, subject: str, index: int, shown: Floats, colour: bool = False
) -> Bytes:
    """One picture of a subject, uint8 (height, width), or in colour (height, width, 3).

    Args:
        config: The sample's parameters.
        subject: Such as ``P01``.
        index: Of the picture, from 0.
        shown: Its intensities, (19,).
        colour: Whether it is in colour, as ``render_face`` has it.
    """
    view, shape = _view(config, subject, index), (config.height, config.width)
    gained = shown * subject_gain(config, subject)
    return render_face(subject_identity(config, subject), gained, view, shape, colour)


def _view(config: StudioSampleConfig, subject: str, index: int) -> View:
    """One lamp from the side, one dark backdrop, a lens that shows much of the room."""
    number, shape = SUBJECTS.index(subject), (config.height, config.width)
    base, drift = _seat(config, subject)
    pose = drift.moved(base.pose, index * _SECONDS, shape, turn=2.2 * config.turn)
    own = np.random.default_rng([config.seed, 36, number, index])
    kind, place = occluder(config, subject, index)
    return replace(
        base,
        pose=pose,
        light=_LAMP,
        ambient=0.24,
        exposure=1.12 + 0.02 * float(own.normal()),
        uneven=0.0,
        gaze=(float(own.normal(0.0, 0.22)), float(own.normal(0.05, 0.12))),
        asymmetry=draw_asymmetry(own, 0.12, len(RENDERED_AUS)),
        occluder=kind,
        occluder_place=place,
        background=0.14,
        background_slope=(0.06, 0.0),
        noise=config.noise,
        blur=0,
        seed=config.seed,
        grain=number * config.frames_per_subject + index,
    )


@lru_cache(maxsize=len(SUBJECTS))
def _seat(config: StudioSampleConfig, subject: str) -> tuple[View, Drift]:
    """What all pictures of a subject share, and how the head moves."""
    rng = np.random.default_rng([config.seed, 35, SUBJECTS.index(subject)])
    size = float(rng.uniform(0.225, 0.255) * config.height)
    shape = (config.height, config.width)
    view = draw_view(rng, shape, (size, size), turn=0.6 * config.turn, occlusion=0.0)
    return view, Drift.draw(rng)


def write_subject(
    folder: Path, config: StudioSampleConfig, subject: str, colour: bool = False
) -> None:
    """Render the frames of one subject."""
    frames = folder / subject
    frames.mkdir(parents=True)
    for index, shown in enumerate(intensities(config, subject)):
        picture = render_frame(config, subject, index, shown, colour)
        encoded = cv2.imencode(".png", picture)[1]
        (frames / f"{index + 1:04d}.png").write_bytes(encoded.tobytes())
