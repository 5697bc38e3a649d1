"""Trainings that torchrun starts, as on several computers."""

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from action_units.config import Augmentation, NetworkSpec, Recipe
from action_units.errors import ArtifactError, ConfigurationError
from action_units.models.model_files import plain_state
from action_units.training.job import TrainingJob
from action_units.training.launch import JobWritten, own_part
from action_units.training.state import NAME
from tests.training.blobs import AUS, blobs, train

SPEC = NetworkSpec(architecture="convnext", width=0.5, image_size=32)
RECIPE = Recipe(epochs=12, batch_size=18, augmentation=Augmentation(mixup=0.3, noise=0.1))
FACES, LABELS = blobs(n=150)


def run(folder=None, recipe=RECIPE, faces=FACES, **arguments):
    return train(
        SPEC, recipe, faces, LABELS, range(120), np.arange(150) >= 120, AUS, seed=3,
        device="cpu", precision="fp32", threads=1, checkpoint_folder=folder,
        checkpoint_seconds=0.0, provenance={"fold": 1}, **arguments,
    )  # fmt: skip


def torchrun(job, port):
    """One computer's torchrun."""
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1",
        "--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{port}",
        "--rdzv-conf=keep_alive_interval=1,keep_alive_max_attempt=3", "--max-restarts=3",
        "-m", "action_units.training.launch", str(job),
    ]  # fmt: skip
    # Without the second, torchrun never tells a computer that comes back where to meet.
    settings = {"GLOO_SOCKET_IFNAME": "lo", "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
    environment = {**os.environ, **settings}
    return subprocess.Popen(command, env=environment)


def lose(agent):
    """Kill a torchrun and the processes that it started, as a computer that is switched off."""
    children = Path(f"/proc/{agent.pid}/task/{agent.pid}/children").read_text().split()
    for pid in [agent.pid, *map(int, children)]:
        os.kill(pid, signal.SIGKILL)
    agent.wait()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def listening(port):
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


def written(folder, **arguments):
    with pytest.raises(JobWritten) as written:
        run(folder, devices="torchrun", **arguments)
    assert written.value.code == 0
    return written.value.folder


def steps_saved(folder):
    path = folder / NAME
    try:
        return torch.load(path, weights_only=True)["state"]["step"]
    except (OSError, RuntimeError, EOFError):  # not there yet
        return 0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="finds processes by /proc")
def test_a_computer_that_goes_and_comes_back_changes_nothing(tmp_path):
    job, port = written(tmp_path), free_port()
    agents = [torchrun(job, port)]
    deadline = time.monotonic() + 120
    try:
        while not listening(port):  # it keeps the list of computers, so it must stay
            assert time.monotonic() < deadline
            time.sleep(0.05)
        agents.append(torchrun(job, port))
        while steps_saved(tmp_path) < 10 and time.monotonic() < deadline:  # of 72
            time.sleep(0.02)
        lose(agents[1])
        assert 10 <= steps_saved(tmp_path) < 72
        time.sleep(6)  # a computer starts slower than torchrun notices that it is gone
        agents[1] = torchrun(job, port)
        assert [agent.wait(timeout=120) for agent in agents] == [0, 0]
    finally:
        for agent in agents:
            if agent.poll() is None:
                lose(agent)
    # The command that wrote the job takes its result, and tidies up.
    result = run(tmp_path, devices="torchrun")
    assert not job.exists()
    assert result.model.provenance["training"]["machine"]["devices"] == 2
    alone = run()
    states = [plain_state(r.model.network.state_dict()) for r in (result, alone)]
    for name, value in states[0].items():
        torch.testing.assert_close(value, states[1][name], rtol=0, atol=1e-5, msg=name)


def test_a_job_comes_back_as_it_was_written(tmp_path):
    np.save(tmp_path / "faces.npy", FACES)
    faces = np.load(tmp_path / "faces.npy", mmap_mode="r")
    initial = run(recipe=Recipe(epochs=1)).model
    names = [f"{number}.png" for number in range(150)]
    folder = written(tmp_path / "run", faces=faces, images=names, initial=initial)
    assert not (folder / "faces.npy").exists()  # the map's own file is named
    job = TrainingJob.read(folder)
    np.testing.assert_array_equal(job.faces, FACES)
    np.testing.assert_array_equal(job.images, names)
    assert (job.network_spec, job.recipe, job.seed) == (SPEC, RECIPE, 3)
    assert (job.provenance, job.description) == ({"fold": 1}, "Training")
    states = [plain_state(m.network.state_dict()) for m in (initial, job.initial)]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


@pytest.mark.parametrize("part", [slice(10, 160), slice(None, None, -1)])
def test_a_part_of_a_map_is_copied(tmp_path, part):
    faces = np.concatenate([FACES, FACES[:10]])
    np.save(tmp_path / "faces.npy", faces)
    mapped = np.load(tmp_path / "faces.npy", mmap_mode="r")[part][:150]
    job = TrainingJob.read(written(tmp_path / "run", faces=mapped))
    np.testing.assert_array_equal(job.faces, faces[part][:150])


def test_the_torchrun_command_is_logged(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        folder = written(tmp_path)
    assert f"-m action_units.training.launch {folder}" in caplog.text
    assert "the same command as now, without restart, continues" in caplog.text


def test_a_folder_without_a_job_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match="holds no training that this version can read"):
        TrainingJob.read(tmp_path)


def test_a_process_needs_a_place_and_a_device(tmp_path):
    job = TrainingJob.read(written(tmp_path))
    with pytest.raises(ConfigurationError, match="start it by `torchrun"):
        own_part(job, {})
    place = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}
    found, group = own_part(job, place)
    assert (group.rank, group.size, found.machine.device) == (3, 4, "cpu")
    with pytest.raises(ConfigurationError, match=r"5000 processes .* it has \d+ \(cpu\)"):
        own_part(job, {**place, "LOCAL_WORLD_SIZE": "5000"})
