"""Probabilities of faces.

A convolution of one face and of five hundred take different paths through the libraries,
which round differently. So a network always gets blocks of one size, the last one padded: the
prediction for a face does not depend on the other faces or their number.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import expit
from torch import Tensor, nn

from action_units.config import MachineConfig
from action_units.models.trained import TrainedModel
from action_units.progress import Progress
from action_units.training.augment import normalise
from action_units.training.data import Faces, check_faces, resized
from action_units.training.device import Machine, choose_machine

BLOCKS = {"cpu": 16, "mps": 64, "cuda": 256}
"""Faces in a block, by the kind of device; larger ones are no faster on a CPU."""

_BETWEEN_COUNTS = 512

_ROUNDING = threading.Lock()
"""Held while a predictor sets a GPU's rounding, which is global to the process."""


class Predictor:
    """A trained network on its device, for use from several threads at once.

    Attributes:
        aus: The AU of each column.
        machine: Where and how it computes.
        block: Faces that go through the network at once.
    """

    def __init__(
        self,
        model: TrainedModel,
        device: str = "auto",
        *,
        precision: str = "fp32",
        flip: bool = False,
    ) -> None:
        """Put a copy of the network on the device.

        Args:
            model: It is not changed.
            device: As in ``MachineConfig``.
            precision: As in ``MachineConfig``.
            flip: Average the logits of each face and its horizontal flip (test-time
                augmentation).

        Raises:
            ConfigurationError: As ``choose_machine``.
        """
        self.aus, self.flip, self._spec = model.aus, flip, model.spec
        # Of the faces that it was trained on: to a network that had grey ones, colours are new.
        self._colours = model.spec.channels if model.colour else 1
        self.machine = choose_machine(
            MachineConfig.read({"device": device, "precision": precision})
        )
        self.block = BLOCKS[self.machine.torch_device.type]
        network = deepcopy(model.network).to(self.machine.torch_device)
        self._network = network.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]

    def probabilities(self, faces: Faces) -> npt.NDArray[np.float32]:
        """The probability of every AU on every face.

        Args:
            faces: uint8 (N, S, S), or in colour (N, S, S, 3); resized where the network takes
                another size, and in grey where it was not trained in colour. Grey faces have
                equal colours for one that was.

        Returns:
            float32 (N, A), in the order of ``aus``.

        Raises:
            ConfigurationError: They are not faces.
        """
        # torch's sigmoid rounds a value by its place in memory; scipy's does not.
        return expit(self._outputs(self._network, faces, len(self.aus))).astype(np.float32)

    def features(self, faces: Faces) -> npt.NDArray[np.float64]:
        """What the network's head is given of every face, (N, F).

        With `flip` the mean of each face and its horizontal flip: as the head is linear, it
        makes of it the same logits.

        Args:
            faces: As of ``probabilities``.
        """
        backbone = self._network.backbone
        return self._outputs(backbone, faces, backbone.n_features)

    def _outputs(self, network: nn.Module, faces: Faces, width: int) -> npt.NDArray[np.float64]:
        """Of the network or its backbone, (N, width)."""
        check_faces(faces)
        outputs = np.empty((len(faces), width))
        for start in range(0, len(faces), self.block):
            part = faces[start : start + self.block]
            block = np.zeros((self.block, *faces.shape[1:]), np.uint8)
            block[: len(part)] = part
            with self._rounding():
                uploaded = torch.from_numpy(block).to(self.machine.torch_device)
                batch = resized(uploaded, self._spec.image_size, self._colours)
                z = logits(network, batch, self.machine, self._spec.channels, flip=self.flip)
                outputs[start : start + self.block] = z.cpu().double().numpy()[: len(part)]
        return outputs

    @contextmanager
    def _rounding(self) -> Iterator[None]:
        """Compute in the requested precision."""
        if self.machine.device == "cpu":
            yield
            return
        with _ROUNDING, self.machine.rounding():
            yield


def predict(
    model: TrainedModel,
    faces: Faces,
    device: str = "auto",
    *,
    precision: str = "fp32",
    flip: bool = False,
) -> npt.NDArray[np.float32]:
    """The probability of every AU on every face, with progress.

    Arguments as of ``Predictor`` and ``Predictor.probabilities``.

    Returns:
        float32 (N, A), in the order of ``model.aus``.
    """
    check_faces(faces)
    predictor = Predictor(model, device, precision=precision, flip=flip)
    probabilities = np.empty((len(faces), len(model.aus)), np.float32)
    with Progress("Predicting", len(faces), "faces") as progress:
        for start in range(0, len(faces), _BETWEEN_COUNTS):
            part = faces[start : start + _BETWEEN_COUNTS]
            probabilities[start : start + _BETWEEN_COUNTS] = predictor.probabilities(part)
            progress.advance(len(part))
    return probabilities


@torch.no_grad()
def logits(
    network: nn.Module,
    faces: Tensor,
    machine: Machine,
    channels: int = 1,
    *,
    flip: bool = False,
) -> Tensor:
    """Logits of a batch.

    Args:
        network: In evaluation mode, on the machine's device.
        faces: uint8 (B, S, S), or for 3 channels also (B, S, S, 3), of the network's size.
        machine: Where and how to compute.
        channels: The network's input channels; grey is repeated.
        flip: Average with the logits of the horizontal flips.

    Returns:
        float32 (B, A).
    """
    x = normalise(faces).expand(-1, channels, -1, -1)
    with machine.autocast():
        z: Tensor = network(x.contiguous(memory_format=torch.channels_last))
        if flip:
            mirrored = x.flip(-1).contiguous(memory_format=torch.channels_last)
            z = (z + network(mirrored)) / 2
    return z.float()
