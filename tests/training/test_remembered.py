"""A prediction that was made before is read; whatever it depends on makes it anew."""

import numpy as np
import pytest
import torch

from action_units.config import NetworkSpec
from action_units.files import manifest_of
from action_units.models.registry import build_network
from action_units.models.trained import TrainedModel
from action_units.training import inference
from action_units.training.inference import predict
from tests.training.blobs import AUS, blobs

SPEC = NetworkSpec(width=0.5, image_size=32)
FACES, _ = blobs(n=30)


def make_model(seed=1):
    return TrainedModel(build_network(SPEC, 3, seed=seed).eval(), SPEC, AUS)


@pytest.fixture
def asked(monkeypatch):
    """How many faces the networks were asked about, each time."""
    numbers = []

    class Counting(inference.Predictor):
        def in_parts(self, work, n, description):
            numbers.append(n)
            return super().in_parts(work, n, description)

    monkeypatch.setattr(inference, "Predictor", Counting)
    return numbers


def test_the_same_question_is_computed_once(tmp_path, asked):
    file = tmp_path / "answers.npz"
    expected = predict(make_model(), FACES, "cpu")
    for _ in range(3):
        assert predict(make_model(), FACES, "cpu", memory=file).tobytes() == expected.tobytes()
    assert asked == [30, 30]


@pytest.mark.parametrize("change", ["weights", "pixel", "order", "number", "flip", "torch"])
def test_another_question_is_computed(tmp_path, asked, monkeypatch, change):
    file = tmp_path / "answers.npz"
    predict(make_model(), FACES, "cpu", memory=file)
    model, faces, flip = make_model(2 if change == "weights" else 1), FACES.copy(), False
    if change == "pixel":
        faces[-1, -1, -1] ^= 1
    elif change == "order":
        faces = faces[::-1]
    elif change == "number":
        faces = faces[:-1]
    elif change == "flip":
        flip = True
    elif change == "torch":
        monkeypatch.setattr(torch, "__version__", "2.99")
    found = predict(model, faces, "cpu", flip=flip, memory=file)
    assert len(asked) == 2
    assert found.tobytes() == predict(model, faces, "cpu", flip=flip).tobytes()
    predict(model, faces, "cpu", flip=flip, memory=file)
    assert len(asked) == 3  # the file has the new answer


@pytest.mark.parametrize("damage", ["cut", "no manifest", "not an archive"])
def test_a_file_that_is_not_whole_is_made_again(tmp_path, asked, damage):
    file = tmp_path / "answers.npz"
    expected = predict(make_model(), FACES, "cpu", memory=file)
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-20])
    elif damage == "no manifest":
        manifest_of(file).unlink()
    else:
        file.write_bytes(b"?")
    assert predict(make_model(), FACES, "cpu", memory=file).tobytes() == expected.tobytes()
    assert len(asked) == 2
    with np.load(file) as saved:
        assert saved["probabilities"].tobytes() == expected.tobytes()
