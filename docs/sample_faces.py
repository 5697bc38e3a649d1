"""Draws the pages of rendered faces in ``docs/images``: ``python -m docs.sample_faces``.

Every action unit alone, combinations, one person through all of them, and a page of the
photographs, and the subjects of the coded sets that the sample has.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from action_units.config import DisfaSampleConfig, StudioSampleConfig, WebSampleConfig
from action_units.files import write_bytes
from action_units.labels.action_units import AU_NAMES, au_column
from action_units.sample import disfa, disfa_plan, studio, studio_plan
from action_units.sample.canvas import Bytes, Floats, Pose
from action_units.sample.contact_sheet import contact_sheet
from action_units.sample.identity import draw_identity
from action_units.sample.muscles import RENDERED_AUS
from action_units.sample.render import render_face
from action_units.sample.view import View, draw_view
from action_units.sample.web import list_photographs, render_photograph, true_intensities

COMBINATIONS: tuple[tuple[str, tuple[int, ...]], ...] = (
    ("a smile", (6, 12)),
    ("a laugh", (6, 12, 25, 26)),
    ("surprise", (1, 2, 5, 25, 26)),
    ("sadness", (1, 4, 15)),
    ("anger", (4, 5, 7, 23)),
    ("disgust", (9, 10, 17)),
    ("fear", (1, 2, 4, 5, 20, 25)),
    ("effort", (4, 7, 9, 17)),
    ("doubt", (15, 17)),
    ("speech", (25, 26)),
)


def every_au(intensity: float, people: int = 4) -> Bytes:
    """Every AU alone on several persons in several lights and poses, two AUs a row."""
    images, captions = [], []
    for au in sorted(RENDERED_AUS):
        images += [_portrait(person, {au: intensity}) for person in range(people)]
        captions += [au_column(au), AU_NAMES[au], *[""] * (people - 2)]
    return contact_sheet(images, captions, 2 * people, tile=136, margin=2)


def combinations(people: int = 4) -> Bytes:
    """Familiar expressions as combinations of AUs, two a row, on several persons."""
    images, captions = [], []
    for name, aus in COMBINATIONS:
        levels = dict.fromkeys(aus, 4.0)
        images += [_portrait(person, levels) for person in range(people, 2 * people)]
        captions += [name, "+".join(map(str, aus)), *[""] * (people - 2)]
    return contact_sheet(images, captions, 2 * people, tile=128, margin=2)


def one_person(person: int = 2) -> Bytes:
    """One person at rest and then with each AU at intensity 5, in plain light."""
    who = draw_identity(np.random.default_rng([1872, person]), person % 2)
    view = View(pose=Pose(88, 82, 53), noise=0.004)
    aus = sorted(RENDERED_AUS)
    captions = ["at rest"] + [f"{au_column(au)} {AU_NAMES[au]}" for au in aus]
    faces = [shown({})] + [shown({au: 5.0}) for au in aus]
    faces += [shown(dict.fromkeys(aus, 4.0)) for _, aus in COMBINATIONS[:4]]
    captions += [f"{name}: {'+'.join(map(str, aus))}" for name, aus in COMBINATIONS[:4]]
    images = [render_face(who, face, view, (176, 176)) for face in faces]
    return contact_sheet(images, captions, 6)


def web_page(config: WebSampleConfig, count: int = 48) -> Bytes:
    """Photographs of the web sample, captioned with the AUs they truly show."""
    photographs = list_photographs(config)
    chosen = photographs[:: max(1, len(photographs) // count)][:count]
    images = [render_photograph(config, photograph) for photograph in chosen]
    captions = [_present(true_intensities(config, photograph.index)) for photograph in chosen]
    return contact_sheet(images, captions, 8, tile=136)


def disfa_page(config: DisfaSampleConfig) -> Bytes:
    """Each subject at the picture of their video with the most AUs, captioned with them."""
    return _subjects(disfa, config, disfa_plan.SUBJECTS, 7)


def both_coded_sets(videos: DisfaSampleConfig, frames: StudioSampleConfig) -> Bytes:
    """A few subjects of the rendered DISFA, and below them some of the studio."""
    pages = (
        _subjects(disfa, videos, disfa_plan.SUBJECTS[:10], 5),
        _subjects(studio, frames, studio_plan.SUBJECTS[:8], 4),
    )
    width = 960
    sizes = [(width, width * page.shape[0] // page.shape[1]) for page in pages]
    scaled = [
        cv2.resize(page, size, interpolation=cv2.INTER_AREA)
        for page, size in zip(pages, sizes, strict=True)
    ]
    return np.concatenate(scaled)


def shown(levels: Mapping[int, float]) -> Floats:
    """Intensities by AU number as the renderer takes them, (19,)."""
    return np.array([float(levels.get(au, 0.0)) for au in RENDERED_AUS])


def write_pages(folder: Path) -> list[Path]:
    """Draw all pages as JPEG files into a folder."""
    pages = {
        "every_au_5": every_au(5.0),
        "every_au_3": every_au(3.0),
        "combinations": combinations(),
        "one_person": one_person(),
        "web_photographs": web_page(WebSampleConfig()),
        "disfa_subjects": disfa_page(DisfaSampleConfig()),
        "both_coded_sets": both_coded_sets(DisfaSampleConfig(), StudioSampleConfig()),
    }
    written = []
    for name, page in pages.items():
        path = Path(folder) / f"{name}.jpg"
        write_bytes(
            path, cv2.imencode(".jpg", page, [cv2.IMWRITE_JPEG_QUALITY, 82])[1].tobytes()
        )
        written.append(path)
    return written


def _subjects(sample: Any, config: Any, subjects: Sequence[str], columns: int) -> Bytes:
    """Subjects of a coded set at their pictures with the most AUs."""
    images, captions = [], []
    for subject in subjects:
        course = sample.intensities(config, subject)
        index = int((course >= 1.5).sum(axis=1).argmax())
        images.append(sample.render_frame(config, subject, index, course[index]))
        captions.append(f"{subject} {_present(course[index])}")
    return contact_sheet(images, captions, columns)


def _portrait(number: int, levels: Mapping[int, float]) -> Bytes:
    """A face that fills its picture, (160, 160)."""
    rng = np.random.default_rng([1872, number])
    who = draw_identity(rng, number % 2)
    view = draw_view(rng, (160, 160), (55.0, 58.0), turn=0.7, occlusion=0.0)
    return render_face(who, shown(levels), view, (160, 160))


def _present(levels: Floats) -> str:
    aus = [str(au) for au, level in zip(RENDERED_AUS, levels, strict=False) if level >= 1.5]
    return "+".join(aus) or "none"


if __name__ == "__main__":
    write_pages(Path(__file__).parent / "images")
