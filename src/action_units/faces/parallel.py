"""Ordered work in several processes, by joblib."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import cv2
from joblib import Parallel, delayed
from joblib.externals.loky.process_executor import TerminatedWorkerError

from action_units.errors import ArtifactError, ConfigurationError

Task = TypeVar("Task")
Result = TypeVar("Result")

_WAITING_PER_WORKER = 4


def map_in_order(
    function: Callable[[Task], Result], tasks: Sequence[Task], workers: int | None = None
) -> Iterator[Result]:
    """Apply a function in processes of their own; the results come in the tasks' order.

    Only a few tasks a worker are under way at once, so memory stays bounded. Each
    worker has one OpenCV thread. The workers are joblib's: fresh processes, never
    forks, and kept for the next call.

    Args:
        function: It and its tasks are pickled.
        tasks: Its arguments.
        workers: Processes; None takes one a processor; 1 works in this process.

    Raises:
        ConfigurationError: `workers` is below 1.
        ArtifactError: A worker was killed, as for want of memory.
    """
    count = (os.cpu_count() or 1) if workers is None else workers
    if count < 1:
        raise ConfigurationError(f"workers={workers} must be 1 or more.")
    count = min(count, len(tasks))
    if count <= 1:
        yield from map(function, tasks)
        return
    pool = Parallel(
        n_jobs=count,
        backend="loky",
        batch_size=1,
        pre_dispatch=count * _WAITING_PER_WORKER,
        return_as="generator",
    )
    try:
        yield from pool(delayed(_with_one_thread)(function, task) for task in tasks)
    except TerminatedWorkerError as error:
        raise ArtifactError(
            "a worker process was killed, perhaps for want of memory; run again with fewer "
            "workers."
        ) from error


def _with_one_thread(function: Callable[[Task], Result], task: Task) -> Result:
    """The processes are the parallelism; threads within them would only compete."""
    cv2.setNumThreads(1)
    return function(task)
