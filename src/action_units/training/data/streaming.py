"""Training on more faces than memory holds: read from disk in blocks, while others train.

An epoch's order is then a shuffle of blocks: the faces are cut into blocks that lie together
on disk, the blocks are shuffled, and the faces of some consecutive blocks, a window, are
shuffled among each other. Like the full shuffle it is a function of (seed, epoch) alone. A
thread reads the next window, block by block, while the faces of this one are trained on.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from action_units.config import InMemory
from action_units.training.data.arrays import Faces, Rows, TrainingData, resized

BLOCK = 1024
"""Faces of a block."""
WINDOW_BYTES = 1 << 26
"""Size of a window, nearly; two of them are in memory."""
PART_OF_FREE = 0.5
"""Part of the free memory that the faces may take before they are streamed."""


@dataclass(frozen=True)
class Windows:
    """How an epoch's faces are cut.

    Attributes:
        block: Faces that lie together.
        blocks: Blocks of a window.
    """

    block: int
    blocks: int

    @classmethod
    def of(cls, faces: Faces) -> "Windows":
        """For faces of a size, so that the cut does not depend on the computer."""
        one = int(np.prod(faces.shape[1:]))
        return cls(BLOCK, max(2, WINDOW_BYTES // (BLOCK * one)))

    @property
    def size(self) -> int:
        """Faces of a window; the one with the last block may have fewer."""
        return self.block * self.blocks


class StreamedFaces:
    """The faces to learn from, on disk."""

    def __init__(
        self, faces: Faces, rows: Rows, windows: Windows, size: int, device: torch.device
    ) -> None:
        """Start the thread that reads.

        Args:
            faces: uint8 (N, S, S), mapped.
            rows: int64 (M,), those to learn from; best in rising order.
            windows: How an epoch is cut.
            size: The side the network takes.
            device: Where batches go.
        """
        self._faces, self._rows, self._windows = faces, rows, windows
        self._size, self._device = size, device
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="faces")

    def in_order(self, order: Tensor, first: int) -> "Stream":
        """The source of an epoch.

        Args:
            order: int64 (N,), positions among the rows.
            first: The first place that will be asked for.
        """
        return Stream(self, order.cpu().numpy(), first)

    def start(self, positions: Rows) -> "Future[Tensor]":
        """Begin to read the faces of some positions."""
        return self._reader.submit(self._read, positions)

    def starts(self, n: int) -> list[int]:
        """The places at which the windows of an epoch of ``n`` faces begin."""
        return list(range(0, n, self._windows.size))

    def to_device(self, faces: Tensor) -> Tensor:
        """Bring a batch to the device."""
        return faces.to(self._device, non_blocking=True)

    def _read(self, positions: Rows) -> Tensor:
        """uint8 (n, size, size), read in the order of the disk."""
        rows = self._rows[positions]
        found = torch.empty(len(rows), self._size, self._size, dtype=torch.uint8)
        if self._device.type == "cuda":
            found = found.pin_memory()
        places = np.argsort(rows, kind="stable")
        for start in range(0, len(rows), self._windows.block):
            part = places[start : start + self._windows.block]
            block = torch.from_numpy(np.ascontiguousarray(self._faces[rows[part]]))
            found[torch.from_numpy(part)] = resized(block, self._size)
        return found


class Stream:
    """The faces of one epoch, in its order."""

    def __init__(self, faces: StreamedFaces, order: Rows, first: int) -> None:
        """Begin to read the first window that is needed.

        Args:
            faces: On disk.
            order: int64 (N,), positions.
            first: The first place that will be asked for.
        """
        self._faces, self._order = faces, order
        self._starts = faces.starts(len(order))
        self._loaded: list[tuple[int, Tensor]] = []  # first place of a window, its faces
        self._next = int(np.searchsorted(self._starts, first, side="right")) - 1
        self._coming = self._start_next()

    def __getitem__(self, places: slice) -> Tensor:
        """uint8 (b, S, S), on the device; places never go back."""
        self._loaded = [(a, f) for a, f in self._loaded if a + len(f) > places.start]
        while not self._loaded or self._end < places.stop:
            assert self._coming is not None
            start, window = self._coming
            self._loaded.append((start, window.result()))
            self._coming = self._start_next()
        pieces = [f[max(places.start - a, 0) : places.stop - a] for a, f in self._loaded]
        found = pieces[0] if len(pieces) == 1 else torch.cat(pieces)
        return self._faces.to_device(found)

    @property
    def _end(self) -> int:
        start, faces = self._loaded[-1]
        return start + len(faces)

    def _start_next(self) -> "tuple[int, Future[Tensor]] | None":
        if self._next >= len(self._starts):
            return None
        start = self._starts[self._next]
        stop = [*self._starts, len(self._order)][self._next + 1]
        self._next += 1
        return start, self._faces.start(self._order[start:stop])


class MappedFaces:
    """Faces that are read from disk each time they are asked for, in blocks."""

    def __init__(self, faces: Faces, rows: Rows, size: int, device: torch.device) -> None:
        """Choose the faces.

        Args:
            faces: uint8 (N, S, S), mapped.
            rows: int64 (V,), which.
            size: The side the network takes.
            device: Where to.
        """
        self._faces, self._rows, self._size, self._device = faces, rows, size, device

    def __len__(self) -> int:
        """How many."""
        return len(self._rows)

    def __getitem__(self, block: slice) -> Tensor:
        """uint8 (b, S, S)."""
        faces = np.ascontiguousarray(self._faces[self._rows[block]])
        return resized(torch.from_numpy(faces).to(self._device), self._size)


def stream_faces(wanted: InMemory, data: TrainingData, size: int, device: torch.device) -> bool:
    """Whether faces are to be read in blocks rather than held in memory.

    Args:
        wanted: ``always`` in memory, ``blocks``, or ``auto``: blocks where the faces would
            take more than half of the free memory of the device.
        data: The faces.
        size: The side the network takes.
        device: Where it trains.
    """
    if wanted != "auto":
        return wanted == "blocks"
    needed = (len(data.train_rows) + len(data.validation_rows)) * size * size
    return needed > PART_OF_FREE * free_memory(device)


def free_memory(device: torch.device) -> float:
    """Bytes that can be had on a device; infinite where that is not known."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return float("inf")
    available = next(line.split()[1] for line in lines if line.startswith("MemAvailable:"))
    return min(1024.0 * int(available), _left_in_group())


def _left_in_group() -> float:
    """What a container's limit leaves; file pages that it can drop count as taken."""
    folder = Path("/sys/fs/cgroup")
    try:
        limit = (folder / "memory.max").read_text().strip()
        taken = int((folder / "memory.current").read_text())
    except (OSError, ValueError):
        return float("inf")
    return float("inf") if limit == "max" else float(int(limit) - taken)
