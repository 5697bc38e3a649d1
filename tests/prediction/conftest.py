"""A run's models of random weights, and rendered people in front of a wall."""

import json

import cv2
import numpy as np
import pytest

from action_units.config import NetworkSpec
from action_units.evaluation.postprocessing.calibration import Temperature
from action_units.evaluation.postprocessing.postprocessing import Postprocessing
from action_units.evaluation.postprocessing.smoothing import Smoothing
from action_units.evaluation.postprocessing.thresholds import FittedThresholds
from action_units.faces.crop import CropSettings, FaceSettings
from action_units.files import atomic_artifact
from action_units.models.model_files import save_model
from action_units.models.registry import build_network
from action_units.models.trained import TrainedModel
from tests.portraits import portrait

AUS = (1, 4, 12)
SPEC = NetworkSpec(width=0.5, image_size=32)
FACES = FaceSettings(crop=CropSettings(margin=0.05, max_size=128))
TREATMENTS = {
    1: (Smoothing(), None),
    2: (Smoothing(), Temperature((2.0, 0.5, 1.5), (False,) * 3, ("S8",))),
    3: (Smoothing("mean", 5, ("S9",)), Temperature((1.5, 2.0, 0.7), (False,) * 3, ("S9",))),
}
THRESHOLDS = {1: (0.5, 0.48, 0.52), 2: (0.45, 0.5, 0.55), 3: (0.51, 0.49, 0.5)}


def fold_postprocessing(fold):
    smoothing, calibration = TREATMENTS[fold]
    fitted = FittedThresholds(THRESHOLDS[fold], (False,) * 3, (0.5,) * 3, (f"S{fold}",))
    return Postprocessing(fitted, smoothing, calibration)


def write_json(path, content):
    with atomic_artifact(path) as file:
        file.write(json.dumps(content).encode())


def write_run(folder, folds=(1, 2, 3), faces=FACES):
    """What fine-tuning and evaluation leave: models with their treatments."""
    recorded = None if faces is None else {**faces.provenance(), "size": 48}
    for fold in folds:
        place = folder / f"fold{fold}"
        network = build_network(SPEC, len(AUS), seed=fold).eval()
        provenance = {"flip_average": True, "faces": recorded}
        save_model(
            TrainedModel(network, SPEC, AUS, provenance), place / "finetuned.safetensors"
        )
        write_json(place / "finetuned_treatment.json", fold_postprocessing(fold).to_json(AUS))
    return folder


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("models") / "sample" / "main" / "disfa" / "fg2020")


def write_video(path, frames, rate=20.0):
    height, width = frames[0].shape[:2]
    code = cv2.VideoWriter_fourcc(*("MJPG" if path.suffix == ".avi" else "mp4v"))
    writer = cv2.VideoWriter(str(path), code, rate, (width, height))
    for frame in frames:
        writer.write(frame if frame.ndim == 3 else cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR))
    writer.release()
    return path


def scene(people, shape=(240, 420)):
    """A gray wall with portraits of 160 pixels, whose left edges are given by person."""
    wall = np.full(shape, 105, np.uint8)
    for person, left in people.items():
        wall[40:200, left : left + 160] = cv2.resize(portrait(person), (160, 160))
    return wall


@pytest.fixture(scope="session")
def two_people(tmp_path_factory):
    """30 frames: person 0 moves; person 1 is there from frame 4 to 20; 25 and 26 are empty."""
    frames = []
    for n in range(1, 31):
        people = {} if n in (25, 26) else {0: n}
        if 4 <= n <= 20:
            people[1] = 240
        frames.append(scene(people))
    return write_video(tmp_path_factory.mktemp("videos") / "two.avi", frames)


def write_pictures(folder):
    """Two portraits, both of them in one picture, and a wall."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, people in {
        "a": {0: 20},
        "b": {1: 200},
        "both": {0: 20, 1: 220},
        "wall": {},
    }.items():
        cv2.imwrite(str(folder / f"{name}.png"), scene(people))
    return folder


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    return write_pictures(tmp_path_factory.mktemp("pictures") / "in")
