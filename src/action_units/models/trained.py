"""A trained network and its meaning; importing this does not import torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from action_units.config import NetworkSpec

if TYPE_CHECKING:
    from action_units.models.network import AUNetwork


@dataclass(frozen=True)
class TrainedModel:
    """A network and its meaning.

    Attributes:
        network: On the CPU, in evaluation mode.
        spec: What ``network`` was built from.
        aus: The AU of each logit, in order.
        provenance: What it was made from; plain values that JSON can hold.
    """

    network: AUNetwork
    spec: NetworkSpec
    aus: tuple[int, ...]
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def colour(self) -> bool:
        """Whether it was trained on faces in colour; older records do not say, and are grey."""
        return bool(self.provenance.get("colour", False))
