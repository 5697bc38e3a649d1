"""The most memory that some work took."""

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass
class Peak:
    """Bytes, set when the work is done.

    Attributes:
        process: The most that this process had.
        workers: The sum of the most that each process had that it started and that still
            runs; 0 where the system does not tell.
        device: The most that torch had on a CUDA device; None without one.
    """

    process: int = 0
    workers: int = 0
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
        (_PROC / "self/clear_refs").write_text("5")  # the peak starts over: proc(5)
    if on_cuda:
        import torch  # where a GPU computes, it is loaded

        torch.cuda.reset_peak_memory_stats(device)
    yield peak
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 1 if sys.platform == "darwin" else 1024
    # Without /proc; the system's own figure may be of the program that started this one.
    peak.process = _high_water("self") or largest * unit
    for task in _PROC.glob("self/task/*/children"):
        with suppress(OSError):
            peak.workers += sum(map(_high_water, task.read_text().split()))
    if on_cuda:
        peak.device = torch.cuda.max_memory_allocated(device)


def _high_water(process: str) -> int:
    """The most resident bytes of a process, 0 where the system has no such file."""
    with suppress(OSError, StopIteration):
        lines = (_PROC / process / "status").read_text().splitlines()
        return 1024 * int(next(line for line in lines if line.startswith("VmHWM:")).split()[1])
    return 0
