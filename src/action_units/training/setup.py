"""What a training starts from: its lengths, its first weights, its first state."""

from dataclasses import dataclass
from functools import cached_property

import torch

from action_units.models.registry import AUNetwork, build_network
from action_units.models.spec import NetworkSpec
from action_units.models.trained import TrainedModel, rehead
from action_units.training.arrays import TrainingData
from action_units.training.devices import Machine
from action_units.training.losses import BinaryLoss, build_loss, prevalence_of
from action_units.training.optimizers import AveragedWeights, build_optimizer
from action_units.training.randomness import weights_seed
from action_units.training.recipe import Recipe
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
    def loss(self) -> BinaryLoss:
        """The loss, on the device."""
        targets = torch.from_numpy(self.data.targets[self.data.train_rows])
        loss = build_loss(self.recipe.loss, prevalence_of(targets))
        return loss.to(self.machine.torch_device)

    def first_network(self) -> AUNetwork:
        """The network before the first step, on the CPU.

        A pre-trained network keeps its backbone and gets a new head, unless the recipe
        shares the head and the AUs are the same.
        """
        aus, seed = self.data.aus, weights_seed(self.seed)
        prior = self.loss.prior() if self.recipe.prior_bias else None
        if self.initial is None:
            return build_network(self.spec, len(aus), seed, prior)
        shared = self.recipe.head == "shared"
        return rehead(self.initial, aus, seed, prior, keep_shared=shared).network

    def first_state(self) -> TrainingState:
        """The state before the first step, on the device."""
        recipe, device = self.recipe, self.machine.torch_device
        network = self.first_network().to(device)
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return TrainingState(
            network=network,
            optimizer=build_optimizer(
                recipe.optimizer, network, recipe.learning_rate, recipe.weight_decay
            ),
            averaged=AveragedWeights(network, recipe.average) if recipe.average else None,
            losses=torch.zeros(self.steps_per_epoch, device=device),
        )
