"""Training with the compiled network, and without a compiler."""

import shutil

import pytest
import torch

from action_units.config import NetworkSpec, Recipe
from action_units.errors import ConfigurationError
from action_units.models.registry import build_network
from action_units.training import device
from action_units.training.device import Machine, compiled
from tests.training.blobs import AUS, blobs, train
from tests.training.killed_run import weights_hash
from tests.training.test_checkpoints import Crash, crash, crash_after

SPEC = NetworkSpec(architecture="vgg13", width=0.0625, image_size=32, normalisation="batch")
FACES, LABELS = blobs()


def trained(mode, **arguments):
    return train(
        SPEC,
        Recipe(epochs=2, batch_size=20),
        FACES[:100],
        LABELS[:100],
        range(80),
        range(80, 100),
        AUS,
        seed=1,
        compilation=mode,
        **arguments,
    )


def test_none_is_the_network_itself():
    network = build_network(SPEC, 3)
    assert compiled(network, "none") is network


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch's compiler needs a C++ compiler")
def test_a_compiled_training_is_whole_made_once_and_the_same_up_to_rounding():
    from torch._dynamo.utils import counters

    counters.clear()
    eager, fused = trained("none"), trained("default")
    # One graph for all: each step has another dropout seed, and none makes it anew.
    assert counters["stats"]["unique_graphs"] == 1
    assert not counters["graph_break"]
    one, other = (
        torch.cat([value.flatten() for value in made.model.network.state_dict().values()])
        for made in (eager, fused)
    )
    # Adam makes of a gradient near zero, whose sign is rounding, a step like any other: on some
    # processors a few weights in ten thousand are apart.
    alike = torch.isclose(one, other, rtol=1e-2, atol=2e-4)
    assert alike.float().mean() > 0.998
    assert fused.model.provenance["training"]["machine"]["compilation"] == "default"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch's compiler needs a C++ compiler")
def test_a_compiled_training_that_was_killed_ends_the_same(monkeypatch, tmp_path):
    whole = weights_hash(trained("default"))
    with monkeypatch.context() as patch:
        crash_after(patch, 2, crash)  # of four steps an epoch
        with pytest.raises(Crash):
            trained("default", checkpoint_folder=tmp_path, checkpoint_seconds=0.0)
    torch.compiler.reset()
    assert weights_hash(trained("default", checkpoint_folder=tmp_path)) == whole


def test_a_compiler_that_fails_is_a_sentence(monkeypatch):
    error = type("InductorError", (RuntimeError,), {"__module__": "torch._inductor.exc"})

    def compile_(network, mode):
        def run(x):
            raise error("no g++ in sight\nand more")

        return run

    monkeypatch.setattr(device.torch, "compile", compile_)
    with pytest.raises(ConfigurationError, match=r"default, and .* \(no g\+\+ in sight\)"):
        trained("default")


def test_another_mode_on_resuming_is_warned_of(caplog):
    before = Machine("cpu", "fp32", 1, compilation="default")
    now = Machine("cpu", "fp32", 1).resumed(before.to_dict(), "auto")
    assert now.compilation == "none"
    assert "made with compilation default and continues with compilation none" in caplog.text
