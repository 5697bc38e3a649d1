"""The GPU's benchmark goes through on the CPU, so that it is ready where there is a GPU."""

import pytest
import torch
from benchmarks.gpu import LOOKS, each_look
from benchmarks.gpu_steps import Graphed, Steps
from benchmarks.gpu_workloads import Setup, Workload, large, papers

from action_units.config import NetworkSpec

SETUP = Setup()


@pytest.mark.slow
@pytest.mark.parametrize(
    # torch's compiler takes minutes; test_compilation.py has it.
    "name",
    [name for name in LOOKS if not name.startswith("compiled")],
)
def test_each_look_goes_through(name, capsys):
    LOOKS[name](SETUP)
    printed = capsys.readouterr().out
    first, *lines = printed.splitlines()
    assert first.startswith(f"{name}:")
    assert lines
    assert "failed" not in printed


@pytest.mark.slow
def test_a_look_that_fails_or_hangs_leaves_the_others_their_turn(capfd):
    each_look(["unknown", "syncs"], SETUP, limit=300)
    printed = capfd.readouterr().out
    assert "unknown failed, exit code 1" in printed
    assert "syncs done" in printed
    each_look(["syncs"], SETUP, limit=0.01)
    assert "syncs stopped, it took too long" in capfd.readouterr().out


@pytest.mark.parametrize("make", [papers, lambda setup: large(setup, 64)])
def test_steps_on_fixed_buffers_are_the_loops_own(make):
    """Without a GPU: the buffers, the seeds and the gradients around a recorded step."""
    workload = make(SETUP)
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
    operations = 2 * 3 * sum(convolutions + connected)
    found = Workload("cpu", NetworkSpec(architecture="vgg13"), 1).gigaflops()
    assert abs(found - operations / 1e9) < 1e-6


def test_a_depthwise_convolution_counts_once_for_each_channel():
    """ConvNeXt V2 of the size tiny: 4.47 G multiplications at 224 pixels (Woo et al. 2023)."""
    spec = NetworkSpec(architecture="convnextv2_tiny", channels=3, image_size=224)
    assert abs(Workload("cpu", spec, 1).gigaflops() / 6 - 4.47) < 0.03
