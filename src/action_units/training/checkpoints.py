"""The complete state of a training on disk, whole at every moment.

A checkpoint is one file beside its manifest. It is replaced atomically, so a kill at any
time, also in mid-save, leaves the last whole one. It knows what it belongs to, and is
refused, with the difference named, by a run of another kind.
"""

import fcntl
import io
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import torch

from action_units.errors import ArtifactError
from action_units.files import atomic_artifact, manifest_of, verify

SCHEMA = 1
NAME = "checkpoint.pt"
RESTART = "Start over with restart=True (`--params restart=true`), or choose another folder."

Content = dict[str, Any]


def save_checkpoint(folder: Path | str, identity: Mapping[str, Any], state: Content) -> Path:
    """Write a checkpoint in place of the last one.

    Args:
        folder: Its folder.
        identity: What the training is of, in plain values; compared at resume.
        state: Tensors and plain values.

    Returns:
        The file.

    Raises:
        ArtifactError: The disk refused; the previous checkpoint is untouched.
    """
    path = Path(folder) / NAME
    # In memory first: torch's own writer hides the reason when a disk is full.
    content = io.BytesIO()
    torch.save({"schema": SCHEMA, "identity": dict(identity), "state": state}, content)
    with atomic_artifact(path) as file:
        file.write(content.getbuffer())
    return path


def load_checkpoint(folder: Path | str, identity: Mapping[str, Any]) -> Content | None:
    """Read the checkpoint of a training, if there is one.

    Args:
        folder: Its folder.
        identity: What the training is of.

    Returns:
        The state, on the CPU, or None where there is no checkpoint.

    Raises:
        ArtifactError: It is damaged, unreadable, or of another training.
    """
    path = Path(folder) / NAME
    if not path.exists():
        # A lone manifest is left by a kill inside the very first save.
        return None
    try:
        verify(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
        schema, found, state = content["schema"], content["identity"], content["state"]
    except ArtifactError as error:
        raise ArtifactError(f"{error} {RESTART}") from error
    except Exception as error:  # whatever torch makes of a file that is not ours
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ArtifactError(
            f"{path} is whole but is not a checkpoint of this project ({reason}). {RESTART}"
        ) from error
    if schema != SCHEMA:
        raise ArtifactError(
            f"{path} has schema {schema} and this version reads {SCHEMA}. {RESTART}"
        )
    differences = list(_differences(found, identity))
    if differences:
        raise ArtifactError(
            f"{path} belongs to another training: {'; '.join(differences)}. {RESTART}"
        )
    return dict(state)


def delete_checkpoint(folder: Path | str) -> None:
    """Forget a training."""
    path = Path(folder) / NAME
    path.unlink(missing_ok=True)
    manifest_of(path).unlink(missing_ok=True)


@contextmanager
def locked(folder: Path | str) -> Iterator[None]:
    """Keep a folder to one training, and sweep what a killed one left half-written.

    The operating system drops the lock of a process that dies, so none goes stale.

    Raises:
        ArtifactError: Another process holds it, or the folder cannot be made.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise ArtifactError(
            f"{folder} cannot hold checkpoints ({error.strerror}); choose another folder."
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
        for orphan in folder.glob(f".{NAME}*.*"):
            orphan.unlink(missing_ok=True)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _differences(found: Any, wanted: Any, name: str = "") -> Iterator[str]:
    """What differs between two nested plain dicts, by dotted name."""
    if isinstance(found, Mapping) and isinstance(wanted, Mapping):
        for key in sorted({*found, *wanted}):
            inner = f"{name}.{key}" if name else str(key)
            yield from _differences(found.get(key), wanted.get(key), inner)
    elif _plain(found) != _plain(wanted):
        yield f"{name} was {_short(found)} and is now {_short(wanted)}"


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _short(value: Any) -> str:
    text = repr(_plain(value))
    return text if len(text) <= 60 else text[:57] + "..."


class Checkpoints:
    """The checkpoints of one run, from lock to last save; does nothing without a folder."""

    def __init__(
        self, folder: Path | str | None, identity: Mapping[str, Any], seconds: float | None
    ) -> None:
        """Choose where and how often.

        Args:
            folder: Its folder, or None to keep nothing.
            identity: What the training is of.
            seconds: Time between saves within an epoch; None for none.
        """
        self.folder = None if folder is None else Path(folder)
        self.identity, self.seconds = identity, seconds
        self._stack = ExitStack()
        self._saved = time.monotonic()

    def __enter__(self) -> Self:
        """Lock the folder."""
        if self.folder is not None:
            self._stack.enter_context(locked(self.folder))
        return self

    def __exit__(self, *_error: object) -> None:
        """Unlock it."""
        self._stack.close()

    def load(self, restart: bool) -> Content | None:
        """The state to go on from, or None; with ``restart`` it is deleted instead."""
        if self.folder is None:
            return None
        if restart:
            delete_checkpoint(self.folder)
        return load_checkpoint(self.folder, self.identity)

    @property
    def due(self) -> bool:
        """Whether it is time to save within an epoch."""
        if self.folder is None or self.seconds is None:
            return False
        return time.monotonic() - self._saved >= self.seconds

    def save(self, state: Content) -> None:
        """Write the state in place of the last one."""
        if self.folder is not None:
            save_checkpoint(self.folder, self.identity, state)
        self._saved = time.monotonic()
