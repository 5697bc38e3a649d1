"""Probabilities of faces."""

from copy import deepcopy

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from action_units.models.trained import TrainedModel
from action_units.progress import Progress
from action_units.training.arrays import Faces, check_faces, resized
from action_units.training.augmentation import normalise
from action_units.training.devices import Machine, choose_machine


def predict(
    model: TrainedModel,
    faces: Faces,
    device: str = "auto",
    batch_size: int = 512,
    *,
    precision: str = "fp32",
    flip: bool = False,
) -> npt.NDArray[np.float32]:
    """The probability of every AU on every face.

    Args:
        model: What to ask.
        faces: uint8 (N, S, S), resized where the network takes another size.
        device: As in ``choose_machine``.
        batch_size: Faces at a time; changes speed and memory only.
        precision: As in ``choose_machine``.
        flip: Average the logits of each face and its mirror image.

    Returns:
        float32 (N, A), in the order of ``model.aus``.
    """
    check_faces(faces)
    machine = choose_machine(device, precision)
    network = deepcopy(model.network).to(machine.torch_device)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    network.eval()
    probabilities = np.empty((len(faces), len(model.aus)), np.float32)
    with Progress("Predicting", len(faces), "faces") as progress:
        for start in range(0, len(faces), batch_size):
            block = torch.from_numpy(np.array(faces[start : start + batch_size]))
            batch = resized(block.to(machine.torch_device), model.spec.image_size)
            z = logits(network, batch, machine, model.spec.channels, flip=flip)
            probabilities[start : start + batch_size] = torch.sigmoid(z).cpu().numpy()
            progress.advance(len(block))
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
        faces: uint8 (B, S, S), of the network's size.
        machine: Where and how.
        channels: The network's input channels; grey is repeated.
        flip: Average with the mirror image.

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
