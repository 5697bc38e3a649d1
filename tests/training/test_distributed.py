"""Several processes on the CPU train as one does."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import nn

from action_units.config import Augmentation, NetworkSpec, Recipe
from action_units.errors import ArtifactError, ConfigurationError
from action_units.models.model_files import plain_state
from action_units.progress import Progress
from action_units.training.distributed import (
    LostProcessError,
    ProcessGroup,
    SharedBatchNorm,
    split,
)
from action_units.training.interruption import Interrupted
from action_units.training.launch import check_exits
from action_units.training.launchers import check_launcher
from action_units.training.state import NAME
from tests.training.blobs import AUS, blobs, train

SPEC = NetworkSpec(architecture="convnext", width=0.5, image_size=32)  # with dropout
# Parts of 10 and 8 faces, and pairs that must stay together.
RECIPE = Recipe(epochs=3, batch_size=18, augmentation=Augmentation(mixup=0.3, noise=0.1))
FACES, LABELS = blobs(n=150)
LABELS = LABELS.astype(float)
LABELS[:40, 1] = -1  # so that a mean over a part is not the mean over the batch


def run(folder=None, devices=1, recipe=RECIPE, spec=SPEC, **arguments):
    arguments = {"checkpoint_seconds": None, "threads": 1, "device": "cpu", **arguments}
    return train(
        spec, recipe, FACES, LABELS, range(120), range(120, 150), AUS, seed=3,
        precision="fp32", checkpoint_folder=folder, devices=devices, **arguments,
    )  # fmt: skip


def assert_same(result, other):
    states = [plain_state(r.model.network.state_dict()) for r in (result, other)]
    for name, value in states[0].items():
        torch.testing.assert_close(value, states[1][name], rtol=0, atol=1e-5, msg=name)
    assert result.curve.train_loss.tolist() == pytest.approx(
        other.curve.train_loss.tolist(), abs=1e-5
    )


def children():
    """Process numbers of this process's children, other tests' idle workers among them."""
    pid = os.getpid()
    found = set()
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        found |= {int(number) for number in path.read_text().split()}
    return found


def when(condition, act):
    """Act once, from another thread, as soon as a condition holds."""

    def wait():
        while not condition():
            time.sleep(0.01)
        act()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def test_two_processes_normalise_over_the_whole_batch():
    """Adam can make a weight of the rounding of a gradient that is zero, so go by losses."""
    spec = NetworkSpec(architecture="residual", width=0.5, image_size=32)
    # At a higher rate, rounding grows beyond 2e-5 on some processors.
    recipe = RECIPE.model_copy(update={"epochs": 2, "learning_rate": 3e-4})
    one, two = (run(spec=spec, recipe=recipe, devices=devices) for devices in (1, 2))
    for column in ("train_loss", "validation_loss"):
        losses = one.curve[column].tolist()
        assert two.curve[column].tolist() == pytest.approx(losses, abs=2e-5)
    assert two.curve.best.tolist() == one.curve.best.tolist()
    assert two.model.provenance["training"]["machine"]["devices"] == 2


def test_a_run_that_one_process_began_is_ended_by_two(tmp_path, monkeypatch):
    """In the weights of one, with dropout, mixup and missing labels."""
    steps = []

    def advance(self, amount, note=""):
        steps.append(amount)
        if len(steps) == 8:  # of 18; 6 an epoch
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(Progress, "advance", advance)
        with pytest.raises(Interrupted) as stopped:
            run(tmp_path)
    assert stopped.value.code == 143
    assert len(steps) == 8
    assert_same(run(tmp_path, devices=2), run())


@pytest.mark.slow
def test_a_run_that_two_processes_began_is_ended_by_one(tmp_path):
    recipe = Recipe(epochs=10, batch_size=18)
    thread = when((tmp_path / NAME).exists, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Interrupted) as stopped:
        run(tmp_path, devices=2, recipe=recipe, checkpoint_seconds=0.0)
    thread.join()
    assert stopped.value.code == 143
    saved = torch.load(tmp_path / NAME, weights_only=True)["state"]
    assert 0 < saved["step"] < 60
    assert saved["machine"]["devices"] == 2
    assert_same(run(tmp_path, recipe=recipe), run(recipe=recipe))


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds processes by /proc")
def test_a_process_that_is_killed_ends_the_others_with_a_sentence(tmp_path):
    before = children()

    def kill_the_second():
        os.kill(max(children() - before), signal.SIGKILL)

    thread = when((tmp_path / NAME).exists, kill_the_second)
    with pytest.raises(LostProcessError, match=r"Process \d of 2 was killed by signal 9, and"):
        run(tmp_path, devices=2, recipe=Recipe(epochs=2000, batch_size=18))
    thread.join()
    assert children() <= before


def test_a_signal_after_all_have_finished_is_raised(tmp_path):
    check_exits(tmp_path, [0, 0], None)
    with pytest.raises(Interrupted) as stopped:
        check_exits(tmp_path, [0, 0], signal.SIGINT)
    assert stopped.value.code == 130


@pytest.mark.slow
def test_a_process_error_keeps_its_class(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    run(tmp_path / "checkpoints", recipe=Recipe(epochs=1))
    with pytest.raises(ArtifactError, match=r"belongs to another training: recipe\.epochs"):
        run(tmp_path / "checkpoints", devices=2, recipe=Recipe(epochs=2))
    with pytest.raises(ConfigurationError, match="batch of 1 faces is too small for 2"):
        run(devices=2, recipe=Recipe(batch_size=1, epochs=1))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"devices": 0}, "devices is 0; it must be a whole number from 1 or torchrun, or null"),
        ({"devices": "two"}, "devices is 'two'"),
        ({"devices": 10_000}, r"devices is 10000; this computer has \d+ cores to train on"),
        ({"devices": 2, "device": "cuda:0"}, "device is cuda:0, one device"),
        ({"devices": "torchrun"}, "give a checkpoint_folder"),
    ],
)
def test_impossible_devices_are_an_error(arguments, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        run(**arguments)


@pytest.mark.parametrize(
    ("variable", "launcher"),
    [("WORLD_SIZE", "torchrun"), ("OMPI_COMM_WORLD_SIZE", "mpirun")],
)
def test_a_launcher_that_runs_the_catalog_on_every_process_is_refused(variable, launcher):
    with pytest.raises(ConfigurationError, match=rf"{launcher} has started 4.*devices=N"):
        check_launcher({variable: "4"})
    check_launcher({variable: "1"})
    check_launcher({})


@pytest.mark.parametrize(("n", "count", "unit"), [(32, 2, 1), (31, 4, 2), (7, 3, 2), (5, 8, 1)])
def test_parts_cover_all_and_keep_pairs_together(n, count, unit):
    cut = split(n, count, unit)
    assert [place for part in cut for place in range(n)[part]] == list(range(n))
    assert all(part.start % unit == 0 or part.start == n for part in cut)
    sizes = [part.stop - part.start for part in cut]
    assert max(sizes) - min(sizes) <= unit


@pytest.fixture
def one_process(tmp_path):
    dist.init_process_group(
        "gloo", init_method=f"file://{tmp_path / 'meeting'}", rank=0, world_size=1
    )
    yield ProcessGroup(0, 1)
    dist.destroy_process_group()


def test_shared_statistics_of_one_process_are_batch_normalisation(one_process):
    torch.manual_seed(0)
    x = (torch.randn(6, 5, 4, 3) * 3 + 100).requires_grad_()
    layer, own = nn.BatchNorm2d(5), nn.BatchNorm2d(5)
    for norm in (layer, own):
        nn.init.uniform_(norm.weight, generator=torch.Generator().manual_seed(1))
        nn.init.uniform_(norm.bias, generator=torch.Generator().manual_seed(2))
    shared = SharedBatchNorm(layer, one_process)
    slope = torch.randn(6, 5, 4, 3)
    results = []
    for norm in (shared, own):
        y = norm(x)
        gradients = torch.autograd.grad(y, [x, norm.weight, norm.bias], slope)
        results.append([y, *gradients, *norm.buffers()])
    for got, wanted in zip(*results, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-5, atol=1e-5)
    assert shared.weight is layer.weight
    assert shared.running_var is layer.running_var
    torch.testing.assert_close(shared.eval()(x), own.eval()(x))
