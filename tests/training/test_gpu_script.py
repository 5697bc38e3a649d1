"""The GPU's benchmark goes through on the CPU, so that it is ready where there is a GPU."""

import pytest
import torch
from benchmarks.gpu import Graphed, Steps, Workload, main

from action_units.config import NetworkSpec


@pytest.mark.slow
def test_all_its_looks_go_through(capsys):
    main(["--smoke"])
    printed = capsys.readouterr().out
    looks = ("epochs", "data", "launches", "syncs", "trace")
    assert [line.split(":")[0] for line in printed.splitlines() if line[0] != " "] == [
        "smoke",
        *looks,
    ]


def test_steps_on_fixed_buffers_are_the_loops_own():
    """Without a GPU: the buffers, the seeds and the gradients around a recorded step."""
    workload = Workload(
        "cpu", NetworkSpec(architecture="vgg13", width=0.125, image_size=16), 64
    )
    eager, graphed = Steps(workload, 16, "fp32"), Graphed(workload, 16, "fp32")
    for _ in range(5):
        eager.whole()
        graphed.whole()
    assert torch.equal(eager.state.losses, graphed.state.losses)
    states = [steps.state.network.state_dict() for steps in (eager, graphed)]
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name]), name


def test_the_papers_network_needs_what_its_multiplications_say():
    """Forward: 3x3 convolutions and full connections, two operations each; backward: twice that."""
    layers = [(1, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 256)]
    layers += [(256, 256)] * 3
    sides = [64, 64, 32, 32, 16, 16, 16, 8, 8, 8]
    convolutions = [9 * a * b * side**2 for (a, b), side in zip(layers, sides, strict=True)]
    connected = [256 * 16 * 1024, 1024 * 1024, 1024 * 18]
    # The first layer needs no gradient of the picture.
    operations = 2 * (3 * sum(convolutions + connected) - convolutions[0])
    found = Workload("cpu", NetworkSpec(architecture="vgg13"), 1).gigaflops()
    assert abs(found - operations / 1e9) < 1e-6
