"""How a command ends after a signal: with one line, and without temporary files."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from action_units.files import umask

INTERRUPTED = 128 + signal.SIGINT
"""The exit code after Ctrl-C, 130."""


class Terminated(SystemExit):
    """SIGTERM or SIGHUP arrived; the exit code is 143."""


@contextmanager
def orderly_end() -> Iterator[None]:
    """Run a command so that signals end it through its ``finally`` clauses, in one line.

    Ctrl-C ends with exit code 130, SIGTERM with 143. SIGHUP, which a closed terminal sends, is
    treated as SIGTERM unless ``nohup`` has it ignored. The umask gives files that other
    libraries write the permissions of our own.

    Raises:
        SystemExit: A signal arrived.
        ConfigurationError: ``ACTION_UNITS_SHARE_FILES`` has an unknown value.
    """
    before = {}
    mask = os.umask(umask())
    if threading.current_thread() is threading.main_thread():
        before[signal.SIGTERM] = signal.signal(signal.SIGTERM, _terminate)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            before[signal.SIGHUP] = signal.signal(signal.SIGHUP, _hang_up)
    try:
        yield
    except KeyboardInterrupt:
        _print_stopped("Ctrl-C")
        raise SystemExit(INTERRUPTED) from None
    except Terminated:
        _print_stopped("a signal")
        raise
    finally:
        os.umask(mask)
        for number, handler in before.items():
            signal.signal(number, handler)


def _terminate(number: int, _frame: FrameType | None) -> None:
    raise Terminated(128 + number)


def _hang_up(_number: int, _frame: FrameType | None) -> None:
    signal.raise_signal(signal.SIGTERM)  # for its present handler


def _print_stopped(what: str) -> None:
    print(
        f"Stopped by {what}; what was finished stays, nothing is half-written.", file=sys.stderr
    )
