"""Rendered videos and label files in DISFA's own layout."""

from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

import cv2
import numpy as np

from action_units.config import DisfaSampleConfig, WebSampleConfig
from action_units.errors import ArtifactError
from action_units.files import write_text
from action_units.labels.action_units import DISFA_AUS, PRETRAIN_AUS
from action_units.sample.canvas import Bytes, Floats
from action_units.sample.disfa_plan import SUBJECTS, intensities
from action_units.sample.groups import write_groups
from action_units.sample.identity import Identity, draw_gain, draw_identity
from action_units.sample.layout import make_once, run_tasks
from action_units.sample.openface import Annotation, Scene, annotate, openface_csv
from action_units.sample.render import render_face
from action_units.sample.view import OCCLUDERS, Drift, View, draw_asymmetry, draw_view
from action_units.sample.web import list_photographs, scene_of

_FPS = 20.0


def write_disfa_sample(
    folder: Path, config: DisfaSampleConfig, workers: int | None = None, colour: bool = False
) -> bool:
    """Render 27 subjects' videos with their label files, once.

    Args:
        folder: Gets ``Videos_RightCamera/RightVideoSN001_comp.avi`` … and
            ``ActionUnit_Labels/SN001/SN001_au1.txt`` … (``frame,intensity`` from frame 1).
        config: What to render.
        workers: Processes; None for one per CPU. The bytes do not depend on it.
        colour: Whether the pictures are in colour.

    Returns:
        Whether anything was rendered; False where the sample was there already.

    Raises:
        ArtifactError: The folder holds something else, or the disk refused.
    """

    def fill(making: Path) -> None:
        (making / "Videos_RightCamera").mkdir()
        write = partial(write_subject, making, config, colour=colour)
        weights = [config.frames_per_subject] * len(SUBJECTS)
        run_tasks(write, SUBJECTS, weights, workers, "Rendering DISFA", "frames")

    return make_once(folder, "disfa", config, fill, colour=colour)


def write_disfa_annotations(
    folder: Path, config: DisfaSampleConfig, web: WebSampleConfig
) -> bool:
    """Annotate the videos as the web photographs are, once, or again where `web` changed.

    Args:
        folder: Gets a file of each video, ``SN001.csv`` …, as FeatureExtraction writes it.
        config: Of the videos.
        web: Of the photographs, which have the rates and the kind of noise.

    Returns:
        Whether anything was written; False where the annotations were there already.

    Raises:
        ArtifactError: As ``write_disfa_sample``.
    """

    def fill(making: Path) -> None:
        n = config.frames_per_subject
        shown = Scene(
            truth=np.concatenate([intensities(config, subject) for subject in SUBJECTS]),
            people=np.repeat(np.arange(len(SUBJECTS)), n),
            identities=[subject_identity(config, subject) for subject in SUBJECTS],
            views=[_view(config, subject, index) for subject in SUBJECTS for index in range(n)],
        )
        said = annotate(shown, web, reference=scene_of(web, list_photographs(web)), stream=1)
        for number, subject in enumerate(SUBJECTS):
            own = slice(number * n, (number + 1) * n)
            part = Annotation(**{name: values[own] for name, values in vars(said).items()})
            times = [f"{index / _FPS:.3f}" for index in range(n)]
            text = openface_csv(part, frame=range(1, n + 1), face_id=[0] * n, timestamp=times)
            write_text(making / f"{subject}.csv", text)

    return make_once(folder, "openface", web, fill, fill, WebSampleConfig.model_fields)


def write_disfa_groups(folder: Path, config: DisfaSampleConfig) -> bool:
    """Write which groups the subjects belong to, once; see ``write_groups``."""

    def views(subject: str) -> list[View]:
        return [_view(config, subject, k) for k in range(config.frames_per_subject)]

    return write_groups(folder, SUBJECTS, partial(subject_identity, config), views)


@lru_cache(maxsize=len(SUBJECTS))
def subject_identity(config: DisfaSampleConfig, subject: str) -> Identity:
    """The person who plays a subject; women and men alternate."""
    number = SUBJECTS.index(subject)
    return draw_identity(np.random.default_rng([config.seed, 12, number]), number % 2)


@lru_cache(maxsize=len(SUBJECTS))
def subject_gain(config: DisfaSampleConfig, subject: str) -> Floats:
    """How far the subject's face moves at the same coded intensity, by AU (18,); read-only."""
    rng = np.random.default_rng([config.seed, 13, SUBJECTS.index(subject)])
    gain: Floats = config.strength * draw_gain(rng, config.expressiveness)
    gain.flags.writeable = False
    return gain


def render_frame(
    config: DisfaSampleConfig, subject: str, index: int, shown: Floats, colour: bool = False
) -> Bytes:
    """One picture of a subject's video, uint8 (height, width), or in colour (height, width, 3).

    Args:
        config: The sample's parameters.
        subject: Such as ``SN001``.
        index: Picture of the video, from 0.
        shown: Its intensities, (18,).
        colour: Whether it is in colour, as ``render_face`` has it.
    """
    view, shape = _view(config, subject, index), (config.height, config.width)
    gained = shown * subject_gain(config, subject)
    return render_face(subject_identity(config, subject), gained, view, shape, colour)


def _view(config: DisfaSampleConfig, subject: str, index: int) -> View:
    """The laboratory's steady light and camera; a head that drifts; eyes that wander."""
    number, shape = SUBJECTS.index(subject), (config.height, config.width)
    base, drift = _seat(config, subject)
    pose = drift.moved(base.pose, index * config.stride / _FPS, shape)
    own = np.random.default_rng([config.seed, 15, number, index])
    hidden = own.random() < config.occlusion
    return replace(
        base,
        pose=pose,
        uneven=min(base.uneven, 0.25),
        exposure=min(max(base.exposure, 0.90), 1.2) * (1.0 + 0.02 * float(own.normal())),
        gaze=(float(own.normal(0.0, 0.22)), float(own.normal(0.05, 0.12))),
        asymmetry=np.clip(base.asymmetry + draw_asymmetry(own, 0.06), -0.6, 0.6),
        occluder=OCCLUDERS[own.integers(1, len(OCCLUDERS))] if hidden else "none",
        occluder_place=(float(own.random()), float(own.random())),
        seed=base.seed,
        grain=index,
    )


@lru_cache(maxsize=len(SUBJECTS))
def _seat(config: DisfaSampleConfig, subject: str) -> tuple[View, Drift]:
    """What all pictures of a subject share, and how the head moves."""
    rng = np.random.default_rng([config.seed, 14, SUBJECTS.index(subject)])
    size = float(rng.uniform(0.275, 0.31) * config.height)
    shape = (config.height, config.width)
    view = draw_view(rng, shape, scale=(size, size), turn=0.35, occlusion=0.0)
    return view, Drift.draw(rng)


def write_subject(
    folder: Path, config: DisfaSampleConfig, subject: str, colour: bool = False
) -> None:
    """Render one video and write its label files."""
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
        picture = render_frame(config, subject, index, shown, colour)
        writer.write(picture if colour else cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR))
    writer.release()
    labels = folder / "ActionUnit_Labels" / subject
    labels.mkdir(parents=True)
    coded = np.rint(course).astype(int)
    for au in DISFA_AUS:
        column = coded[:, PRETRAIN_AUS.index(au)]
        lines = "".join(f"{frame},{level}\n" for frame, level in enumerate(column, 1))
        (labels / f"{subject}_au{au}.txt").write_text(lines)
