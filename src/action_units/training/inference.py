"""Probabilities of faces.

A convolution of one face and of five hundred take different paths through the libraries,
which round differently. So a network always gets blocks of one size, the last one padded: the
prediction for a face does not depend on the other faces or their number.
"""

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from copy import deepcopy
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import expit
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from action_units.concurrency import in_order, one_thread_each
from action_units.config import MachineConfig
from action_units.models.trained import TrainedModel
from action_units.progress import Progress
from action_units.training.augment import normalise
from action_units.training.data import Faces, check_faces, resized
from action_units.training.device import Machine, choose_machine
from action_units.training.remembered import made_from, remembered

T = TypeVar("T")
N = TypeVar("N", bound=nn.Module)

BLOCKS = {"cpu": 16, "mps": 64, "cuda": 256}
"""Faces in a block, by the kind of device; larger ones are no faster on a CPU."""

BLOCKS_IN_A_PART = 4
"""Blocks that a thread works on, at most, before their faces are counted."""

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
        network = folded(model.network).to(self.machine.torch_device)
        self._network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

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

    def in_parts(
        self, work: Callable[[slice], T], n: int, description: str
    ) -> Iterator[tuple[slice, T]]:
        """Work on many faces part by part, with progress; on a CPU several parts side by side.

        Args:
            work: Calls this predictor for the faces of a part; in several threads at once.
            n: How many faces.
            description: Of the progress.

        Yields:
            A part and its result, in order.
        """
        workers = self.machine.threads if self.machine.device == "cpu" else 1
        each = math.ceil(n / (workers * self.block))  # blocks, so that all threads get some
        size = self.block * max(1, min(each, BLOCKS_IN_A_PART))
        parts = [slice(start, min(start + size, n)) for start in range(0, n, size)]
        with (
            Progress(description, n, "faces") as progress,
            one_thread_each(min(workers, max(1, len(parts)))) as pool,
            closing(in_order(pool, work, parts, ahead=2 * workers)) as results,
        ):
            for part, result in zip(parts, results, strict=True):
                yield part, result
                progress.advance(part.stop - part.start)

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
    memory: Path | None = None,
) -> npt.NDArray[np.float32]:
    """The probability of every AU on every face, with progress.

    Args:
        model: As of ``Predictor``.
        faces: As of ``Predictor.probabilities``.
        device: As of ``Predictor``.
        precision: As of ``Predictor``.
        flip: As of ``Predictor``.
        memory: A file that keeps the answer. Where it has that of the same weights, pixels and
            way of asking, it is read and nothing is computed.

    Returns:
        float32 (N, A), in the order of ``model.aus``.
    """
    check_faces(faces)
    if memory is not None:
        machine = choose_machine(MachineConfig.read({"device": device, "precision": precision}))
        asked = [machine.torch_device.type, machine.precision, flip, torch.__version__]
        return remembered(
            memory,
            made_from(model, faces, asked),
            lambda: predict(model, faces, device, precision=precision, flip=flip),
        )
    predictor = Predictor(model, device, precision=precision, flip=flip)
    probabilities = np.empty((len(faces), len(model.aus)), np.float32)
    for part, found in predictor.in_parts(
        lambda part: predictor.probabilities(faces[part]), len(faces), "Predicting"
    ):
        probabilities[part] = found
    return probabilities


def folded(network: N) -> N:
    """A copy in evaluation mode, with each batch normalisation put into its convolution.

    What follows a convolution in a ``Sequential`` scales and shifts its channels, which the
    convolution's own weights do in the same time as before.
    """
    network = deepcopy(network).eval()
    for layers in network.modules():
        if isinstance(layers, nn.Sequential):
            for place, (first, second) in enumerate(pairwise(list(layers))):
                if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                    layers[place] = fuse_conv_bn_eval(first, second)
                    layers[place + 1] = nn.Identity()
    return network


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
