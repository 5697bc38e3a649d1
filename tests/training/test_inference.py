import numpy as np
import pytest
import torch

from action_units.errors import ConfigurationError
from action_units.models.registry import build_network
from action_units.models.spec import NetworkSpec
from action_units.models.trained import TrainedModel
from action_units.training.inference import predict
from tests.training.blobs import AUS, blobs

SPEC = NetworkSpec(width=0.5, image_size=32)
FACES, _ = blobs(n=30)


@pytest.fixture
def model():
    return TrainedModel(build_network(SPEC, 3, seed=1).eval(), SPEC, AUS)


def test_probabilities_are_the_networks(model):
    x = torch.from_numpy((FACES[:, None] / 127.5 - 1).astype(np.float32))
    with torch.no_grad():
        expected = torch.sigmoid(model.network(x)).numpy()
    got = predict(model, FACES, "cpu")
    assert got.dtype == np.float32
    assert np.abs(got - expected).max() < 1e-5


def test_the_batch_size_changes_nothing_but_rounding(model):
    whole, small = predict(model, FACES, "cpu"), predict(model, FACES, "cpu", batch_size=7)
    assert np.abs(whole - small).max() < 1e-6


def test_flipping_makes_mirror_images_equal(model):
    flipped = np.ascontiguousarray(FACES[:, :, ::-1])
    one = predict(model, FACES, "cpu", flip=True)
    two = predict(model, flipped, "cpu", flip=True)
    assert np.abs(one - two).max() < 1e-6
    assert np.abs(one - predict(model, FACES, "cpu")).max() > 1e-6


def test_no_faces_have_no_probabilities(model):
    assert predict(model, FACES[:0], "cpu").shape == (0, 3)


def test_what_is_not_faces_is_refused(model):
    with pytest.raises(ConfigurationError, match="uint8"):
        predict(model, FACES / 255)
    with pytest.raises(ConfigurationError, match=r"\(30, 32, 20\)"):
        predict(model, FACES[:, :, :20])


def test_the_model_is_left_as_it_was(model):
    before = [(p.device, p.stride()) for p in model.network.parameters()]
    predict(model, FACES, "cpu")
    assert before == [(p.device, p.stride()) for p in model.network.parameters()]
