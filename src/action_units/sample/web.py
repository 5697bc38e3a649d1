"""Rendered photographs of many people, with OpenFace's annotations of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import cv2
import numpy as np

from action_units.config import WebSampleConfig
from action_units.files import write_text
from action_units.sample.canvas import Bytes, Floats
from action_units.sample.identity import Identity, draw_gain, draw_identity
from action_units.sample.layout import make_once, run_tasks
from action_units.sample.openface import Scene, annotate, openface_csv
from action_units.sample.render import render_face
from action_units.sample.view import View, draw_view
from action_units.sample.web_labels import draw_expression, truth_csv

_PER_TASK = 40  # photographs that a worker renders at a time
_OF_LABELS = ("sensitivity", "false_alarms", "failures", "noise", "noises")
_LETTERS = "0123456789bcdfghjklmnpqrstvwxyz_"  # of Freebase's machine identifiers


@dataclass(frozen=True)
class Photograph:
    """One photograph to be rendered."""

    index: int
    image: str
    identity: str
    person: int
    gender: int


def write_web_sample(
    folder: Path, config: WebSampleConfig, workers: int | None = None, colour: bool = False
) -> bool:
    """Render photographs of many people and annotate them as OpenFace would, once.

    Args:
        folder: Gets ``photographs/<MID>_<n>-FaceId-<k>.jpg``, ``openface.csv`` (noisy),
            ``identities.csv`` (``identity,gender``; 0 woman, 1 man) and ``truth.csv``
            (true intensities).
        config: What to render.
        workers: Processes; None for one per CPU. The bytes do not depend on it.
        colour: Whether the pictures are in colour.

    Returns:
        Whether anything was rendered; False where the sample was there already, if with
        other labels, which are then written again.

    Raises:
        ArtifactError: The folder holds something else, or the disk refused.
    """
    photographs = list_photographs(config)

    def fill(making: Path) -> None:
        (making / "photographs").mkdir()
        chunks = [photographs[k : k + _PER_TASK] for k in range(0, len(photographs), _PER_TASK)]
        write = partial(_write_photographs, making / "photographs", config, colour)
        weights = [len(chunk) for chunk in chunks]
        run_tasks(write, chunks, weights, workers, "Rendering web faces", "photographs")
        people = {p.identity: p.gender for p in photographs}
        rows = "".join(f"{identity},{gender}\n" for identity, gender in people.items())
        (making / "identities.csv").write_text("identity,gender\n" + rows)
        label(making)

    def label(making: Path) -> None:
        images = [photograph.image for photograph in photographs]
        scene = scene_of(config, photographs)
        text = openface_csv(annotate(scene, config), image=images, face=[0] * len(images))
        write_text(making / "openface.csv", text)
        write_text(making / "truth.csv", truth_csv(images, scene.truth))

    return make_once(folder, "web", config, fill, label, _OF_LABELS, colour=colour)


def list_photographs(config: WebSampleConfig) -> list[Photograph]:
    """Every photograph's name and person, the people in the order of their identifiers.

    Women and men come in pairs with equally many photographs each.
    """
    rng = np.random.default_rng([config.seed, 20])
    names: set[str] = set()
    while len(names) < config.identities:
        letters = rng.choice(list(_LETTERS), int(rng.integers(4, 7)))
        names.add("m.0" + "".join(letters[:-1]) + str(letters[-1]).replace("_", "k"))
    pairs = config.identities // 2
    spare = config.photographs // 2 - pairs
    weights = rng.gamma(1.5, size=pairs)
    counts = 1 + rng.multinomial(spare, weights / weights.sum())
    order = rng.permutation(sorted(names))
    photographs: list[Photograph] = []
    for person, identity in enumerate(str(name) for name in order):
        count = int(counts[person // 2])
        numbers = np.sort(rng.choice(max(120, 2 * count), count, replace=False))
        for number in numbers:
            face = int(rng.choice(4, p=[0.92, 0.055, 0.017, 0.008]))
            image = f"{identity}_{number}-FaceId-{face}.jpg"
            photographs.append(
                Photograph(len(photographs), image, identity, person, person % 2)
            )
    return photographs


def true_intensities(config: WebSampleConfig, index: int) -> Floats:
    """What a photograph shows, (18,)."""
    return draw_expression(np.random.default_rng([config.seed, 21, index]))


def render_photograph(
    config: WebSampleConfig, photograph: Photograph, colour: bool = False
) -> Bytes:
    """One photograph, uint8 (rows, columns), or in colour (rows, columns, 3)."""
    who, gain = _person(
        config.seed, photograph.person, photograph.gender, config.expressiveness
    )
    gain = config.strength * gain
    view, shape = _view(config, photograph.index)
    gained = true_intensities(config, photograph.index) * gain
    return render_face(who, gained, view, shape, colour)


def scene_of(config: WebSampleConfig, photographs: Sequence[Photograph]) -> Scene:
    """What OpenFace is shown: the photographs, not rendered."""
    genders = {photograph.person: photograph.gender for photograph in photographs}
    numbers = {person: number for number, person in enumerate(genders)}
    return Scene(
        truth=np.stack([true_intensities(config, p.index) for p in photographs]),
        people=np.array([numbers[p.person] for p in photographs]),
        identities=[_person(config.seed, *person)[0] for person in genders.items()],
        views=[_view(config, photograph.index)[0] for photograph in photographs],
    )


@lru_cache(maxsize=8)  # a person's photographs follow each other
def _person(
    seed: int, person: int, gender: int, expressiveness: float = 0.0
) -> tuple[Identity, Floats]:
    """Someone's face, and how far it moves, by AU (18,)."""
    rng = np.random.default_rng([seed, 22, person])
    return draw_identity(rng, gender), draw_gain(rng, expressiveness)


def _view(config: WebSampleConfig, index: int) -> tuple[View, tuple[int, int]]:
    """Pose, light and occluder of a photograph, and its rows and columns."""
    rng = np.random.default_rng([config.seed, 24, index])
    shape = (config.size, config.size + int(rng.integers(-1, 3)) * config.size // 12)
    size = (0.26 * config.size, 0.315 * config.size)
    return draw_view(rng, shape, size, config.turn, config.occlusion), shape


def _write_photographs(
    folder: Path, config: WebSampleConfig, colour: bool, photographs: Sequence[Photograph]
) -> None:
    for photograph in photographs:
        picture = render_photograph(config, photograph, colour)
        quality = [cv2.IMWRITE_JPEG_QUALITY, config.jpeg_quality]
        encoded = cv2.imencode(".jpg", picture, quality)[1]
        (folder / photograph.image).write_bytes(encoded.tobytes())
