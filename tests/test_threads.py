"""Threads: how they wait, and that a limit holds for whatever computes."""

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner
from threadpoolctl import threadpool_info

from action_units.errors import ConfigurationError
from action_units.hooks import LimitThreads
from action_units.threads import cores, limited, thread_limit

WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
PLAIN = {name: value for name, value in os.environ.items() if name not in WAITING}


def python(script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script],
        env=PLAIN | variables,
        capture_output=True,
        text=True,
        check=True,
    )


@pytest.mark.skipif(sys.platform != "linux", reason="GNU OpenMP shows its settings")
def test_openmp_of_torch_and_scikit_learn_spins_only_for_a_moment():
    script = "import action_units, sklearn.isotonic, torch; torch.ones(9).sum()"
    shown = python(script, OMP_DISPLAY_ENV="verbose").stderr
    spins = [line for line in shown.splitlines() if "GOMP_SPINCOUNT" in line]
    assert spins  # of every OpenMP that was loaded
    assert all(line.endswith("'7000'") for line in spins)


@pytest.mark.parametrize("name", WAITING)
def test_what_the_user_set_stays(name):
    script = f"import action_units, os; print(*map(os.environ.get, {WAITING}))"
    seen = python(script, **{name: "1"}).stdout.split()
    assert seen == ["1" if name == other else "None" for other in WAITING]


def measured() -> dict[str, int]:
    """What each library would compute with in this thread, after it has computed."""
    np.ones((64, 64)) @ np.ones((64, 64))
    torch.ones(64, 64) @ torch.ones(64, 64)
    found = {pool["internal_api"]: pool["num_threads"] for pool in threadpool_info()}
    return found | {"torch": torch.get_num_threads(), "cv2": cv2.getNumThreads()}


@pytest.mark.skipif(cores() < 2, reason="one core")
def test_threads_holds_for_every_library_in_every_node_and_no_longer(monkeypatch):
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    torch.set_num_threads(2)
    cv2.setNumThreads(2)
    seen: list[object] = []

    def node(fails: bool) -> None:
        seen.append((set(measured().values()), thread_limit(), os.environ["OMP_NUM_THREADS"]))
        if fails:
            raise ConfigurationError("as it should")

    hooks = _create_hook_manager()
    hooks.register(LimitThreads())
    catalog = DataCatalog(
        {
            "params:threads": MemoryDataset(1),
            "yes": MemoryDataset(True),
            "no": MemoryDataset(False),
        }
    )
    for fails in ("no", "yes"):
        pipeline = Pipeline([Node(node, fails, None, name="node")])
        hooks.hook.before_pipeline_run(run_params={}, pipeline=pipeline, catalog=catalog)
        try:
            SequentialRunner().run(pipeline, catalog, hooks)
        except ConfigurationError:
            assert fails == "yes"
    assert seen == [({1}, 1, "1")] * 2
    assert (torch.get_num_threads(), cv2.getNumThreads(), thread_limit()) == (2, 2, None)
    assert "OMP_NUM_THREADS" not in os.environ


@pytest.mark.parametrize("threads", [0, -1, True, 1.0, "2"])
def test_a_wrong_number_of_threads_is_an_error(threads):
    with pytest.raises(ConfigurationError, match="whole number from 1"), limited(threads):
        pass


def test_none_changes_nothing():
    before = torch.get_num_threads(), cv2.getNumThreads()
    with limited(None):
        assert (torch.get_num_threads(), cv2.getNumThreads(), thread_limit()) == (*before, None)


@pytest.mark.parametrize("threads", [None, 1])
@pytest.mark.parametrize("busy", ["93.70", "12.00", None])
def test_a_run_on_busy_cores_is_told_of_one_thread(
    monkeypatch, tmp_path, caplog, threads, busy
):
    pressure = tmp_path / "cpu"
    if busy is not None:
        pressure.write_text(
            f"some avg10={busy} avg60=1.00 avg300=1.00 total=9\nfull avg10=0.00"
        )
    monkeypatch.setattr("action_units.threads._PRESSURE", pressure)
    monkeypatch.setattr("action_units.hooks.cores", lambda: 2)
    catalog = DataCatalog({"params:threads": MemoryDataset(threads)})
    LimitThreads().before_pipeline_run(catalog)
    told = [record.getMessage() for record in caplog.records]
    if busy == "93.70" and threads is None:
        assert len(told) == 1
        assert "in 94 % of" in told[0]
        assert "threads=1" in told[0]
    else:
        assert told == []
