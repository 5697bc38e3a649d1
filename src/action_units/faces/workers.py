"""Where shards are worked on: processes of this machine, or a cluster.

Anything that gives a ``concurrent.futures.Executor`` will do. That interface of the
standard library names the task that failed, which is what retries need; joblib's does
not, and its Dask backend waits for ever for a task that killed its workers.
"""

import ctypes
import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from typing import Any, TypeVar

import cv2
from joblib.externals.loky import get_reusable_executor

from action_units.config import ClusterSettings
from action_units.errors import ActionUnitsError, ArtifactError, ConfigurationError
from action_units.extras import import_extra

Task = TypeVar("Task")
Result = TypeVar("Result")

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_WAITING_PER_WORKER = 3  # submitted at once: enough to keep a worker busy, and memory small


class WorkerDied(Exception):
    """The process that had a task died, or the cluster lost it."""


@dataclass(frozen=True)
class Workers:
    """Who does the work.

    Attributes:
        count: Processes; None takes one a processor, or all of a cluster's; 0 works
            in this process, where a file that crashes a decoder ends the run.
        engine: ``local``; ``dask``, a running Dask cluster; or ``module:name``, what
            is to be called for a ``concurrent.futures.Executor``.
        address: Of the Dask scheduler, such as ``tcp://10.0.0.1:8786``.
        options: Keyword arguments of the engine's client.
    """

    count: int | None = None
    engine: str = "local"
    address: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what cannot be; raises ConfigurationError."""
        if self.count is not None and (type(self.count) is not int or self.count < 0):
            raise ConfigurationError(f"workers={self.count!r} must be 0 or more.")
        ClusterSettings(engine=self.engine, address=self.address, options=dict(self.options))

    def alone(self) -> "Workers":
        """One process of this machine, for a task that may kill it."""
        return Workers(count=1)

    @contextmanager
    def executor(self) -> Iterator[tuple[Executor, int]]:
        """The engine, and how many tasks it can do at once.

        Raises:
            ConfigurationError: Its package is missing, or it cannot be reached.
        """
        if self.engine == "local":
            count = self.count or os.cpu_count() or 1
            executor = get_reusable_executor(
                max_workers=count, timeout=60, initializer=_end_with, initargs=(os.getpid(),)
            )
            try:
                yield executor, count
            except BaseException:  # a task may take minutes, and nobody waits for it
                executor.shutdown(kill_workers=True)
                raise
        elif self.engine == "dask":
            with self._dask() as found:
                yield found
        else:
            module, name = self.engine.split(":", 1)
            try:
                make = getattr(importlib.import_module(module), name)
            except (ImportError, AttributeError) as error:
                raise ConfigurationError(
                    f"engine={self.engine!r} cannot be had ({error}); install its package."
                ) from None
            with make(**self.options) as executor:
                yield executor, self.count or os.cpu_count() or 1

    @contextmanager
    def _dask(self) -> Iterator[tuple[Executor, int]]:
        distributed = import_extra("distributed", "dask", "engine=dask")
        try:
            client = distributed.Client(self.address, **self.options)
        except (OSError, TimeoutError) as error:
            raise ConfigurationError(
                f"no Dask scheduler answers at {self.address} ({error or 'time is up'}); start "
                "one with `dask scheduler` and workers with `dask worker`."
            ) from None
        with client:
            count = self.count or sum(client.ncores().values()) or 1
            yield client.get_executor(pure=False), count


def each(
    function: Callable[[Task], Result], tasks: Iterable[Task], workers: Workers | None = None
) -> Generator[tuple[Task, Result | WorkerDied], None, None]:
    """Do tasks, and give each with its result as soon as it is done, in any order.

    A few tasks a worker are submitted at once, so memory does not grow with their
    number. A process that dies takes all tasks with it that wait for any process of
    its pool; each is given with ``WorkerDied``, and the rest goes on in a new pool.

    Args:
        function: It and its tasks are pickled.
        tasks: Its arguments, taken as they are needed.
        workers: Who does the work; None takes a process for each processor.

    Raises:
        ConfigurationError: The engine cannot be had.
        Exception: What `function` raised.
    """
    workers = workers or Workers()
    source = iter(tasks)
    if workers.count == 0 and workers.engine == "local":
        for task in source:
            yield task, function(task)
        return
    while True:
        with workers.executor() as (executor, count):
            waiting: dict[Future[Any], Task] = {}
            try:
                broken = False
                while not broken:
                    while len(waiting) < count * _WAITING_PER_WORKER:
                        try:
                            task = next(source)
                        except StopIteration:
                            break
                        try:
                            future = executor.submit(_prepared, function, task)
                        except BrokenExecutor:
                            source, broken = chain([task], source), True
                            break
                        waiting[future] = task
                    if not waiting:
                        break
                    done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                    for future in done:
                        task = waiting.pop(future)
                        result = _result(future)
                        broken = broken or isinstance(result, WorkerDied)
                        yield task, result
                while waiting:  # their pool is gone or suspect
                    future, task = waiting.popitem()
                    yield task, _result(future)
                if not broken:
                    return
            finally:
                for future in waiting:
                    future.cancel()


def in_order(
    function: Callable[[Task], Result], tasks: Iterable[Task], workers: Workers | None = None
) -> Iterator[Result]:
    """Results of tasks in the tasks' order; those that are done early are kept back.

    Raises:
        ArtifactError: A process died, as for want of memory.
        Exception: As ``each``.
    """
    early: dict[int, Result] = {}
    following = 0
    with closing(each(_Numbered(function), enumerate(tasks), workers)) as results:
        for (number, _), result in results:
            if isinstance(result, WorkerDied):
                raise ArtifactError(
                    "a worker process was killed, perhaps for want of memory; run again with "
                    "fewer workers."
                )
            early[number] = result
            while following in early:
                yield early.pop(following)
                following += 1


@dataclass(frozen=True)
class _Numbered:
    function: Callable[[Any], Any]

    def __call__(self, task: tuple[int, Any]) -> Any:
        return self.function(task[1])


def _result(future: Future[Any]) -> Any:
    """What became of a task; raises what its function raised."""
    error = future.exception()
    if error is None:
        return future.result()
    # Only pools and clusters raise other errors than ours around a function that
    # gives its own back as they are; BrokenProcessPool and KilledWorker are such.
    if isinstance(error, ActionUnitsError) or not _is_of_engine(error):
        raise error
    return WorkerDied(str(error).splitlines()[0] if str(error) else type(error).__name__)


def _is_of_engine(error: BaseException) -> bool:
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & {"BrokenExecutor", "KilledWorker", "CancelledError"})


def _end_with(parent: int) -> None:
    """Let this process end with the run that started it, and not before.

    A terminal sends Ctrl-C and its own end to all processes; the run ends its workers then.
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _prepared(function: Callable[[Task], Result], task: Task) -> Result:
    """Do a task in a process that suits it.

    The processes are the parallelism; threads within them would only compete.
    """
    cv2.setNumThreads(1)
    _keep_freed_memory()
    return function(task)


@cache
def _keep_freed_memory() -> None:
    """Have glibc keep the memory of one picture for the next (mallopt(3)).

    By default it gives large blocks back at once and gets them page by page anew for
    every picture, which was a quarter of a detector's time.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            libc = ctypes.CDLL("libc.so.6")
            libc.mallopt(_M_MMAP_THRESHOLD, 32 << 20)  # the most it takes
            libc.mallopt(_M_TRIM_THRESHOLD, 512 << 20)
