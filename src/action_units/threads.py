"""How many CPU threads this process computes with: torch, OpenCV, BLAS and our own pools."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from action_units.errors import ConfigurationError

_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Read by libraries that are loaded later, such as torch's OpenMP."""

BUSY = 60.0
"""Percent of `waiting` from which cores count as busy; a run's own start stays far below."""

_PRESSURE = Path("/proc/pressure/cpu")
_limit: int | None = None


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def waiting() -> float:
    """For how much of the last ten seconds some program waited for a core, in percent.

    Linux counts it for the whole computer (pressure stall information); 0 elsewhere.
    """
    try:
        found = re.search(r"some avg10=([\d.]+)", _PRESSURE.read_text())
    except OSError:
        return 0.0
    return float(found[1]) if found else 0.0


def thread_limit() -> int | None:
    """The limit that holds here; None outside of `limited`."""
    return _limit


@contextmanager
def limited(threads: int | None) -> Iterator[None]:
    """Limit what computes in this thread, and the pools it makes; then restore the settings.

    OpenMP keeps its number of threads for each thread of Python, so enter this in the one
    that computes.

    Args:
        threads: The most threads; None changes nothing.

    Raises:
        ConfigurationError: It is neither None nor a whole number from 1.
    """
    global _limit
    if threads is None:
        yield
        return
    if type(threads) is not int or threads < 1:
        raise ConfigurationError(f"threads is {threads!r}; it must be a whole number from 1.")
    import cv2  # here, so that commands that compute nothing start quickly
    from threadpoolctl import threadpool_limits

    before = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
    limit_before, opencv_before = _limit, cv2.getNumThreads()
    torch = sys.modules.get("torch")
    torch_before = cores() if torch is None else torch.get_num_threads()
    _limit = threads
    try:
        os.environ.update(dict.fromkeys(_VARIABLES, str(threads)))
        cv2.setNumThreads(threads)
        if torch is not None:
            torch.set_num_threads(threads)
        with threadpool_limits(threads):
            yield
    finally:
        _limit = limit_before
        cv2.setNumThreads(opencv_before)
        if (torch := sys.modules.get("torch")) is not None:  # perhaps loaded in between
            torch.set_num_threads(torch_before)
        for name in _VARIABLES:
            os.environ.pop(name, None)
        os.environ.update(before)
