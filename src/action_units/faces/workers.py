"""The processes that do the work: of this machine, or of a cluster.

Anything that gives a ``concurrent.futures.Executor`` can be the engine: that interface names
the task that failed, which retries need. joblib's does not, and its Dask backend waits for ever
for a task that killed its workers. On this machine it is loky's executor: the standard
library's cannot end a process in the middle of a task, so that Ctrl-C waited until the tasks
were done, and it runs the caller's main module again in each process.
"""

import ctypes
import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import chain
from typing import Any, TypeVar

import cv2
from loky import get_reusable_executor

from action_units.config import ClusterSettings
from action_units.errors import ArtifactError, ConfigurationError
from action_units.extras import import_extra

Task = TypeVar("Task")
Result = TypeVar("Result")

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_WAITING_PER_WORKER = 3  # submitted at once: enough to keep a worker busy, and memory small


class WorkerDied(Exception):
    """The process that had a task died, or the cluster lost it."""


@dataclass(frozen=True)
class Workers:
    """The processes that do the work.

    Attributes:
        count: How many; None takes one a processor, or all of a cluster's; 0 works in this
            process, where a file that crashes a decoder ends the run.
        cluster: Where they are.
    """

    count: int | None = None
    cluster: ClusterSettings = field(default_factory=ClusterSettings)

    def __post_init__(self) -> None:
        """Check the number; raises ConfigurationError."""
        if self.count is not None and (type(self.count) is not int or self.count < 0):
            raise ConfigurationError(f"workers={self.count!r} must be 0 or more.")

    @property
    def here(self) -> bool:
        """Whether the work is done in this process."""
        return self.count == 0 and self.cluster.engine == "local"

    @contextmanager
    def executor(self) -> Iterator[tuple[Executor, int]]:
        """The engine, and how many tasks it can do at once.

        Raises:
            ConfigurationError: Its package is missing, or it cannot be reached.
        """
        engine, count = self.cluster.engine, self.count or os.cpu_count() or 1
        if engine == "local":
            executor = get_reusable_executor(
                max_workers=count, timeout=60, initializer=_end_with, initargs=(os.getpid(),)
            )
            try:
                yield executor, count
            except BaseException:  # a task may take minutes, and its result is not needed
                executor.shutdown(kill_workers=True)
                _join_feeders()
                raise
        elif engine == "dask":
            with self._dask_client() as client:
                count = self.count or sum(client.ncores().values()) or 1
                yield client.get_executor(pure=False), count
        else:
            module, name = engine.split(":", 1)
            try:
                make = getattr(importlib.import_module(module), name)
            except (ImportError, AttributeError) as error:
                raise ConfigurationError(
                    f"engine={engine!r} cannot be imported ({error}); install its package."
                ) from None
            with make(**self.cluster.options) as executor:
                yield executor, count

    def _dask_client(self) -> Any:
        distributed = import_extra("distributed", "dask", "engine=dask")
        address = self.cluster.address
        try:
            return distributed.Client(address, **self.cluster.options)
        except (OSError, TimeoutError) as error:
            raise ConfigurationError(
                f"no Dask scheduler answers at {address} ({error or 'time is up'}); start "
                "one with `dask scheduler` and workers with `dask worker`."
            ) from None


def each(
    function: Callable[[Task], Result], tasks: Iterable[Task], workers: Workers | None = None
) -> Generator[tuple[Task, Result | WorkerDied], None, None]:
    """Do tasks, and yield each with its result as soon as it is done, in any order.

    A few tasks a worker are submitted at once, so memory does not grow with their number. A
    process that dies takes all tasks with it that wait for any process of its pool; each is
    yielded with ``WorkerDied``, and the others are done in a new pool.

    Args:
        function: It and its tasks are pickled.
        tasks: Its arguments, taken as they are needed.
        workers: The processes; None takes one for each processor.

    Raises:
        ConfigurationError: The engine is not available.
        Exception: What `function` raised.
    """
    workers = workers or Workers()
    source = iter(tasks)
    if workers.here:
        for task in source:
            yield task, function(task)
        return
    broken = True
    while broken:
        broken = False
        waiting: dict[Future[Any], Task] = {}
        with workers.executor() as (executor, count):
            try:
                while True:
                    while not broken and len(waiting) < count * _WAITING_PER_WORKER:
                        try:
                            task = next(source)
                        except StopIteration:
                            break
                        try:
                            waiting[executor.submit(_prepared, function, task)] = task
                        except BrokenExecutor:
                            source, broken = chain([task], source), True
                    if not waiting:
                        break
                    done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                    for future in done:
                        task = waiting.pop(future)
                        result = _result(future)
                        broken = broken or isinstance(result, WorkerDied)
                        yield task, result
            finally:
                for future in waiting:
                    future.cancel()


def in_order(
    function: Callable[[Task], Result], tasks: Iterable[Task], workers: Workers | None = None
) -> Iterator[Result]:
    """Results of tasks in the tasks' order; early ones wait for those before them.

    Raises:
        ArtifactError: A process died, for example because memory was full.
        Exception: As ``each``.
    """
    early: dict[int, Result] = {}
    following = 0
    with closing(each(partial(_unnumbered, function), enumerate(tasks), workers)) as results:
        for (number, _), result in results:
            if isinstance(result, WorkerDied):
                raise ArtifactError(
                    "a worker process was killed, perhaps because memory was full; run again "
                    "with fewer workers."
                )
            early[number] = result
            while following in early:
                yield early.pop(following)
                following += 1


def _unnumbered(function: Callable[[Task], Result], task: tuple[int, Task]) -> Result:
    return function(task[1])


def _result(future: Future[Any]) -> Any:
    """The result of a task; raises what its function raised."""
    error = future.exception()
    if error is None:
        return future.result()
    kinds = {kind.__name__ for kind in type(error).__mro__}  # of pools, and of Dask
    if not kinds & {"BrokenExecutor", "KilledWorker", "CancelledError"}:
        raise error
    return WorkerDied(str(error).splitlines()[0] if str(error) else type(error).__name__)


def _end_with(parent: int) -> None:
    """End this process with the run that started it, and not before.

    A terminal sends Ctrl-C and its own end to all processes; the run ends its workers then.
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _join_feeders() -> None:
    """Wait for the threads that fed a pool that was shut down.

    loky does not. One that ends while Python exits may be stopped between deleting a semaphore
    and saying so to loky's tracker, which then warns of it below the command's last line.
    """
    for thread in threading.enumerate():
        if thread.name == "QueueFeederThread":
            thread.join(timeout=1)


def _prepared(function: Callable[[Task], Result], task: Task) -> Result:
    """Do a task, with the process set up for it.

    The processes are the parallelism; threads within them would only compete.
    """
    cv2.setNumThreads(1)
    _keep_freed_memory()
    return function(task)


@cache
def _keep_freed_memory() -> None:
    """Let glibc keep the memory of one picture for the next (mallopt(3)).

    By default it returns large blocks to the system and gets them page by page for every
    picture, which was a quarter of a detector's time.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            libc = ctypes.CDLL("libc.so.6")
            libc.mallopt(_M_MMAP_THRESHOLD, 32 << 20)  # the most it takes
            libc.mallopt(_M_TRIM_THRESHOLD, 512 << 20)
