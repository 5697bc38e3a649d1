"""What a training learns of its labels' noise, beside the network.

Methods that need more than the logits and targets of a batch: an offset of every person, and
the memory of every face's probabilities. They are part of the training's state, so a stopped
training resumes with them, and no part of the model.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from action_units.config import Recipe
from action_units.training.data import TrainingData

RATE = 10.0
"""Learning rate of the offsets, as a multiple of the network's: each is in few batches."""


@dataclass(frozen=True)
class Batch:
    """Some faces of a step.

    Attributes:
        targets: float32 (B, A); negative where missing.
        positions: int64 (B,), their positions among the faces to learn from.
        probabilities: float32 (B, A), filled in by ``NoiseModel.loss``; None where nothing is
            remembered.
    """

    targets: Tensor
    positions: Tensor
    probabilities: Tensor | None = None

    def __getitem__(self, part: slice) -> "Batch":
        """A part of it, which shares memory with the whole."""
        filled = None if self.probabilities is None else self.probabilities[part]
        return Batch(self.targets[part], self.positions[part], filled)


class Loss(Protocol):
    """A loss, as of ``training.losses``."""

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Mean over the known labels."""
        ...


class NoiseModel(nn.Module):
    """Person effects and early-learning regularisation, each where the recipe has it.

    Person effects are the random intercepts of a mixed logistic model (Breslow & Clayton 1993):
    person s adds u[s, au] ~ N(0, d²) to the logits in the loss, at the mode of its posterior.
    """

    offsets: nn.Parameter | None
    person: Tensor
    weight: Tensor
    memory: Tensor | None

    def __init__(self, recipe: Recipe, data: TrainingData) -> None:
        """Start with offsets of zero, and memories at each AU's prevalence."""
        super().__init__()
        self.strength = recipe.early_learning.strength
        self.decay = recipe.early_learning.memory
        targets = torch.from_numpy(data.learned)  # (M, A)
        known = targets >= 0
        self.register_parameter("offsets", None)
        self.register_buffer("memory", None)
        if recipe.person_effects:
            assert data.people is not None
            people = np.unique(data.people[data.train_rows], return_inverse=True)[1]
            person = torch.from_numpy(people.reshape(-1).astype(np.int64))
            self.offsets = nn.Parameter(torch.zeros(int(person.max()) + 1, targets.shape[1]))
            labels = torch.zeros_like(self.offsets).index_add(0, person, known.float())
            # The prior's cost of an offset, divided among its labels.
            weight = 0.5 / (recipe.person_effects**2 * labels.clamp(min=1.0))
            self.register_buffer("person", person, persistent=False)
            self.register_buffer("weight", weight, persistent=False)
        if self.strength:
            counts = known.sum(dim=0).clamp(min=1)
            prevalence = targets.clamp(min=0.0).sum(dim=0) / counts
            self.memory = prevalence.repeat(len(targets), 1)

    def loss(self, plain: Loss, logits: Tensor, batch: Batch) -> Tensor:
        """The loss of a batch, a scalar, with what the methods add to it.

        Args:
            plain: The recipe's loss.
            logits: float32 (B, A).
            batch: Its probabilities are filled in.
        """
        cost = None
        if self.offsets is not None:
            person = self.person[batch.positions]
            offsets = self.offsets[person]  # (B, A)
            logits = logits + offsets
            cost = offsets.square() * self.weight[person]
        if self.memory is not None:
            assert batch.probabilities is not None
            p = torch.sigmoid(logits)
            batch.probabilities.copy_(p.detach())
            t = torch.lerp(batch.probabilities, self.memory[batch.positions], self.decay)
            agreement = t * p + (1.0 - t) * (1.0 - p)
            # Its logarithm's slope is infinite where both are sure.
            held = self.strength * torch.log(1.0 - agreement.clamp(max=1.0 - 1e-4))
            cost = held if cost is None else cost + held
        loss = plain(logits, batch.targets)
        if cost is None:
            return loss
        known = batch.targets >= 0
        return loss + (cost * known).sum() / known.sum().clamp(min=1)

    def blank(self, positions: Tensor) -> Tensor | None:
        """Room for the probabilities of a batch (B, A); None where nothing is remembered."""
        if self.memory is None:
            return None
        return self.memory.new_zeros(len(positions), self.memory.shape[1])

    @torch.no_grad()
    def remember(self, positions: Tensor, probabilities: Tensor | None) -> None:
        """Move the memory of faces towards their probabilities, (B, A)."""
        if self.memory is not None and probabilities is not None:
            old = self.memory[positions]
            self.memory[positions] = torch.lerp(probabilities, old, self.decay)
