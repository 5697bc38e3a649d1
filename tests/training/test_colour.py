"""Faces in colour: what a network of three channels or of one is given, and learns."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from action_units.config import Augmentation, NetworkSpec, Recipe
from action_units.errors import ConfigurationError
from action_units.training.data import input_shape, luma, resized, upload
from action_units.training.inference import Predictor, predict
from tests.training.blobs import AUS, blobs, train
from tests.training.killed_run import weights_hash

GREY, LABELS = blobs()
CPU = torch.device("cpu")
RECIPE = Recipe(epochs=2, batch_size=20)


def network(channels):
    return NetworkSpec(width=0.25, image_size=32, channels=channels)


def repeated(faces):
    return np.repeat(faces[..., None], 3, axis=3)


def reddened(n=200):
    """Faces of equal luma all over; where AU 12 is, their lower half is red, else blue."""
    faces, labels = np.full((n, 32, 32, 3), 90, np.uint8), np.zeros((n, 3), np.int8)
    labels[:, 0] = np.arange(n) % 2
    labels[:, 1:] = np.arange(n)[:, None] % 3 == 0
    faces[:, 16:] = np.where(labels[:, 0, None, None, None] == 1, [188, 40, 90], [90, 73, 178])
    return faces, labels


def learned(faces, labels, channels, recipe=RECIPE, **options):
    return train(
        network(channels), recipe, faces, labels, range(160), range(160, 200), AUS, seed=1,
        **options,
    )  # fmt: skip


def test_colours_are_learned_where_grey_shows_nothing():
    faces, labels = reddened()
    assert (luma(torch.from_numpy(faces)) == 90).all()
    recipe = Recipe(epochs=6, batch_size=20)
    in_colour = predict(learned(faces, labels, 3, recipe).model, faces[160:])
    assert ((in_colour[:, 0] > 0.5) == labels[160:, 0]).all()
    in_grey = predict(learned(faces, labels, 1, recipe).model, faces[160:])
    assert np.ptp(in_grey[:, 0]) < 0.2


def test_a_network_of_one_channel_learns_the_luma():
    """The same weights as from the grey faces, in memory and streamed."""
    rng = np.random.default_rng(0)
    faces = rng.integers(0, 256, (200, 32, 32, 3)).astype(np.uint8)
    grey = luma(torch.from_numpy(faces)).numpy()
    for in_memory in ("always", "blocks"):
        one, other = (
            learned(some, LABELS, 1, faces_in_memory=in_memory) for some in (faces, grey)
        )
        assert weights_hash(one) == weights_hash(other)
        assert np.array_equal(predict(one.model, faces), predict(one.model, grey))


def test_streamed_colours_train_as_those_in_memory(monkeypatch):
    from action_units.training import train as loop
    from action_units.training.streaming import load_faces

    faces, labels = reddened()
    streamed = learned(faces, labels, 3, faces_in_memory="blocks")
    # The same order of faces, but from memory.
    monkeypatch.setattr(
        loop, "load_faces", lambda data, size, device, windows, channels: load_faces(
            data, size, device, None, channels)
    )  # fmt: skip
    resident = learned(faces, labels, 3, faces_in_memory="blocks")
    assert weights_hash(streamed) == weights_hash(resident)


def test_grey_faces_and_their_repetition_are_predicted_alike():
    """A grey photograph has equal channels where a network takes colours."""
    model = learned(*reddened(), 3).model
    assert np.array_equal(predict(model, GREY), predict(model, repeated(GREY)))


def test_no_face_in_colour_depends_on_the_others():
    model = learned(*reddened(), 3).model
    faces = np.random.default_rng(1).integers(0, 256, (37, 48, 48, 3)).astype(np.uint8)
    predictor = Predictor(model, "cpu", flip=True)
    together = predictor.probabilities(faces)
    for row in (0, 15, 36):
        assert np.array_equal(predictor.probabilities(faces[row : row + 1])[0], together[row])


@given(st.integers(0, 255))
def test_the_luma_of_grey_is_itself(level):
    grey = torch.full((1, 2, 2, 3), level, dtype=torch.uint8)
    assert (luma(grey) == level).all()


def test_luma_is_opencvs_but_for_rounding():
    faces = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3)).astype(np.uint8)
    ours = luma(torch.from_numpy(faces)).numpy()
    weights = np.array([299, 587, 114])
    assert np.array_equal(ours, (faces @ weights + 500) // 1000)
    theirs = np.stack([cv2.cvtColor(face, cv2.COLOR_RGB2GRAY) for face in faces])
    assert np.abs(ours.astype(int) - theirs).max() <= 1


@pytest.mark.parametrize("size", [16, 32, 80])
def test_each_channel_is_resized_as_a_grey_face(size):
    faces = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype(np.uint8)
    got = resized(torch.from_numpy(faces), size)
    assert tuple(got.shape[1:]) == input_shape(faces, size, 3) == (size, size, 3)
    for channel in range(3):
        alone = resized(torch.from_numpy(np.ascontiguousarray(faces[..., channel])), size)
        assert (got[..., channel].int() - alone.int()).abs().max() <= 1  # by rounding
    one = upload(faces, np.arange(4), size, CPU, channels=1)
    assert torch.equal(one, resized(luma(torch.from_numpy(faces)), size))


@pytest.mark.parametrize(
    ("faces", "channels", "words"),
    [(GREY, 3, "but the faces are grey"), (repeated(GREY), 1, "but the network takes grey")],
)
def test_colours_that_are_not_there_are_not_changed_and_that_is_told(
    faces, channels, words, caplog
):
    def weights(**options):
        recipe = Recipe(epochs=1, batch_size=20, augmentation=Augmentation(**options))
        return weights_hash(learned(faces, LABELS, channels, recipe))

    plain = weights()
    assert [record for record in caplog.records if record.levelname == "WARNING"] == []
    assert weights(hue=0.1, saturation=0.2, grey=0.5) == plain
    assert words in caplog.text


def test_faces_of_four_channels_are_refused():
    with pytest.raises(ConfigurationError, match=r"or in colour \(N, S, S, 3\)"):
        learned(np.zeros((200, 32, 32, 4), np.uint8), LABELS, 3)
