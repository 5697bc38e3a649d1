"""Everything that changes during a training, and its checkpoints on disk.

A checkpoint is one file with a manifest. It is replaced atomically, so a kill at any time,
also during a save, leaves the last whole one. It holds the identity of its training; resuming
with a different configuration raises an error that lists the differences.
"""

import io
import math
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from action_units.errors import ArtifactError
from action_units.files import atomic_artifact, sha256_of, verify
from action_units.fingerprint import differences
from action_units.hints import again
from action_units.locks import locked
from action_units.models.model_files import plain_state
from action_units.models.network import AUNetwork
from action_units.models.torch_files import read_torch_file
from action_units.training.noise import NoiseModel
from action_units.training.optim import ExponentialAverage

SCHEMA = 1
NAME = "checkpoint.pt"

Content = dict[str, Any]


@dataclass
class TrainingState:
    """The state between two steps.

    Attributes:
        network: In training, on the device.
        noise: What is learned of the labels' noise.
        optimizer: Of its parameters.
        averaged: The EMA of its weights, where the recipe has one.
        losses: float32 (steps an epoch,), on the device; the epoch's so far.
        step: Steps done.
        seconds: Time spent in the current epoch.
        curve: One row for each epoch done.
        best: Weights of the best evaluation, on the CPU.
        best_epoch: Its epoch, counted from 1; 0 before the first.
        best_score: Its score; higher is better.
        stale: Evaluations since then.
        finished: Whether the training is complete.
    """

    network: AUNetwork
    noise: NoiseModel
    optimizer: torch.optim.Optimizer
    averaged: ExponentialAverage | None
    losses: Tensor
    step: int = 0
    seconds: float = 0.0
    curve: list[dict[str, Any]] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)
    best_epoch: int = 0
    best_score: tuple[float, float] = (-math.inf, -math.inf)
    stale: int = 0
    finished: bool = False

    _PLAIN = (
        "step", "seconds", "curve", "best", "best_epoch", "best_score", "stale", "finished"
    )  # fmt: skip

    @property
    def evaluated(self) -> AUNetwork:
        """The network to score and save: its EMA if there is one."""
        if self.averaged is None:
            return self.network
        network: AUNetwork = self.averaged.network  # type: ignore[assignment]
        return network

    def update_best(self, score: tuple[float, float], epoch: int) -> bool:
        """Keep the weights of an evaluation that is the best so far.

        Args:
            score: Higher is better; the second number decides between equals.
            epoch: Counted from 1.

        Returns:
            Whether it is.
        """
        if self.best and not score > self.best_score:
            self.stale += 1
            return False
        self.best = plain_state(self.evaluated.state_dict())
        self.best_score, self.best_epoch, self.stale = score, epoch, 0
        for row in self.curve:
            row["best"] = False
        return True

    def is_finite(self) -> bool:
        """Whether every weight and running statistic is finite."""
        networks = {self.network, self.evaluated, self.noise}
        values = [value for network in networks for value in network.state_dict().values()]
        return bool(torch.stack([torch.isfinite(value).all() for value in values]).all())

    def to_dict(self) -> Content:
        """All of it, in tensors and plain values."""
        return {
            "network": self.network.state_dict(),
            "noise": self.noise.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "averaged": self.averaged.network.state_dict() if self.averaged else None,
            "losses": self.losses,
            **{name: getattr(self, name) for name in self._PLAIN},
        }

    def restore(self, saved: Content) -> None:
        """Take over what ``to_dict`` gave."""
        self.network.load_state_dict(saved["network"])
        self.noise.load_state_dict(saved["noise"])
        self.optimizer.load_state_dict(saved["optimizer"])
        if self.averaged is not None:
            self.averaged.network.load_state_dict(saved["averaged"])
        self.losses.copy_(saved["losses"])
        for name in self._PLAIN:
            setattr(self, name, saved[name])


class Checkpoints:
    """The checkpoints of one run, from lock to last save; does nothing without a folder."""

    def __init__(
        self,
        folder: Path | str | None,
        identity: Mapping[str, Any],
        seconds: float | None = None,
    ) -> None:
        """Choose where and how often.

        Args:
            folder: Of this training alone; None keeps nothing.
            identity: All that decides the training's result, in plain values.
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
        """The state to resume from, or None.

        Args:
            replaced: The `sha256` of a checkpoint to start over from. It stays until it is
                replaced by the first save.
        """
        if self.folder is None or (replaced is not None and self.sha256() == replaced):
            return None
        return load_checkpoint(self.folder, self.identity)

    def sha256(self) -> str | None:
        """Of the present checkpoint, whole or not; None if it does not exist."""
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


def save_checkpoint(folder: Path | str, identity: Mapping[str, Any], state: Content) -> Path:
    """Write a checkpoint, tensors and plain values, in place of the last one.

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
    """Read a training's checkpoint onto the CPU; None if it does not exist.

    Raises:
        ArtifactError: It is damaged, unreadable, or of another training.
    """
    path = Path(folder) / NAME
    if not path.exists():
        # A lone manifest is left by a kill inside the very first save.
        return None
    start_over = (
        f"Start over with restart=True, by {again(restart=True)}, or choose another folder; "
        "`run=NAME` among the --params does."
    )
    try:
        verify(path)
        content = read_torch_file(path)
        schema, saved_identity, state = (
            content[key] for key in ("schema", "identity", "state")
        )
    except ArtifactError as error:
        raise ArtifactError(f"{error} {start_over}") from error
    except Exception as error:  # whatever comes of a file that is not ours
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ArtifactError(
            f"{path} is whole but is not a checkpoint of this project ({reason}). {start_over}"
        ) from error
    if schema != SCHEMA:
        raise ArtifactError(
            f"{path} has schema {schema} and this version reads {SCHEMA}. {start_over}"
        )
    if changes := list(differences(saved_identity, identity)):
        raise ArtifactError(
            f"{path} belongs to another training: {'; '.join(changes)}. {start_over}"
        )
    return dict(state)
