"""One run a folder: a lock that the operating system drops with the process."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from action_units.errors import ArtifactError


@contextmanager
def locked(folder: Path | str, leftovers: str = "") -> Iterator[None]:
    """Keep a folder to one run, and sweep what a killed one left half-written.

    The operating system drops the lock of a process that dies, so none goes stale.

    Args:
        folder: Made where it is missing.
        leftovers: Pattern of the temporary names that a kill may have left in it.

    Raises:
        ArtifactError: Another process holds it, or the folder cannot be made.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise ArtifactError(
            f"{folder} cannot be written in ({error.strerror}); choose another folder."
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(descriptor, 200).decode(errors="replace").strip() or "another run"
            raise ArtifactError(
                f"{folder} is in use by {holder}; wait for it to end, stop it, or choose "
                "another folder."
            ) from error
        if leftovers:
            for orphan in folder.glob(leftovers):
                orphan.unlink(missing_ok=True)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
        yield
    finally:
        os.close(descriptor)
