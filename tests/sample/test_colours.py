"""Pictures in colour: the same faces, equally light, in plausible colours."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from action_units.config import (
    DetectorSettings,
    DisfaSampleConfig,
    StudioSampleConfig,
    WebSampleConfig,
)
from action_units.errors import ArtifactError
from action_units.faces.detection.registry import make_detector
from action_units.sample import disfa, studio, web
from action_units.sample.canvas import Canvas
from action_units.sample.colours import palette
from action_units.sample.render import render_face
from tests.sample.people import PLAIN, SHAPE, person, shown, varied_faces


def test_gray_and_coloured_pictures_are_equally_light() -> None:
    for gray, colour in zip(varied_faces(20), varied_faces(20, colour=True), strict=True):
        assert colour.shape == (*gray.shape, 3)
        off = np.abs(luma(colour) - gray)
        assert off.mean() < 0.6
        assert np.quantile(off, 0.99) < 3


def test_the_same_arguments_give_the_same_colours() -> None:
    once, again = varied_faces(3, colour=True), varied_faces(3, colour=True)
    assert all(np.array_equal(a, b) for a, b in zip(once, again, strict=True))


def test_faces_are_found_as_often_as_in_gray() -> None:
    detector = make_detector(DetectorSettings())
    found = [
        sum(bool(detector.detect(face)) for face in varied_faces(40, colour=colour))
        for colour in (False, True)
    ]
    assert found[1] >= found[0] - 1


@pytest.mark.parametrize("number", range(4))
def test_skin_is_warm_lips_are_redder_and_the_rest_is_as_the_palette_says(number: int) -> None:
    who = replace(person(number), lip_tone=0.6)
    face = render_face(who, shown(), PLAIN, SHAPE, colour=True).astype(float)
    canvas = Canvas(SHAPE, PLAIN.pose)

    def red_and_blue(u: float, v: float) -> tuple[float, float]:
        column, row = canvas.pixels_of(np.array([[u, v]]))[0].round().astype(int)
        blue, green, red = face[row - 1 : row + 2, column - 1 : column + 2].mean((0, 1))
        light = 0.299 * red + 0.587 * green + 0.114 * blue
        return red / light, blue / light

    forehead, lip = red_and_blue(0.0, -0.42), red_and_blue(0.0, who.mouth_height + 0.03)
    assert forehead[0] > 1.05 > 0.95 > forehead[1]
    assert lip[0] > forehead[0] + 0.05
    tints = palette(who, PLAIN)
    assert red_and_blue(0.0, 1.0)[0] > 1.05, "the chin is skin"
    body = face[-6:, 30:45].mean((0, 1))
    assert body[2] / luma(body[None, None])[0, 0] == pytest.approx(
        tints["clothes"][0], abs=0.06
    )


def test_colours_are_the_persons_and_the_pictures() -> None:
    mine, other = palette(person(0), PLAIN), palette(person(1), PLAIN)
    elsewhere = palette(person(0), replace(PLAIN, seed=7))
    assert mine["iris"] != other["iris"]
    assert mine["wall"] == other["wall"] != elsewhere["wall"]
    for red, blue in mine.values():
        assert 0.299 * red + 0.114 * blue < 1.0, "green is left"


def test_files_are_in_colour_and_another_sample_than_the_gray_one(tmp_path: Path) -> None:
    config = WebSampleConfig(photographs=2, identities=2, size=160)
    assert web.write_web_sample(tmp_path / "web", config, workers=1, colour=True)
    assert not web.write_web_sample(tmp_path / "web", config, workers=1, colour=True)
    with pytest.raises(ArtifactError, match="colour"):
        web.write_web_sample(tmp_path / "web", config, workers=1)
    (tmp_path / "Videos_RightCamera").mkdir()
    frames = DisfaSampleConfig(frames_per_subject=24, width=176, height=160)
    disfa.write_subject(tmp_path, frames, "SN001", colour=True)
    posed = StudioSampleConfig(frames_per_subject=24, width=176, height=160)
    studio.write_subject(tmp_path / "frames", posed, "P01", colour=True)
    [photograph, _] = sorted((tmp_path / "web" / "photographs").iterdir())
    pictures = [
        cv2.imread(str(path)) for path in (photograph, tmp_path / "frames/P01/0001.png")
    ]
    video = cv2.VideoCapture(str(tmp_path / "Videos_RightCamera/RightVideoSN001_comp.avi"))
    pictures.append(video.read()[1])
    for picture in pictures:
        assert np.ptp(picture.astype(int), axis=2).mean() > 8


def luma(colour: np.ndarray) -> np.ndarray:
    return colour.astype(float) @ np.array([0.114, 0.587, 0.299])
