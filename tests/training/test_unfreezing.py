"""Layer-wise rates and gradual unfreezing."""

import pytest
import torch
from torch import nn

from action_units.config import NetworkSpec
from action_units.errors import ConfigurationError
from action_units.models.registry import build_network
from action_units.training.optim import (
    build_optimizer,
    check_unfreezing,
    freeze,
    rate_factors,
    set_rate,
)

SPEC = NetworkSpec(width=0.25, image_size=32)  # a stem, four stages and the head


class WithLooseParameter(nn.Module):
    """Two blocks, and a parameter that belongs to neither."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Parameter(torch.ones(1))
        self.body, self.head = nn.Linear(1, 1), nn.Linear(1, 1)

    def blocks(self):
        return [self.body, self.head]


def test_rates_fall_by_the_decay_from_block_to_block():
    network = build_network(SPEC, 3)
    factors = rate_factors(network, 0.5)
    for depth, block in enumerate(network.blocks()):
        assert {factors[p] for p in block.parameters()} == {0.5 ** (5 - depth)}
    assert set(factors) == set(network.parameters())
    assert set(rate_factors(network, 1.0).values()) == {1.0}


def test_parameters_of_no_block_go_with_the_first():
    network = WithLooseParameter()
    factors = rate_factors(network, 0.1)
    assert factors[network.embedding] == factors[network.body.weight] == pytest.approx(0.1)
    freeze(network, (0, 3), 1)
    assert not network.embedding.requires_grad


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_a_step_moves_each_block_by_its_rate(name):
    """Adam's first step is the rate itself, whatever the gradient's size."""
    network = build_network(SPEC, 3)
    optimizer = build_optimizer(name, network, 1.0, 0.0, rate_factors(network, 0.5))
    before = {p: p.detach().clone() for p in network.parameters()}
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    set_rate(optimizer, 0.01)
    optimizer.step()
    for depth, block in enumerate(network.blocks()):
        for parameter in block.parameters():
            moved = before[parameter] - parameter
            expected = torch.full_like(moved, 0.01 * 0.5 ** (5 - depth))
            assert torch.allclose(moved, expected, rtol=1e-3)


def trains(network):
    return [
        {p.requires_grad for p in block.parameters()} == {True} for block in network.blocks()
    ]


@pytest.mark.parametrize(
    ("starts", "epoch", "expected"),
    [
        ((), 0, [True] * 6),
        ((0,), 0, [True] * 6),
        ((0, 2), 0, [False] * 5 + [True]),
        ((0, 2), 1, [False] * 5 + [True]),
        ((0, 2), 2, [True] * 6),
        ((0, 1, 1, 4), 1, [False, False, False, True, True, True]),
        ((0, 1, 1, 4), 4, [True] * 6),
        ((0, 1, 2, 3, 4, 5), 4, [False] + [True] * 5),
    ],
)
def test_blocks_train_from_their_epoch_on(starts, epoch, expected):
    network = build_network(SPEC, 3)
    freeze(network, starts, epoch)
    assert trains(network) == expected


def test_a_block_thaws_again():
    network = build_network(SPEC, 3)
    freeze(network, (0, 1), 0)
    freeze(network.train(), (0, 1), 1)
    assert all(trains(network))
    assert all(m.training for m in network.modules())


def test_frozen_blocks_stay_as_they_are_to_the_last_bit():
    network = build_network(SPEC, 3)
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.running_mean.fill_(0.3)
    optimizer = build_optimizer("adamw", network, 0.1, 0.5)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    freeze(network.train(), (0, 0, 5), 4)
    for _ in range(3):
        network(torch.rand(8, 1, 32, 32)).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    after = network.state_dict()
    for name in before:
        moving = name.startswith(("head.", "backbone.stages.3."))
        assert torch.equal(before[name], after[name]) != moving, name


def test_more_epochs_than_blocks_are_refused():
    network = build_network(SPEC, 3)
    check_unfreezing(network, (0, 1, 2, 3, 4, 5))
    with pytest.raises(
        ConfigurationError, match=r"\[0, 1, 2, 3, 4, 5, 6\]; this network has 6"
    ):
        check_unfreezing(network, tuple(range(7)))
