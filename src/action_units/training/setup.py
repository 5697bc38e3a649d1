"""What a training starts from: its lengths, its first weights, its first state."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from action_units.config import NetworkSpec, Recipe
from action_units.errors import ConfigurationError
from action_units.models.network import AUNetwork
from action_units.models.pretrained import PretrainedWeights
from action_units.models.registry import build_network, rehead
from action_units.models.trained import TrainedModel
from action_units.training.blocks import check_unfreezing, rate_factors
from action_units.training.data.arrays import TrainingData
from action_units.training.data.sampling import Weights, epoch_faces, face_weights
from action_units.training.data.soft_targets import soften
from action_units.training.data.streaming import Windows
from action_units.training.devices import Machine
from action_units.training.losses import BinaryLoss, build_loss, prevalence_of
from action_units.training.optimizers import AveragedWeights, build_optimizer
from action_units.training.randomness import weights_seed
from action_units.training.state import TrainingState


@dataclass(frozen=True)
class Setup:
    """The unchanging part of a training."""

    spec: NetworkSpec
    recipe: Recipe
    data: TrainingData
    seed: int
    initial: TrainedModel | None
    machine: Machine
    backbone_weights: PretrainedWeights | None = None
    windows: Windows | None = None

    @property
    def batch_size(self) -> int:
        """Faces a step: the recipe's, or all of them where there are fewer."""
        return min(self.recipe.batch_size, len(self.data.train_rows))

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in an epoch."""
        return len(self.data.train_rows) // self.batch_size

    @property
    def steps(self) -> int:
        """Length of the training in steps."""
        return self.recipe.steps or self.recipe.epochs * self.steps_per_epoch

    @property
    def epochs(self) -> int:
        """Length in epochs, the last of which may be a part of one."""
        return -(-self.steps // self.steps_per_epoch)

    def steps_in(self, epoch: int) -> int:
        """Steps of an epoch counted from 0."""
        return min(self.steps_per_epoch, self.steps - epoch * self.steps_per_epoch)

    @cached_property
    def weights(self) -> Weights | None:
        """How often each face to learn from is drawn; None where each is, once."""
        rows, subjects = self.data.train_rows, self.data.subjects
        whose = None if subjects is None else subjects[rows]
        return face_weights(self.recipe.balance, self.data.targets[rows], whose)

    def faces_of(self, epoch: int) -> tuple[Tensor, Tensor]:
        """The epoch's positions among the faces to learn from, and their appearances."""
        n, device = len(self.data.train_rows), self.machine.torch_device
        cut = None if self.windows is None else (self.windows.block, self.windows.blocks)
        return epoch_faces(self.seed, epoch, n, self.weights, device, cut)

    @cached_property
    def loss(self) -> BinaryLoss:
        """The loss, on the device."""
        weights = None if self.weights is None else torch.from_numpy(self.weights)
        prevalence = prevalence_of(torch.from_numpy(self.data.learned), weights)
        loss = build_loss(self.recipe.loss, prevalence)
        return loss.to(self.machine.torch_device)

    def first_network(self) -> AUNetwork:
        """The network before the first step, on the CPU.

        A pre-trained network keeps its backbone and gets a new head, unless the recipe
        shares the head and the AUs are the same.
        """
        aus, seed = self.data.aus, weights_seed(self.seed)
        prior = self.loss.prior() if self.recipe.prior_bias else None
        if self.initial is None:
            network = build_network(self.spec, len(aus), seed, prior)
            if self.backbone_weights is not None:
                self.backbone_weights.fill(network.backbone)
            return network
        shared = self.recipe.head == "shared"
        return rehead(self.initial, aus, seed, prior, keep_shared=shared).network

    def first_state(self) -> TrainingState:
        """The state before the first step, on the device."""
        recipe, device = self.recipe, self.machine.torch_device
        network = self.first_network().to(device)
        check_unfreezing(network, recipe.unfreeze)
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return TrainingState(
            network=network,
            optimizer=build_optimizer(
                recipe.optimizer,
                network,
                recipe.learning_rate,
                recipe.weight_decay,
                rate_factors(network, recipe.layer_decay),
            ),
            averaged=AveragedWeights(network, recipe.average) if recipe.average else None,
            losses=torch.zeros(self.steps_per_epoch, device=device),
        )


def learning_data(
    recipe: Recipe,
    data: TrainingData,
    intensities: npt.ArrayLike | None,
    subjects: npt.ArrayLike | None,
) -> TrainingData:
    """Add to a training's data what its recipe asks for.

    Args:
        recipe: Whose ``soft_targets`` and ``balance`` decide.
        data: Faces and labels.
        intensities: (N, A), as ``soften`` takes them.
        subjects: (N,), the subject of each face.

    Raises:
        ConfigurationError: Something that is needed is missing or does not fit.
    """
    if recipe.soft_targets.curve != "none":
        data = replace(data, soft=soften(recipe.soft_targets, data.targets, intensities))
    if recipe.balance in ("subjects", "both") and subjects is not None:
        whose = np.asarray(subjects)
        if whose.shape != (len(data.faces),):
            raise ConfigurationError(
                f"subjects are {whose.shape}; {len(data.faces)} faces need one each."
            )
        data = replace(data, subjects=whose)
    return data
