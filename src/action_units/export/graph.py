"""What an ONNX file computes, as one torch module: from packed faces to probabilities."""

import math
from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn import functional

from action_units.evaluation.ensemble import EPS
from action_units.export.members import PackagedMember
from action_units.training.data.augmentation import normalise

CALIBRATED_WITHIN = 1e-7
"""Calibration keeps probabilities so far from 0 and 1 (evaluation/calibration.py)."""


class FaceClassifier(nn.Module):
    """One network, or several that answer as one, with all that comes before and after."""

    def __init__(self, members: Sequence[PackagedMember], size: int) -> None:
        """Put it together.

        Args:
            members: Copies of their networks are taken. A treatment that a graph cannot do
                is left out: see ``members.left_to_do``.
            size: Side of the faces, in pixels.
        """
        super().__init__()
        self.parts = nn.ModuleList(_Part(member, size) for member in members)
        self.eval()

    def forward(self, faces: Tensor) -> Tensor:
        """Probabilities of faces.

        Args:
            faces: uint8 (N, S, S).

        Returns:
            float32 (N, A).
        """
        found: list[Tensor] = [part(faces) for part in self.parts]  # M of (N, A)
        if len(found) == 1:
            return torch.sigmoid(found[0])
        # On logits: a float32 probability near 1 has too few digits left to be averaged.
        furthest = _logit(EPS)
        within = [z.clamp(furthest, -furthest) for z in found]
        return torch.sigmoid(torch.stack(within).mean(dim=0))


class _Part(nn.Module):
    """One fold's network, its faces resized and its logits calibrated."""

    def __init__(self, member: PackagedMember, size: int) -> None:
        super().__init__()
        spec = member.model.spec
        self.network = deepcopy(member.model.network).cpu().eval()
        self.flip, self.channels = member.flip, spec.channels
        self.temperatures: Tensor | None
        self.weights: Tensor | None
        temperatures = member.temperatures
        calibrated = member.postprocessing.calibration is not None and temperatures is not None
        self.register_buffer("temperatures", torch.tensor(temperatures) if calibrated else None)
        self.register_buffer(
            "weights", None if spec.image_size == size else resizing(size, spec.image_size)
        )

    def forward(self, faces: Tensor) -> Tensor:
        """Logits (N, A) of faces (N, S, S)."""
        if self.weights is not None:
            rows = faces.to(torch.float32) @ self.weights.T  # (N, S, S')
            faces = (self.weights @ rows).round().clamp(0, 255)  # (N, S', S')
        x = normalise(faces).expand(-1, self.channels, -1, -1)
        z: Tensor = self.network(x)
        if self.flip:
            z = (z + self.network(x.flip(-1))) / 2
        if self.temperatures is not None:
            furthest = _logit(CALIBRATED_WITHIN)
            z = z.clamp(furthest, -furthest) / self.temperatures
        return z


def resizing(size: int, wanted: int) -> Tensor:
    """A side's part of ``training.arrays.resized`` as a matrix, (wanted, size).

    ONNX has no operator that resizes as torch does; the same weights in two matrix
    products give the same grey levels, but where a value lies half way between two of them:
    then the last digit of the sum decides, and each adds up in an order of its own.
    """
    columns = functional.interpolate(
        torch.eye(size)[None, None], (wanted, size), mode="bilinear", antialias=True
    )
    return columns[0, 0]


def _logit(p: float) -> float:
    return math.log(p / (1.0 - p))
