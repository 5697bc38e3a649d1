"""Stopping by a signal at the next step."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupted(SystemExit):
    """A signal stopped the training; the exit code is 128 + the signal, 143 or 130."""

    def __init__(self, number: int) -> None:
        """Take the signal's number."""
        super().__init__(128 + number)
        self.signal = signal.Signals(number)


class StopRequest:
    """Whether a signal has arrived."""

    def __init__(self) -> None:
        """No signal yet."""
        self.number: int | None = None

    def receive(self, number: int, _frame: FrameType | None) -> None:
        """Record the signal; SIGHUP is SIGTERM, and a second SIGINT does not wait."""
        if self.number is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.number = signal.SIGTERM if number == signal.SIGHUP else number


@contextmanager
def stop_request() -> Iterator[StopRequest]:
    """Record SIGTERM, SIGINT and SIGHUP instead of ending at once.

    Python lets only the main thread handle signals; in another thread nothing changes
    and the request stays empty.

    Yields:
        The request, to be read between steps.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    numbers = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, request.receive) for number in numbers}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
