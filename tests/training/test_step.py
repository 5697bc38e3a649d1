"""Batches that are split into micro-batches."""

import logging

import pytest
import torch

from action_units.config import Augmentation, NetworkSpec, Recipe
from action_units.errors import ConfigurationError
from action_units.models.dropout import SeededDropout, seed_dropout
from action_units.models.model_files import plain_state
from action_units.models.network import AUHead
from action_units.training import validation
from action_units.training.device import DeviceMemoryError
from tests.training.blobs import AUS, blobs, train

SPEC = NetworkSpec(architecture="convnext", width=0.5, image_size=32)
RECIPE = Recipe(epochs=2, batch_size=18, augmentation=Augmentation(mixup=0.3, noise=0.1))
FACES, LABELS = blobs(n=100)
LABELS = LABELS.astype(float)
LABELS[:40, 1] = -1


def run(micro_batch=None, spec=SPEC, recipe=RECIPE):
    return train(
        spec, recipe, FACES, LABELS, range(80), range(80, 100), AUS, seed=3, device="cpu",
        precision="fp32", threads=1, micro_batch=micro_batch,
    )  # fmt: skip


def assert_same(result, other):
    states = [plain_state(r.model.network.state_dict()) for r in (result, other)]
    for name, value in states[0].items():
        torch.testing.assert_close(value, states[1][name], rtol=0, atol=1e-5, msg=name)


@pytest.fixture(scope="module")
def whole():
    return run()


@pytest.fixture
def small_memory(monkeypatch):
    """A network that can hold eight faces; the sizes of what it was asked."""
    forward, sizes = AUHead.forward, []

    def limited(self, x):
        if self.training:
            sizes.append(len(x))
            if len(x) > 8:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")
        return forward(self, x)

    monkeypatch.setattr(AUHead, "forward", limited)
    return sizes


@pytest.mark.parametrize("micro_batch", [1, 5, 17, 500])
def test_micro_batches_give_the_result_of_the_whole(whole, micro_batch):
    assert_same(run(micro_batch), whole)


def test_auto_halves_until_it_fits(whole, small_memory, caplog):
    with caplog.at_level(logging.WARNING):
        result = run("auto")
    assert small_memory[:3] == [18, 8, 10]  # pairs of mixup stay together
    assert small_memory[3:7] == [4, 4, 4, 6]
    assert caplog.text.count("is split into") == 2
    assert_same(result, whole)


def test_auto_leaves_running_statistics_as_before_the_step(small_memory):
    spec = NetworkSpec(architecture="residual", width=0.5, image_size=32)
    recipe = Recipe(epochs=1, batch_size=17)
    tried = run("auto", spec, recipe)
    assert small_memory[:4] == [17, 8, 9, 4]  # the second of two pieces did not fit
    known = run(5, spec, recipe)
    states = [plain_state(r.model.network.state_dict()) for r in (tried, known)]
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name]), name


def test_a_full_memory_is_a_readable_error(small_memory):
    with pytest.raises(
        DeviceMemoryError,
        match=r"cpu has too little memory for 18 faces of 32 × 32 pixels at once "
        r"\(batch_size 18; CUDA out of memory\); set micro_batch to auto or to 9",
    ):
        run()


def test_so_is_one_that_is_full_between_passes(monkeypatch):
    def full(self):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")

    monkeypatch.setattr(torch.optim.AdamW, "step", full)
    with pytest.raises(
        DeviceMemoryError, match=r"cpu has too little memory .* \(CUDA out of memory\); give"
    ):
        run()


@pytest.mark.parametrize(("micro_batch", "most"), [(None, 20), (7, 7), ("auto", 5)])
def test_an_evaluation_keeps_to_it_too(monkeypatch, small_memory, micro_batch, most):
    if micro_batch != "auto":
        monkeypatch.undo()
    original, sizes = validation.logits, []

    def watched(network, faces, *others):
        sizes.append(len(faces))
        return original(network, faces, *others)

    monkeypatch.setattr(validation, "logits", watched)
    run(micro_batch)
    assert max(sizes) == most
    assert sum(sizes) == 2 * 20


def test_batch_normalisation_is_a_warning(caplog):
    with caplog.at_level(logging.WARNING):
        run(4, NetworkSpec(architecture="residual", width=0.25, image_size=32))
    assert "batch normalisation takes its statistics over micro_batch 4 faces" in caplog.text


@pytest.mark.parametrize("micro_batch", [0, -3, 2.5, "half", True])
def test_an_impossible_size_is_refused(micro_batch):
    with pytest.raises(ConfigurationError, match="whole number from 1 or auto, or null"):
        run(micro_batch)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_dropout_of_parts_is_that_of_the_whole(layout):
    x = torch.ones(7, 3, 4, 5).contiguous(memory_format=layout)
    layer = SeededDropout(0.4)
    seed_dropout([layer], 11)
    whole = layer(x)
    for part in (slice(0, 3), slice(3, 4), slice(4, 7)):
        seed_dropout([layer], 11, part, 7)
        assert torch.equal(layer(x[part]), whole[part])
