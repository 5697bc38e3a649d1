"""One process a folder.

The lock is ``filelock``'s: the operating system drops it with the process, so it cannot
outlive it. On a disk without such locks a file with the process's number, host and start
replaces it; the next process takes it over when that process does not run any more.
"""

import errno
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from action_units.errors import ArtifactError
from action_units.files import advice, make_folder, set_mode, sweep

logger = logging.getLogger(__name__)

RUN_LOCK = ".run.lock"
"""The lock that a whole run holds in its folders, besides those of its parts."""

_NO_LOCKS = {
    errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP,
}  # fmt: skip
_POLL = 0.25  # seconds
_SOFT = ".held"  # ends the name of a lock that is only a file


@contextmanager
def locked(folder: Path | str, *, name: str = ".lock", wait: bool = False) -> Iterator[None]:
    """Keep a folder to one process, and sweep what a killed one left half-written in it.

    Args:
        folder: Made where it is missing.
        name: Of the lock's file in it.
        wait: Wait for another process to end, in place of an error.

    Raises:
        ArtifactError: Another process holds it, or the folder cannot be written in.
    """
    folder = Path(folder)
    try:
        make_folder(folder)
        lock = _acquire(folder / name, wait)
    except Timeout as error:
        path = Path(error.lock_file)
        delete = f", delete {path} if it does not run any more" if path.suffix == _SOFT else ""
        raise ArtifactError(
            f"{folder} is in use by {_holder(path)}; wait for it to end, stop it{delete}, or "
            "choose another folder."
        ) from None
    except OSError as error:
        raise ArtifactError(
            f"{folder} cannot be written in ({error.strerror or error}). {advice(error)}"
        ) from error
    try:
        sweep(folder)
        yield
    finally:
        if not isinstance(lock, SoftFileLock):
            # filelock never takes a lock whose file was deleted: this is safe while it is held.
            with suppress(OSError):
                Path(lock.lock_file).unlink()
        lock.release()


def _acquire(path: Path, wait: bool) -> BaseFileLock:
    lock: BaseFileLock = FileLock(path, thread_local=False)
    try:
        _wait(lock, path, wait)
    except OSError as error:
        if isinstance(error, Timeout) or error.errno not in _NO_LOCKS:
            raise
        # Another name: the file of the failed lock must not count as held.
        path = path.with_name(path.name + _SOFT)
        lock = SoftFileLock(path, thread_local=False)
        _wait(lock, path, wait)
    if not isinstance(lock, SoftFileLock):  # that one writes the same itself
        path.write_text(f"{os.getpid()}\n{socket.gethostname()}\n")
    set_mode(path)
    return lock


def _wait(lock: BaseFileLock, path: Path, wait: bool) -> None:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if not wait:
            raise
        logger.info("%s is in use by %s; waiting for it", path.parent, _holder(path))
        lock.acquire(timeout=-1, poll_interval=_POLL)


def _holder(path: Path) -> str:
    """The process that a lock's file names."""
    try:
        process, host, *_ = path.read_text().splitlines()
    except (OSError, ValueError):
        return "another run"
    return f"process {process} on {host}"
