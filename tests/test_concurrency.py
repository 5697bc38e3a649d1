"""Chains of iterators in threads: order, bounds, errors, ends."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from action_units.concurrency import in_order, prefetched


@pytest.fixture
def pool():
    with ThreadPoolExecutor(4) as pool:
        yield pool


def test_results_come_in_order_whoever_is_slow(pool):
    def work(n):
        time.sleep(0.01 if n % 3 == 0 else 0)
        return n * n

    assert list(in_order(pool, work, range(40), 7)) == [n * n for n in range(40)]
    assert list(prefetched(iter(range(100)), 3)) == list(range(100))
    assert list(prefetched(iter(()), 3)) == []


def test_no_more_than_allowed_is_ahead(pool):
    taken = []

    def items():
        for n in range(50):
            taken.append(n)
            yield n

    for done, _ in enumerate(in_order(pool, lambda n: n, items(), 5), 1):
        assert len(taken) - done <= 5 + 1
    taken.clear()
    stream = prefetched(items(), 4)
    next(stream)
    time.sleep(0.2)
    assert len(taken) <= 1 + 4 + 1
    stream.close()


def test_an_error_of_any_stage_is_the_one_raised(pool):
    def broken():
        yield 1
        raise KeyError("frame 2")

    def odd(n):
        if n == 7:
            raise ValueError("seven")
        return n

    with pytest.raises(KeyError, match="frame 2"):
        list(prefetched(broken(), 2))
    with pytest.raises(ValueError, match="seven"):
        list(in_order(pool, odd, prefetched(iter(range(100)), 2), 3))
    with pytest.raises(KeyError, match="frame 2"):
        list(in_order(pool, odd, prefetched(broken(), 2), 3))


def test_closing_the_last_stage_ends_all_threads(pool):
    closed = threading.Event()

    def items():
        try:
            n = 0
            while True:
                yield (n := n + 1)
        finally:
            closed.set()

    before = threading.active_count()
    stream = in_order(pool, lambda n: n, prefetched(items(), 2), 2)
    assert next(stream) == 1
    stream.close()
    assert closed.wait(2)
    assert threading.active_count() <= before + 4  # the pool's own
    assert not [t for t in threading.enumerate() if t.name == "prefetch"]
