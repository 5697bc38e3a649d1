"""Several processes that train one network together.

Every process takes a part of each global batch. The gradients of the parts are summed, and
all processes make the same update, so that they hold the same weights at every step; the
first one alone writes. What a step computes is that of one process up to rounding: the loss
is divided by the known labels of the whole batch, batch normalisation takes its statistics
over the whole batch, and dropout masks are those of the whole batch.

This is plain ``torch.distributed``, one sum a step. A framework such as Lightning Fabric
would add seconds to every start and wrap the network to *average* gradients over processes,
which is another loss where labels are missing or parts are unequal.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from action_units.errors import ActionUnitsError


class LostProcessError(ActionUnitsError):
    """Another process of the training is gone."""


@dataclass(frozen=True)
class Team:
    """The processes of a training, seen by one of them.

    Attributes:
        rank: Its number, counted from 0; the first leads and alone writes.
        size: How many there are.
        device: Where its tensors lie.
    """

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def leads(self) -> bool:
        """Whether this process writes and tells."""
        return self.rank == 0

    def part(self, n: int, unit: int = 1) -> slice:
        """The part of ``n`` faces that is this process's, as ``parts`` cuts them."""
        return parts(n, self.size, unit)[self.rank]

    def total(self, tensors: Sequence[Tensor]) -> None:
        """Sum tensors over the processes, in place; all get the same bits."""
        if self.size == 1:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        with self.meeting():
            dist.all_reduce(flat)
        pieces = torch.split(flat, [tensor.numel() for tensor in tensors])
        for tensor, piece in zip(tensors, pieces, strict=True):
            tensor.copy_(piece.reshape(tensor.shape))

    def from_leader(self, content: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """What the leader holds, tensors and plain values, on the CPU of every process."""
        if self.size == 1:
            return None if content is None else dict(content)
        file = io.BytesIO()
        if self.leads:
            torch.save(content, file)
        length = torch.tensor(file.getbuffer().nbytes, device=self.device)
        with self.meeting():
            dist.broadcast(length, 0)
        data = torch.zeros(int(length), dtype=torch.uint8)
        if self.leads:
            data = torch.frombuffer(file.getbuffer(), dtype=torch.uint8)
        data = data.to(self.device)
        with self.meeting():
            dist.broadcast(data, 0)
        if self.leads:
            return None if content is None else dict(content)
        received = io.BytesIO(data.cpu().numpy().tobytes())
        loaded: dict[str, Any] | None = torch.load(
            received, map_location="cpu", weights_only=True
        )
        return loaded

    @contextmanager
    def meeting(self) -> Iterator[None]:
        """Say in one sentence that a process is gone; torch says it in many ways.

        Raises:
            LostProcessError: Another process has ended, or did not come in time.
        """
        try:
            yield
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[0][:200]
            raise LostProcessError(
                f"Process {self.rank + 1} of {self.size} stops because another one has ended "
                f"or cannot be reached ({reason}). The last checkpoint is untouched; the same "
                "command goes on from there."
            ) from error


ALONE = Team()


def parts(n: int, count: int, unit: int = 1) -> list[slice]:
    """Cut ``n`` faces into parts as equal as can be.

    Args:
        n: How many.
        count: How many parts.
        unit: Faces that stay together: 2 keeps the pairs of mixup.
    """
    units = -(-n // unit)
    bounds = [min(n, units * number // count * unit) for number in range(count + 1)]
    return [slice(*pair) for pair in pairwise(bounds)]
