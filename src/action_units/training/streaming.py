"""Training on more faces than memory holds: read from disk in blocks, during training."""

import math
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from action_units.config import InMemory
from action_units.training.data import (
    EpochFaces,
    Faces,
    ResidentFaces,
    Rows,
    TrainingData,
    input_shape,
    resized,
    upload,
)
from action_units.training.device import DeviceMemoryError, free_memory

BLOCK = 1024
"""Faces of a block."""
WINDOW_BYTES = 1 << 26
"""Size of a window of blocks, nearly; two of them are in memory."""
PART_OF_FREE = 0.5
"""Part of the free memory that the faces may take before they are streamed."""


@dataclass(frozen=True)
class Windows:
    """How the faces of a streamed epoch are cut.

    An epoch's order is a shuffle of blocks: the faces are cut into blocks that lie together
    on disk, the blocks are shuffled, and the faces of some consecutive blocks, a window, are
    shuffled among each other. Like the full shuffle it is a function of (seed, epoch) alone.

    Attributes:
        block: Faces that lie together.
        blocks: Blocks of a window.
    """

    block: int
    blocks: int

    @classmethod
    def of(cls, faces: Faces) -> "Windows":
        """For faces of a size, so that the cut does not depend on the computer."""
        face = int(np.prod(faces.shape[1:]))
        return cls(BLOCK, max(2, WINDOW_BYTES // (BLOCK * face)))


class StreamedFaces:
    """The faces to learn from, on disk: a thread reads the next window during training."""

    def __init__(
        self,
        faces: Faces,
        rows: Rows,
        windows: Windows,
        size: int,
        device: torch.device,
        channels: int = 3,
    ) -> None:
        """Start the thread that reads.

        Args:
            faces: uint8 (N, S, S), or in colour (N, S, S, 3); mapped.
            rows: int64 (M,), those to learn from; best in rising order.
            windows: How an epoch is cut.
            size: The side of the network's input.
            device: The batches' device.
            channels: Of the network's input.
        """
        self._faces, self._rows, self._windows = faces, rows, windows
        self._size, self._device, self._channels = size, device, channels
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="faces")

    def start_epoch(self, order: Tensor, first: int) -> None:
        """Begin to read the first window that is needed."""
        self._order = order.cpu().numpy()
        window = self._windows.block * self._windows.blocks
        self._next = first // window * window  # the first place that is not being read
        self._loaded: list[tuple[int, Tensor]] = []  # a window's first place, its faces
        self._coming = self._read_next()

    def __getitem__(self, places: slice) -> Tensor:
        """The faces at some places."""
        self._loaded = [(a, f) for a, f in self._loaded if a + len(f) > places.start]
        while not self._loaded or self._end < places.stop:
            start, window = self._coming
            self._loaded.append((start, window.result()))
            self._coming = self._read_next()
        parts = [f[max(places.start - a, 0) : places.stop - a] for a, f in self._loaded]
        batch = parts[0] if len(parts) == 1 else torch.cat(parts)
        return batch.to(self._device, non_blocking=True)

    @property
    def _end(self) -> int:
        start, faces = self._loaded[-1]
        return start + len(faces)

    def _read_next(self) -> "tuple[int, Future[Tensor]]":
        start = self._next
        self._next += self._windows.block * self._windows.blocks
        return start, self._reader.submit(self._read, self._order[start : self._next])

    def _read(self, positions: Rows) -> Tensor:
        """uint8 (n, size, size[, 3]), read in the order of the disk."""
        rows = self._rows[positions]
        shape = input_shape(self._faces, self._size, self._channels)
        faces = torch.empty(len(rows), *shape, dtype=torch.uint8)
        if self._device.type == "cuda":
            faces = faces.pin_memory()
        places = np.argsort(rows, kind="stable")
        for start in range(0, len(rows), self._windows.block):
            part = places[start : start + self._windows.block]
            block = torch.from_numpy(np.ascontiguousarray(self._faces[rows[part]]))
            faces[torch.from_numpy(part)] = resized(block, self._size, self._channels)
        return faces


@dataclass(frozen=True)
class MappedFaces:
    """Validation faces, uint8 (V, S, S[, 3]), read from disk at every evaluation."""

    faces: Faces
    rows: Rows
    size: int
    device: torch.device
    channels: int = 3

    def __len__(self) -> int:
        """How many."""
        return len(self.rows)

    def __getitem__(self, block: slice) -> Tensor:
        """uint8 (b, size, size[, 3]), on the device."""
        faces = np.ascontiguousarray(self.faces[self.rows[block]])
        return resized(torch.from_numpy(faces).to(self.device), self.size, self.channels)


def should_stream(
    requested: InMemory,
    data: TrainingData,
    size: int,
    device: torch.device,
    channels: int = 3,
) -> bool:
    """Whether faces are streamed from disk instead of held in the device's memory."""
    face = math.prod(input_shape(data.faces, size, channels))
    n_bytes = (len(data.train_rows) + len(data.validation_rows)) * face
    return are_streamed(requested, n_bytes, device)


def are_streamed(requested: InMemory, n_bytes: int, device: torch.device) -> bool:
    """Whether faces of so many bytes are streamed, instead of held in a device's memory."""
    if requested != "auto":
        return requested == "blocks"
    return n_bytes > PART_OF_FREE * free_memory(device)


def load_faces(
    data: TrainingData,
    size: int,
    device: torch.device,
    windows: Windows | None,
    channels: int = 3,
) -> tuple[EpochFaces, Tensor | MappedFaces]:
    """The faces to learn from and those to validate on, in the device's memory or on disk.

    Raises:
        DeviceMemoryError: They do not fit into memory.
    """
    rows, held_out = data.train_rows, data.validation_rows
    if windows is not None:
        streamed = StreamedFaces(data.faces, rows, windows, size, device, channels)
        return streamed, MappedFaces(data.faces, held_out, size, device, channels)
    try:
        resident = ResidentFaces(upload(data.faces, rows, size, device, channels))
        return resident, upload(data.faces, held_out, size, device, channels)
    except (RuntimeError, MemoryError) as error:
        if "memory" not in str(error):  # torch has no class of its own for this on the CPU
            raise
        n = len(rows) + len(held_out)
        n_bytes = n * math.prod(input_shape(data.faces, size, channels))
        raise DeviceMemoryError(
            f"{device} has too little memory for {n:,} faces of {size} × {size} pixels "
            f"({n_bytes / 2**20:,.0f} MiB); set faces_in_memory to blocks, which reads "
            "them from disk, or take a smaller image_size."
        ) from error
