"""What a training learns of its labels' noise, beside the network.

Methods that need more than the logits and targets of a batch: a second head for intensities,
the annotator's error rates, and a memory of every face's probabilities. They are part of the
training's state, so a stopped training resumes with them, and no part of the model.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from action_units.config import Recipe
from action_units.models.network import AUHead
from action_units.training.data import TrainingData
from action_units.training.losses import BinaryLoss

RATE = 10.0
"""Learning rate of the error rates, as a multiple of the network's."""
FIRST = -2.0
"""Error rates start at softmax(-2, -2, 0): 0.11 each."""


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


class NoiseModel(nn.Module):
    """Intensities, error rates and early-learning regularisation, where the recipe has them.

    Error rates a and b of an AU are the first two of softmax(u, v, 0), so that a + b < 1.
    """

    ranks: Tensor | None
    head: AUHead | None
    rates: nn.Parameter | None
    memory: Tensor | None

    def __init__(self, recipe: Recipe, data: TrainingData, n_features: int, seed: int) -> None:
        """Start with small weights, and memories at each AU's prevalence.

        Args:
            recipe: Which methods there are.
            data: The training's.
            n_features: Of the backbone.
            seed: Decides the second head's first weights.
        """
        super().__init__()
        self.intensity_weight = recipe.intensity_weight
        self.volume = recipe.error_rates
        self.strength = recipe.early_learning.strength
        self.decay = recipe.early_learning.memory
        targets = torch.from_numpy(data.learned)  # (M, A)
        known = targets >= 0
        self.head = None
        self.register_buffer("ranks", None, persistent=False)
        self.register_parameter("rates", None)
        self.register_buffer("memory", None)
        if data.ranks is not None:
            self.head = AUHead(n_features, targets.shape[1])
            self.head.initialise(torch.Generator().manual_seed(seed))
            self.ranks = torch.from_numpy(data.ranks)
        if self.volume:
            self.rates = nn.Parameter(torch.full((2, targets.shape[1]), FIRST))
        if self.strength:
            counts = known.sum(dim=0).clamp(min=1)
            prevalence = targets.clamp(min=0.0).sum(dim=0) / counts
            self.memory = prevalence.repeat(len(targets), 1)

    def batch(self, targets: Tensor, positions: Tensor) -> Batch:
        """A batch of targets (B, A), with room for probabilities where they are remembered."""
        blank = None if self.memory is None else torch.zeros_like(targets)
        return Batch(targets, positions, blank)

    def loss(self, plain: BinaryLoss, logits: Tensor, features: Tensor, batch: Batch) -> Tensor:
        """The loss of a batch, a scalar, with what the methods add to it.

        Args:
            plain: The recipe's loss.
            logits: float32 (B, A).
            features: (B, F), what the logits were made of.
            batch: Its probabilities are filled in.
        """
        costs = []  # of each label, (B, A)
        if self.head is not None and self.ranks is not None:
            ranks = self.ranks[batch.positions]
            each = plain.each(self.head(features), ranks.clamp(min=0.0))
            costs.append(self.intensity_weight * each * (ranks >= 0))
        if self.rates is not None:
            three = torch.cat([self.rates, torch.zeros_like(self.rates[:1])])
            log_a, log_b, log_rest = functional.log_softmax(three, dim=0)  # (A,) each
            yes = torch.logaddexp(log_a, log_rest + functional.logsigmoid(logits))
            no = torch.logaddexp(log_b, log_rest + functional.logsigmoid(-logits))
            logits = yes - no  # of a + (1 - a - b) p
            costs.append((self.volume * log_rest).expand_as(logits))
        if self.memory is not None and batch.probabilities is not None:
            p = torch.sigmoid(logits)
            batch.probabilities.copy_(p.detach())
            t = torch.lerp(batch.probabilities, self.memory[batch.positions], self.decay)
            agreement = t * p + (1.0 - t) * (1.0 - p)
            # Its logarithm's slope is infinite where both are sure.
            costs.append(self.strength * torch.log(1.0 - agreement.clamp(max=1.0 - 1e-4)))
        loss: Tensor = plain(logits, batch.targets)
        if costs:
            known = batch.targets >= 0
            loss = loss + (sum(costs) * known).sum() / known.sum().clamp(min=1)
        return loss

    @torch.no_grad()
    def remember(self, positions: Tensor, probabilities: Tensor | None) -> None:
        """Move the memory of faces towards their probabilities, (B, A)."""
        if self.memory is not None and probabilities is not None:
            old = self.memory[positions]
            self.memory[positions] = torch.lerp(probabilities, old, self.decay)
