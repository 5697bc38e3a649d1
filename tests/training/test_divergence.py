"""A training that has diverged is never saved."""

import math

import pytest
import torch

from action_units.config import NetworkSpec, Recipe
from action_units.training.context import TrainingContext
from action_units.training.divergence import DivergedError, check_state
from tests.training.blobs import AUS, blobs, job

FACES, LABELS = blobs(n=60)
SPEC = NetworkSpec(width=0.25, image_size=32, normalisation="batch")


@pytest.fixture
def training():
    recipe = Recipe(epochs=3, batch_size=10)
    context = TrainingContext.of(
        job(SPEC, recipe, FACES, LABELS, range(40), range(40, 60), AUS, seed=1)
    )
    state = context.first_state()
    state.step = 7  # the third of the second epoch's four is done
    return context, state


def test_finite_values_are_saved(training):
    check_state(*training)


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_was_not_read_yet_is_checked(training, loss):
    """On a GPU losses are read now and then, and a save may come between.

    The weights show nothing: cross-entropy of an infinite logit has a finite slope.
    """
    context, state = training
    state.losses[1] = loss
    with pytest.raises(DivergedError, match=rf"loss became {loss} in epoch 2, step 2 of 4"):
        check_state(context, state)


@pytest.mark.parametrize("what", ["weight", "running statistic", "average"])
def test_a_network_with_an_infinite_value_is_not_saved(training, what):
    context, state = training
    assert state.averaged is not None
    network = state.averaged.network if what == "average" else state.network
    tensors = network.buffers() if what == "running statistic" else network.parameters()
    with torch.no_grad():
        next(tensors).view(-1)[0] = math.inf
    with pytest.raises(
        DivergedError, match="weights became NaN or infinite in epoch 2, step 3"
    ):
        check_state(context, state)
