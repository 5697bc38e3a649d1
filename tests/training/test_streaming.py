"""Faces read in blocks while others are trained on."""

import os
import signal

import numpy as np
import pytest
import torch

from action_units.config import NetworkSpec, Recipe
from action_units.errors import ConfigurationError
from action_units.progress import Progress
from action_units.training import streaming
from action_units.training.context import TrainingContext
from action_units.training.data import check_data
from action_units.training.device import DeviceMemoryError
from action_units.training.interruption import Interrupted
from action_units.training.randomness import block_order
from action_units.training.streaming import StreamedFaces, Windows, should_stream
from tests.training.blobs import AUS, blobs, train
from tests.training.killed_run import weights_hash

SPEC = NetworkSpec(width=0.5, image_size=32)
RECIPE = Recipe(epochs=3, batch_size=20)
FACES, LABELS = blobs()
CPU = torch.device("cpu")


@pytest.fixture
def small_windows(monkeypatch):
    """Windows of 3 blocks of 16 faces."""
    monkeypatch.setattr(streaming, "BLOCK", 16)
    monkeypatch.setattr(streaming, "WINDOW_BYTES", 3 * 16 * 32 * 32)


@pytest.fixture
def mapped(tmp_path):
    np.save(tmp_path / "faces.npy", FACES)
    return np.load(tmp_path / "faces.npy", mmap_mode="r")


def run(faces=FACES, recipe=RECIPE, **arguments):
    return train(
        SPEC, recipe, faces, LABELS, range(160), range(160, 200), AUS, seed=1, device="cpu",
        precision="fp32", threads=1, **arguments,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("n", "block", "blocks"), [(160, 16, 3), (151, 16, 3), (7, 16, 2), (96, 16, 3), (50, 1, 1)]
)
def test_an_order_of_blocks_shows_each_face_once(n, block, blocks):
    orders = [block_order(seed, epoch, n, block, blocks) for seed, epoch in ((0, 0), (0, 1))]
    for order in orders:
        assert torch.equal(order.sort().values, torch.arange(n))
    if n > 7:
        assert not torch.equal(*orders)
    assert torch.equal(orders[0], block_order(0, 0, n, block, blocks))


def test_a_window_holds_the_faces_of_a_few_blocks_in_any_order():
    order = block_order(5, 2, 1000, 10, 4)
    for start in range(0, 1000, 40):
        faces = order[start : start + 40].numpy()
        runs = 1 + (np.diff(np.sort(faces)) > 1).sum()
        assert runs <= 5  # one block may go around the end
        assert not (np.diff(faces) == 1).all()
    first = order[:40].numpy()
    assert np.sort(first).tolist() != first.tolist()


def test_every_block_may_come_first_and_last():
    first = {int(block_order(1, epoch, 64, 8, 2)[0]) // 8 for epoch in range(80)}
    last = {int(block_order(1, epoch, 61, 8, 7)[-1]) // 8 for epoch in range(80)}
    assert first == last == set(range(8))


@pytest.mark.parametrize("first", [0, 40, 100, 139])
def test_a_stream_gives_the_faces_in_order_from_anywhere(mapped, first):
    rows = np.setdiff1d(np.arange(200), np.arange(0, 200, 7))[:150]
    windows = Windows(16, 3)
    order = block_order(0, 0, 150, 16, 3)
    stream = StreamedFaces(mapped, rows, windows, 32, CPU)
    stream.start_epoch(order, first)
    wanted = torch.from_numpy(FACES[rows])[order]
    for start in range(first, 150, 37):  # batches across the ends of windows
        places = slice(start, min(start + 37, 150))
        assert torch.equal(stream[places], wanted[places])


def test_a_batch_may_be_larger_than_a_window(mapped):
    order = block_order(0, 0, 200, 8, 2)
    stream = StreamedFaces(mapped, np.arange(200), Windows(8, 2), 32, CPU)
    stream.start_epoch(order, 0)
    assert torch.equal(stream[slice(0, 190)], torch.from_numpy(FACES)[order[:190]])


def test_streamed_faces_train_as_those_in_memory_in_the_same_order(
    mapped, small_windows, monkeypatch
):
    streamed = run(mapped, faces_in_memory="blocks")
    faces_of = TrainingContext.faces_of

    def in_blocks(self, epoch):
        object.__setattr__(self, "windows", Windows(16, 3))
        try:
            return faces_of(self, epoch)
        finally:
            object.__setattr__(self, "windows", None)

    with monkeypatch.context() as patch:
        patch.setattr(TrainingContext, "faces_of", in_blocks)
        resident = run(faces_in_memory="always")
    assert weights_hash(streamed) == weights_hash(resident)
    assert weights_hash(streamed) != weights_hash(run())


def test_a_streamed_run_resumes_exactly_within_an_epoch(
    tmp_path, mapped, small_windows, monkeypatch
):
    steps = []

    def advance(self, amount, note=""):
        steps.append(amount)
        if len(steps) == 13:  # 8 an epoch
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(Progress, "advance", advance)
        with pytest.raises(Interrupted):
            run(mapped, faces_in_memory="blocks", checkpoint_folder=tmp_path / "run")
    with pytest.raises(ConfigurationError, match="was made with blocks, which order faces"):
        run(mapped, faces_in_memory="always", checkpoint_folder=tmp_path / "run")
    resumed = run(mapped, checkpoint_folder=tmp_path / "run")  # auto goes on as it began
    assert weights_hash(resumed) == weights_hash(run(mapped, faces_in_memory="blocks"))


def test_faces_of_another_size_are_resized_alike(tmp_path, small_windows):
    faces, _ = blobs(n=200, size=64)
    rows = np.arange(150)
    order = torch.arange(150)
    stream = StreamedFaces(faces, rows, Windows(16, 3), 32, CPU)
    stream.start_epoch(order, 0)
    whole = streaming.resized(torch.from_numpy(faces[:150]), 32)
    assert torch.equal(stream[slice(0, 50)], whole[:50])


def test_auto_streams_what_would_take_half_of_the_memory(monkeypatch):
    data = check_data(FACES, LABELS, range(160), range(160, 200), AUS)
    bytes_needed = 200 * 32 * 32
    for free, streams in ((1.9 * bytes_needed, True), (2.1 * bytes_needed, False)):
        monkeypatch.setattr(streaming, "free_memory", lambda device, free=free: free)
        assert should_stream("auto", data, 32, CPU) is streams
        assert should_stream("always", data, 32, CPU) is False
        assert should_stream("blocks", data, 32, CPU) is True


def test_faces_that_do_not_fit_are_a_readable_error(monkeypatch):
    def full(*_arguments):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(streaming, "upload", full)
    with pytest.raises(DeviceMemoryError, match=r"for 200 faces of 32 × 32 .* to blocks"):
        run(faces_in_memory="always")


def test_windows_follow_from_the_size_of_a_face():
    assert Windows.of(np.empty((9, 64, 64), np.uint8)) == Windows(1024, 16)
    assert Windows.of(np.empty((9, 224, 224), np.uint8)) == Windows(1024, 2)


def test_free_memory_is_known_here():
    assert streaming.free_memory(CPU) > 2**20
