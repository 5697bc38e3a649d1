"""Iterators that work ahead in threads, with bounded memory.

Each stage pulls from the one before it. An error in any thread is raised where the last stage
is consumed, and closing the last stage ends all threads.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import closing
from itertools import repeat, takewhile
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")


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
