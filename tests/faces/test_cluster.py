"""The same photographs on this machine's processes and on a Dask cluster on loopback."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import pytest

from action_units.config import ClusterSettings
from action_units.errors import ConfigurationError
from action_units.faces.crop import CropSettings, FaceSettings
from action_units.faces.preprocess import crop_photographs
from action_units.faces.workers import Workers
from action_units.media.sources import open_photographs

distributed = pytest.importorskip("distributed")

SETTINGS = FaceSettings(crop=CropSettings(max_size=64))


@pytest.fixture
def cluster(tmp_path):
    """The address of a scheduler, and its two workers' nannies, each a process of its own."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "OMP_NUM_THREADS": "1",
        "DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "critical",
    }
    file = tmp_path / "scheduler.json"
    scheduler = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--no-dashboard"]
    scheduler += ["--host", "127.0.0.1", "--port", "0"]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--no-dashboard"]
    worker += ["--nthreads", "1"]
    options = {"env": environment, "cwd": tmp_path, "stderr": subprocess.DEVNULL}
    started = [
        subprocess.Popen([*scheduler, "--scheduler-file", str(file)], **options),
        *(
            subprocess.Popen([*worker, "--scheduler-file", str(file)], **options)
            for _ in range(2)
        ),
    ]
    try:
        with distributed.Client(scheduler_file=str(file), timeout=60) as client:
            client.wait_for_workers(2, timeout=60)
            yield client
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait(30)


def many(folder, portraits, count):
    folder.mkdir()
    files = [cv2.imencode(".jpg", face)[1].tobytes() for face in portraits]
    for k in range(count):
        (folder / f"m.{k}_1-FaceId-0.jpg").write_bytes(files[k % 3])
    return folder


def compare(folder, tmp_path, client):
    """Crop on processes and on the cluster that loses a worker, and give both folders' files."""
    here = crop_photographs(
        open_photographs(folder),
        tmp_path / "here",
        tmp_path / "here.work",
        SETTINGS,
        Workers(2),
    )
    workers = Workers(
        cluster=ClusterSettings(engine="dask", address=client.scheduler_info()["address"])
    )
    process = _killed_soon(client)
    there = crop_photographs(
        open_photographs(folder), tmp_path / "there", tmp_path / "there.work", SETTINGS, workers
    )
    assert process not in client.run(os.getpid).values()
    assert len(client.run(os.getpid)) == 2  # its nanny has started another
    assert here.table.equals(there.table)
    assert len(here.table) == len(list(folder.iterdir()))
    return [
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("here", "there")
    ]


def _killed_soon(client):
    """The process of a worker, to be killed as soon as the cluster is at work."""
    process = next(iter(client.run(os.getpid).values()))

    def wait_and_kill():
        while not any(client.processing().values()):
            time.sleep(0.01)
        os.kill(process, signal.SIGKILL)

    threading.Thread(target=wait_and_kill, daemon=True).start()
    return process


def test_a_cluster_that_loses_a_worker_gives_the_same_bytes(cluster, tmp_path, portraits):
    folder = many(tmp_path / "photographs", portraits, 150)
    here, there = compare(folder, tmp_path, cluster)
    assert here == there


@pytest.mark.slow
def test_two_thousand_photographs_here_and_there(cluster, tmp_path, portraits):
    folder = many(tmp_path / "photographs", portraits, 2000)
    here, there = compare(folder, tmp_path, cluster)
    assert here == there


def test_a_scheduler_that_does_not_answer_is_named():
    cluster = ClusterSettings(
        engine="dask", address="tcp://127.0.0.1:9", options={"timeout": 1}
    )
    with (
        pytest.raises(
            ConfigurationError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1"
        ),
        Workers(cluster=cluster).executor(),
    ):
        pass
