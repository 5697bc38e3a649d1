"""What is never saved: a training that cannot go on."""

import math

import pytest
import torch

from action_units.config import NetworkSpec, Recipe
from action_units.training.data.arrays import checked_data
from action_units.training.devices import Machine
from action_units.training.divergence import DivergedError, check_state
from action_units.training.setup import Setup
from tests.training.blobs import AUS, blobs

FACES, LABELS = blobs(n=60)
SPEC = NetworkSpec(width=0.25, image_size=32, normalisation="batch")


@pytest.fixture
def training():
    data = checked_data(FACES, LABELS, range(40), range(40, 60), AUS)
    setup = Setup(
        SPEC, Recipe(epochs=3, batch_size=10), data, 1, None, Machine("cpu", "fp32", 1)
    )
    state = setup.first_state()
    state.step = 7  # the third of the second epoch's four is done
    return setup, state


def test_numbers_are_saved(training):
    check_state(*training)


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_nobody_has_looked_at_yet_is_looked_at(training, loss):
    """On a GPU losses are looked at now and then, and a save may come between.

    The weights tell nothing: cross-entropy of an infinite logit has a finite slope.
    """
    setup, state = training
    state.losses[1] = loss
    with pytest.raises(DivergedError, match=rf"loss became {loss} in epoch 2, step 2 of 4"):
        check_state(setup, state)


@pytest.mark.parametrize("what", ["weight", "running statistic", "average"])
def test_what_is_no_number_in_the_networks_is_not_saved(training, what):
    setup, state = training
    assert state.averaged is not None
    network = state.averaged.network if what == "average" else state.network
    tensors = network.buffers() if what == "running statistic" else network.parameters()
    with torch.no_grad():
        next(tensors).view(-1)[0] = math.inf
    with pytest.raises(
        DivergedError, match="weights became NaN or infinite in epoch 2, step 3"
    ):
        check_state(setup, state)
