"""Rendered videos and label files in DISFA's own layout."""

from dataclasses import replace
from math import pi, sin
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from action_units.config import DisfaSampleConfig
from action_units.errors import ArtifactError
from action_units.labels.action_units import DISFA_AUS, PRETRAIN_AUS
from action_units.sample.canvas import Floats, Pose
from action_units.sample.disfa_plan import SUBJECTS, intensities
from action_units.sample.identity import Identity, draw_identity
from action_units.sample.layout import folder_made_once, run_tasks
from action_units.sample.render import render_face
from action_units.sample.view import OCCLUDERS, View, draw_asymmetry, draw_view

_FPS = 20.0


def write_disfa_sample(
    folder: Path, config: DisfaSampleConfig, workers: int | None = None
) -> bool:
    """Render 27 subjects' videos with their label files, once.

    Args:
        folder: Gets ``Videos_RightCamera/RightVideoSN001_comp.avi`` … and
            ``ActionUnit_Labels/SN001/SN001_au1.txt`` … (``frame,intensity`` from frame 1).
        config: What to render.
        workers: Processes; None for one per CPU. The bytes do not depend on it.

    Returns:
        Whether anything was rendered; False where the sample was there already.

    Raises:
        ArtifactError: The folder holds something else, or the disk refused.
    """
    with folder_made_once(folder, "disfa", config.model_dump()) as making:
        if making is None:
            return False
        (making / "Videos_RightCamera").mkdir()
        tasks = [(str(making), subject, config) for subject in SUBJECTS]
        weights = [config.frames_per_subject] * len(tasks)
        run_tasks(write_subject, tasks, weights, workers, "Rendering DISFA", "frames")
    return True


def subject_identity(config: DisfaSampleConfig, subject: str) -> Identity:
    """The person who plays a subject; women and men alternate."""
    number = SUBJECTS.index(subject)
    return draw_identity(np.random.default_rng([config.seed, 12, number]), number % 2)


def subject_gain(config: DisfaSampleConfig, subject: str) -> Floats:
    """How far the subject's face moves at the same coded intensity, by AU (18,)."""
    rng = np.random.default_rng([config.seed, 13, SUBJECTS.index(subject)])
    return config.strength * draw_gain(rng, config.expressiveness)


def draw_gain(rng: np.random.Generator, spread: float) -> Floats:
    """A person's expressiveness: a common factor and one of each AU, (18,)."""
    common = rng.normal(0.0, 0.7 * spread)
    gain: Floats = np.exp(np.clip(common + rng.normal(0.0, spread, 18), -0.45, 0.35))
    return gain


def render_frame(config: DisfaSampleConfig, subject: str, index: int, shown: Floats) -> Any:
    """One picture of a subject's video, uint8 (height, width).

    Args:
        config: The sample's parameters.
        subject: Such as ``SN001``.
        index: Picture of the video, from 0.
        shown: Its intensities, (18,).
    """
    view = _view(config, subject, index)
    shape = (config.height, config.width)
    gained = shown * subject_gain(config, subject)
    return render_face(subject_identity(config, subject), gained, view, shape)


def _view(config: DisfaSampleConfig, subject: str, index: int) -> View:
    """The laboratory's steady light and camera; a head that drifts; eyes that wander."""
    number = SUBJECTS.index(subject)
    rng = np.random.default_rng([config.seed, 14, number])
    shape = (config.height, config.width)
    size = float(rng.uniform(0.275, 0.31) * config.height)
    base = draw_view(rng, shape, scale=(size, size), turn=0.35, occlusion=0.0)
    seconds = index * config.stride / _FPS
    phases = rng.uniform(0, 2 * pi, (6, 2))
    periods = rng.uniform([23.0, 6.0], [70.0, 15.0], (6, 2))
    reach = rng.uniform(0.5, 1.0, 6)

    def drift(k: int) -> float:
        slow, quick = (
            sin(2 * pi * seconds / p + f) for p, f in zip(periods[k], phases[k], strict=True)
        )
        return float(reach[k]) * (0.65 * slow + 0.35 * quick)

    pose = Pose(
        x=base.pose.x + 0.05 * config.width * drift(0),
        y=base.pose.y + 0.02 * config.height * drift(1),
        scale=base.pose.scale * (1.0 + 0.04 * drift(2)),
        yaw=base.pose.yaw + 0.14 * drift(3),
        pitch=base.pose.pitch + 0.10 * drift(4),
        roll=base.pose.roll + 0.08 * drift(5),
    )
    own = np.random.default_rng([config.seed, 15, number, index])
    hidden = own.random() < config.occlusion
    return replace(
        base,
        pose=pose,
        uneven=min(base.uneven, 0.25),
        exposure=float(np.clip(base.exposure, 0.90, 1.2)) * (1.0 + 0.02 * float(own.normal())),
        gaze=(float(own.normal(0.0, 0.22)), float(own.normal(0.05, 0.12))),
        asymmetry=np.clip(base.asymmetry + draw_asymmetry(own, 0.06), -0.6, 0.6),
        occluder=str(own.choice(OCCLUDERS[1:])) if hidden else "none",
        occluder_place=(float(own.random()), float(own.random())),
        seed=base.seed,
        grain=index,
    )


def write_subject(task: tuple[str, str, DisfaSampleConfig]) -> None:
    """Render one video and write its label files."""
    folder, subject, config = Path(task[0]), task[1], task[2]
    course = intensities(config, subject)  # (frames, 18)
    video = folder / "Videos_RightCamera" / f"RightVideo{subject}_comp.avi"
    writer = cv2.VideoWriter(
        str(video),
        cv2.CAP_OPENCV_MJPEG,
        cv2.VideoWriter.fourcc(*"MJPG"),
        _FPS,
        (config.width, config.height),
        [cv2.VIDEOWRITER_PROP_QUALITY, config.jpeg_quality],
    )
    if not writer.isOpened():
        raise ArtifactError(f"{video} could not be opened for writing.")
    for index, shown in enumerate(course):
        gray = render_frame(config, subject, index, shown)
        writer.write(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR))
    writer.release()
    labels = folder / "ActionUnit_Labels" / subject
    labels.mkdir(parents=True)
    coded = np.rint(course).astype(int)
    for au in DISFA_AUS:
        column = coded[:, PRETRAIN_AUS.index(au)]
        lines = "".join(f"{frame},{level}\n" for frame, level in enumerate(column, 1))
        (labels / f"{subject}_au{au}.txt").write_text(lines)
