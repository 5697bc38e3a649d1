"""The most memory that some work took is seen, also after it was given back."""

import subprocess
import sys

import numpy as np
import pytest

from action_units.rehearsal.memory import peak_memory

MIB = 1 << 20


@pytest.mark.skipif(sys.platform != "linux", reason="other systems cannot start over")
def test_a_peak_counts_the_work_inside_alone():
    with peak_memory() as before:
        np.ones(300 * MIB, np.uint8)
    with peak_memory() as small:
        np.ones(10 * MIB, np.uint8)
    assert before.process - small.process > 200 * MIB
    assert small.device is None


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell")
def test_the_memory_of_worker_processes_adds_up():
    with peak_memory() as before:
        pass
    code = f"x = b'1' * {100 * MIB}; print(flush=True); input()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    workers = [subprocess.Popen([sys.executable, "-c", code], **pipes) for _ in range(2)]
    for worker in workers:
        worker.stdout.readline()
    with peak_memory() as peak:
        pass
    for worker in workers:
        worker.communicate(b"\n")
    assert peak.workers - before.workers > 200 * MIB
