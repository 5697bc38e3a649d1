import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from action_units.config import Schedule
from action_units.errors import ConfigurationError
from action_units.training.optim import ExponentialAverage, build_optimizer, learning_rate

PAPER = Schedule(name="steps", warmup=0.0)


@pytest.mark.parametrize(
    ("epoch", "rate"),
    [(0, 0.005), (19, 0.005), (20, 0.0025), (39, 0.0025), (40, 0.0005), (299, 0.0005)],
)
def test_the_papers_schedule(epoch, rate):
    for step in (epoch * 10, epoch * 10 + 9):
        assert learning_rate(PAPER, 0.005, step, 3000, 10) == pytest.approx(rate)


def test_cosine_rises_then_falls_to_its_end():
    schedule = Schedule(warmup=0.1, final=0.02)
    rates = [learning_rate(schedule, 1.0, step, 200, 10) for step in range(200)]
    assert rates[:20] == pytest.approx([(step + 1) / 21 for step in range(20)])
    assert rates[20] == 1.0
    assert all(a >= b for a, b in pairwise(rates[20:]))
    assert rates[-1] == pytest.approx(0.02)
    middle = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * 80 / 179))
    assert rates[100] == pytest.approx(middle)


def test_a_training_of_one_step_has_a_rate():
    assert learning_rate(Schedule(), 1.0, 0, 1, 1) == 1.0


@pytest.mark.parametrize(
    ("steps", "warmup"), [(3, 0.5), (7, 0.3), (100, 0.05), (100, 0.3), (333, 0.75)]
)
def test_one_cycle_is_torchs(steps, warmup):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 0.02, total_steps=steps, pct_start=warmup, div_factor=10,
        final_div_factor=20, cycle_momentum=False,
    )  # fmt: skip
    schedule = Schedule(name="one_cycle", warmup=warmup, start=0.1, final=0.005)
    for step in range(steps):
        if step:
            optimizer.step()
            theirs.step()
        expected = theirs.get_last_lr()[0]
        assert learning_rate(schedule, 0.02, step, steps, 10) == pytest.approx(expected)


def test_one_cycle_begins_and_ends_where_it_should():
    schedule = Schedule(name="one_cycle", warmup=0.25, start=0.1, final=0.01)
    rates = [learning_rate(schedule, 2.0, step, 100, 10) for step in range(100)]
    assert (rates[0], max(rates), rates[-1]) == pytest.approx((0.2, 2.0, 0.02))
    assert rates.index(max(rates)) == 24
    assert learning_rate(schedule, 2.0, 0, 1, 1) == 2.0
    flat = Schedule(name="one_cycle", warmup=0.0)
    assert learning_rate(flat, 2.0, 0, 100, 10) == 2.0


def test_constant_stays():
    schedule = Schedule(name="constant", warmup=0.0)
    assert {learning_rate(schedule, 0.1, step, 50, 5) for step in range(50)} == {0.1}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"milestones": [20]}, "1 milestones and 2 factors"),
        ({"milestones": [40, 20]}, "must rise"),
        ({"start": 2}, "^start is 2; it must be a number from 0 to 1"),
        ({"name": "linear"}, "one of: constant, steps, cosine, one_cycle"),
    ],
)
def test_an_impossible_schedule_is_refused(options, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        Schedule.read(options)


def small():
    network = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 1)
    )
    for parameter in network.parameters():
        nn.init.ones_(parameter)
    return network


def test_weight_decay_spares_biases_and_norms():
    network = small()
    optimizer = build_optimizer("adamw", network, 0.1, 0.5)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for parameter in network.parameters():
        expected = 0.95 if parameter.ndim > 1 else 1.0
        assert torch.allclose(parameter, torch.full_like(parameter, expected))


def test_adam_has_no_decay():
    network = small()
    optimizer = build_optimizer("adam", network, 0.1, 0.5)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    assert all((p == 1).all() for p in network.parameters())


def test_the_average_follows_its_formula_and_the_running_statistics():
    network = small()
    averaged = ExponentialAverage(network, decay=0.5)
    expected = 1.0
    mean = 0.0
    for step in range(10):
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.fill_(float(step))
            network[1].running_mean.fill_(2.0 * step)
        averaged.update(step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * step
        mean = decay * mean + (1 - decay) * 2 * step
    assert averaged.network[3].bias.item() == pytest.approx(expected, rel=1e-5)
    assert averaged.network[1].running_mean[0].item() == pytest.approx(mean, rel=1e-5)
    assert not averaged.network.training
