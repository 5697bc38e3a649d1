"""A step never waits for its device, nor sends it anything: it only queues work.

Tensors on torch's device ``meta`` have shapes and no values. Whatever needs a value there (a
number for Python, a mask's rows) is an error; with a GPU it would wait for it.
"""

from contextlib import nullcontext
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from action_units.config import Augmentation, LossName, LossOptions, NetworkSpec, Recipe
from action_units.models.dropout import dropouts
from action_units.training.augment import make_plan
from action_units.training.context import TrainingContext
from action_units.training.data import ResidentFaces, upload
from action_units.training.device import Machine
from action_units.training.train import Step
from tests.training.blobs import AUS, blobs, job

DEVICE = torch.device("meta")
ALL = Augmentation(
    brightness=0.1, contrast=0.1, gamma=1.2, blur=0.02, noise=0.1, erase=0.5, mixup=0.3
)
SPECS = [
    NetworkSpec(architecture="residual", width=0.25, image_size=32),
    NetworkSpec(architecture="vgg13", width=0.125, image_size=32, normalisation="batch"),
    NetworkSpec(architecture="convnext", width=0.25, image_size=32, channels=3),
]


class Crossings(TorchDispatchMode):
    """Notes what goes from one device to another."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        result = operation(*args, **(kwargs or {}))
        tensors = [x for x in (*args, result) if isinstance(x, torch.Tensor) and x.ndim]
        if len({x.device.type for x in tensors}) > 1:
            self.seen.append(str(operation))
        return result


class Nowhere(Machine):
    """A machine whose device computes nothing."""

    def autocast(self):
        return nullcontext()


def steps(spec, recipe, micro_batch, monkeypatch):
    """Two steps of an epoch on the device without values, and the crossings in them."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # meta has none
    faces, labels = blobs(n=64)
    labels = labels.astype(float)
    labels[:20, 1] = -1
    context = TrainingContext.of(
        job(
            spec,
            recipe,
            faces,
            labels,
            np.arange(64),
            [],
            AUS,
            seed=0,
            micro_batch=micro_batch,
            intensities=5.0 * (labels > 0),
        )
    )
    context = replace(context, machine=Nowhere("meta", "fp32", 1))
    data, state = context.data, context.first_state()
    state.network.train()
    for layer in dropouts(state.network):
        layer.rate = 0.0  # meta has no generator
    step = Step(context, state)
    _ = context.loss  # is built when it is first used
    size = spec.image_size
    order, _ = context.faces_of(0)
    source = ResidentFaces(upload(data.faces, data.train_rows, size, DEVICE))
    source.start_epoch(order)
    targets = torch.from_numpy(data.learned).to(DEVICE)
    plan = make_plan(recipe.augmentation, 0, 0, order, size)
    with Crossings() as crossings:
        for number in range(2):
            batch = slice(number * 16, (number + 1) * 16)
            loss = step(source, targets, order[batch], plan, batch)
            state.losses[number] = loss
            state.step += 1
    assert loss.device == DEVICE
    assert loss.shape == ()
    return crossings.seen


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.architecture)
def test_a_step_does_not_wait_for_its_device(spec, monkeypatch):
    recipe = Recipe(batch_size=16, prior_bias=False, gradient_clip=1.0, average=0.99)
    assert steps(spec, recipe, None, monkeypatch) == []


def test_neither_does_it_with_what_is_learned_of_the_noise(monkeypatch):
    recipe = Recipe(
        batch_size=16,
        prior_bias=False,
        intensity_weight=1.0,
        error_rates=0.001,
        early_learning={"strength": 1.0},
    )
    assert steps(SPECS[0], recipe, None, monkeypatch) == []


@pytest.mark.parametrize("name", get_args(LossName))
@pytest.mark.parametrize("micro_batch", [None, 6])
def test_neither_does_it_with_any_loss_and_all_augmentation(name, micro_batch, monkeypatch):
    loss = LossOptions(name=name, label_smoothing=0.1)
    recipe = Recipe(batch_size=16, prior_bias=False, loss=loss, augmentation=ALL)
    assert steps(SPECS[0], recipe, micro_batch, monkeypatch) == []
