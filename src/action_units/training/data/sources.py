"""Where an epoch's faces come from."""

from typing import Protocol

from torch import Tensor


class FaceSource(Protocol):
    """The faces of an epoch in its order, on the device."""

    def __getitem__(self, places: slice) -> Tensor:
        """uint8 (b, S, S), the faces of some places; these never go back."""
        ...


class HeldOut(Protocol):
    """Faces that are asked for in blocks: a tensor, or what reads them when asked."""

    def __len__(self) -> int:
        """How many."""
        ...

    def __getitem__(self, block: slice) -> Tensor:
        """uint8 (b, S, S), on the device."""
        ...


class Resident:
    """The faces to learn from, all on the device."""

    def __init__(self, faces: Tensor) -> None:
        """Take them, uint8 (M, S, S)."""
        self._faces = faces

    def in_order(self, order: Tensor, _first: int) -> FaceSource:
        """The source of an epoch.

        Args:
            order: int64 (N,), positions among the faces.
        """
        return _Ordered(self._faces, order)


class _Ordered:
    """Faces on the device, in an order."""

    def __init__(self, faces: Tensor, order: Tensor) -> None:
        self._faces, self._order = faces, order

    def __getitem__(self, places: slice) -> Tensor:
        # Copies whole faces, which indexing by a tensor does pixel by pixel.
        return self._faces.index_select(0, self._order[places])
