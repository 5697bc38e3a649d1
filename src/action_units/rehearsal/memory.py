"""The most memory that some work took."""

import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass
class Peak:
    """Bytes, set when the work is done.

    Attributes:
        process: The most that this process had.
        worker: The most that any one of the processes had that it started.
        device: The most that torch had on a CUDA device; None without one.
    """

    process: int = 0
    worker: int = 0
    device: int | None = None


@contextmanager
def peak_memory(device: str = "cpu") -> Iterator[Peak]:
    """Measure the work inside; on Linux alone from its begin, elsewhere from the program's.

    Args:
        device: Where torch computes.
    """
    peak = Peak()
    on_cuda = device.startswith("cuda")
    with suppress(OSError):
        _RESET.write_text("5")  # the highest resident size starts over: proc(5)
    if on_cuda:
        import torch  # where a GPU computes, it is loaded

        torch.cuda.reset_peak_memory_stats(device)
    yield peak
    peak.process = _resident_peak()
    peak.worker = _worker_peak()
    if on_cuda:
        peak.device = torch.cuda.max_memory_allocated(device)


def free_disk(folder: Path) -> int:
    """Free bytes of the disk that a folder lies on."""
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def _resident_peak() -> int:
    if n_bytes := _high_water(_STATUS):
        return n_bytes
    return _in_bytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def _worker_peak() -> int:
    ended = _in_bytes(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
    running = [0]
    for listed in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):
            running += [
                _high_water(Path(f"/proc/{number}/status"))
                for number in listed.read_text().split()
            ]
    return max(*running, ended)


def _high_water(status: Path) -> int:
    """The most resident bytes of a process, 0 where the system has no such file."""
    with suppress(OSError, StopIteration):
        lines = status.read_text().splitlines()
        return 1024 * int(next(line for line in lines if line.startswith("VmHWM:")).split()[1])
    return 0


def _in_bytes(maxrss: int) -> int:
    return maxrss if sys.platform == "darwin" else 1024 * maxrss
