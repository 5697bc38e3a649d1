"""Long work as a chain of iterators, in several threads, with bounded memory.

Each stage pulls from the one before. What a stage holds is bounded, so a video of any length
takes the same memory; an error in any thread is raised where the last stage is consumed,
and closing the last stage ends all threads.
"""

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_PATIENCE = 0.1  # seconds between two looks at whether anyone still wants more


@dataclass(frozen=True)
class _Ended:
    """The end of a prefetched iterator, and what it raised."""

    error: BaseException | None


def prefetched(items: Iterator[T], ahead: int) -> Generator[T, None, None]:
    """Run an iterator in a thread of its own, some items ahead of who consumes them.

    Args:
        items: Is advanced, and if it is a generator closed, in that thread.
        ahead: The most items that wait.
    """
    waiting: queue.Queue[T | _Ended] = queue.Queue(ahead)
    wanted = threading.Event()
    wanted.set()

    def put(item: T | _Ended) -> bool:
        while wanted.is_set():
            try:
                waiting.put(item, timeout=_PATIENCE)
            except queue.Full:
                continue
            return True
        return False

    def run() -> None:
        try:
            for item in items:
                if not put(item):
                    return
        except BaseException as error:  # is raised in the thread that consumes
            put(_Ended(error))
        else:
            put(_Ended(None))
        finally:
            if isinstance(items, Generator):
                items.close()

    thread = threading.Thread(target=run, name="prefetch", daemon=True)
    thread.start()
    try:
        while not isinstance(item := waiting.get(), _Ended):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        wanted.clear()
        thread.join()


def in_order(
    pool: Executor, work: Callable[[T], R], items: Iterable[T], ahead: int
) -> Generator[R, None, None]:
    """Do work on items in a pool's threads and give the results in the items' order.

    Args:
        pool: Who does it.
        work: What is done with each item.
        items: Taken in the thread that consumes.
        ahead: The most items that are worked on, or done, before they are wanted.
    """
    given: deque[Future[R]] = deque()
    try:
        for item in items:
            given.append(pool.submit(work, item))
            if len(given) > ahead:
                yield given.popleft().result()
        while given:
            yield given.popleft().result()
    finally:
        for future in given:
            future.cancel()
        close(items)


def close(items: object) -> None:
    """End a stage before its end, where it can be ended."""
    if isinstance(items, Generator):
        items.close()
