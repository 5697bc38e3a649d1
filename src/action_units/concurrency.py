"""Threads that work side by side, and iterators that work ahead in them with bounded memory.

Each stage pulls from the one before it. An error in any thread is raised where the last stage
is consumed, and closing the last stage ends all threads.
"""

import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from itertools import repeat, takewhile
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")


@contextmanager
def one_thread_each(workers: int) -> Iterator[ThreadPoolExecutor]:
    """Threads for work that torch and OpenCV would otherwise spread over all cores by itself.

    Small operations lose much of the time when every one of them is spread; pieces of work side
    by side, each on one core, do not.

    Args:
        workers: How many threads.
    """
    import cv2  # here, so that commands that compute nothing start quickly

    with ExitStack() as stack:
        stack.callback(cv2.setNumThreads, cv2.getNumThreads())
        cv2.setNumThreads(1)
        one_thread = None
        if (torch := sys.modules.get("torch")) is not None:  # ONNX Runtime needs none
            stack.callback(torch.set_num_threads, torch.get_num_threads())
            one_thread = lambda: torch.set_num_threads(1)  # noqa: E731
        pool = ThreadPoolExecutor(workers, "work", one_thread)
        stack.callback(pool.shutdown, cancel_futures=True)
        yield pool


def prefetched(items: Iterator[T], ahead: int) -> Generator[T, None, None]:
    """Run an iterator in a thread of its own, at most `ahead` items before they are used.

    Args:
        items: Advanced, and if it is a generator closed, in that thread.
        ahead: The most items that wait.
    """
    end: Any = object()
    with ThreadPoolExecutor(1, "prefetch") as reader:
        try:
            read = in_order(reader, lambda _: next(items, end), repeat(None), ahead)
            with closing(read):
                yield from takewhile(lambda item: item is not end, read)
        finally:
            reader.submit(_close, items).result()


def in_order(
    pool: Executor, work: Callable[[T], R], items: Iterable[T], ahead: int
) -> Generator[R, None, None]:
    """Do work on items in a pool's threads and give the results in the items' order.

    Args:
        pool: Does the work.
        work: Done with each item.
        items: Taken in the thread that consumes.
        ahead: The most items that are in work, or done, before they are used.
    """
    submitted: deque[Future[R]] = deque()
    try:
        for item in items:
            submitted.append(pool.submit(work, item))
            if len(submitted) > ahead:
                yield submitted.popleft().result()
        while submitted:
            yield submitted.popleft().result()
    finally:
        for future in submitted:
            future.cancel()
        _close(items)


def _close(items: object) -> None:
    if isinstance(items, Generator):
        items.close()
