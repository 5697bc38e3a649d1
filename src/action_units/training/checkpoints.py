"""The complete state of a training on disk, whole at every moment.

A checkpoint is one file beside its manifest. It is replaced atomically, so a kill at any
time, also in mid-save, leaves the last whole one. It knows what it belongs to, and is
refused, with the difference named, by a run of another kind.
"""

import io
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import torch

from action_units.differences import differences
from action_units.errors import ArtifactError
from action_units.files import atomic_artifact, sha256_of, verify
from action_units.hints import again
from action_units.locks import locked
from action_units.models.torch_files import read_torch_file

SCHEMA = 1
NAME = "checkpoint.pt"

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
        content = read_torch_file(path)
        schema, found, state = content["schema"], content["identity"], content["state"]
    except ArtifactError as error:
        raise ArtifactError(f"{error} {_start_over()}") from error
    except Exception as error:  # whatever comes of a file that is not ours
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ArtifactError(
            f"{path} is whole but is not a checkpoint of this project ({reason}). "
            f"{_start_over()}"
        ) from error
    if schema != SCHEMA:
        raise ArtifactError(
            f"{path} has schema {schema} and this version reads {SCHEMA}. {_start_over()}"
        )
    changes = list(differences(found, identity))
    if changes:
        raise ArtifactError(
            f"{path} belongs to another training: {'; '.join(changes)}. {_start_over()}"
        )
    return dict(state)


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

    def load(self, replaced: str | None = None) -> Content | None:
        """The state to go on from, or None.

        Args:
            replaced: The `sha256` of a checkpoint to start over from. It stays until the
                first save stands in its place.
        """
        if self.folder is None or (replaced is not None and self.sha256() == replaced):
            return None
        return load_checkpoint(self.folder, self.identity)

    def sha256(self) -> str | None:
        """Of the checkpoint that is there, whole or not; None where there is none."""
        path = None if self.folder is None else self.folder / NAME
        return sha256_of(path) if path is not None and path.is_file() else None

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


def _start_over() -> str:
    return (
        f"Start over with restart=True, by {again(restart=True)}, or choose another folder; "
        "`run=NAME` among the --params does."
    )
