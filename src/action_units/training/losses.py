"""Losses of multi-label classification, each a small module in one registry.

Every loss takes logits (N, A) and targets (N, A) in [0, 1]; a negative or NaN target is a
missing label and is left out. The value is the mean over the known
labels. A soft target t costs t times what a positive costs and 1-t times what a negative
does.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from action_units.config import LossName, LossOptions
from action_units.models.network import log_odds


class BinaryLoss(nn.Module):
    """Binary cross-entropy with missing labels; the variants change ``each``."""

    def __init__(self, options: LossOptions, prevalence: Tensor) -> None:
        """Take the constants and the prevalence (A,), as of ``prevalence_of``."""
        super().__init__()
        self.options = options
        self.register_buffer("prevalence", prevalence, persistent=False)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Mean loss of the known labels, a scalar."""
        labelled = targets >= 0  # not so for NaN
        known = labelled.to(logits.dtype)
        smoothing = self.options.label_smoothing
        smooth = torch.where(labelled, targets, 0.0) * (1.0 - smoothing) + 0.5 * smoothing
        losses = self.each(logits, smooth) * known  # (N, A)
        return losses.sum() / known.sum().clamp(min=1.0)

    def each(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The loss of every label, (N, A)."""
        return functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")

    def prior(self) -> list[float]:
        """The constant probability of each AU that this loss is smallest at, nearly."""
        prior: list[float] = self.prevalence.tolist()  # type: ignore[operator]
        return prior


class WeightedLoss(BinaryLoss):
    """Positives weigh more the rarer their AU is."""

    weight: Tensor

    def __init__(self, options: LossOptions, prevalence: Tensor) -> None:
        """Compute the weights from the prevalence."""
        super().__init__(options, prevalence)
        p = prevalence.double().clamp(1e-6, 1 - 1e-6)
        weight = ((1 - p) / p).pow(options.weight_power)
        limited = weight.clamp(1.0 / options.max_weight, options.max_weight)
        self.register_buffer("weight", limited.float(), persistent=False)

    def each(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The loss of every label, (N, A)."""
        return functional.binary_cross_entropy_with_logits(
            logits, targets, pos_weight=self.weight, reduction="none"
        )

    def prior(self) -> list[float]:
        """As in the base; weighted positives pull the optimum up."""
        odds = [
            math.log(float(w)) + log_odds(p)
            for w, p in zip(self.weight, super().prior(), strict=True)
        ]
        return [1.0 / (1.0 + math.exp(-o)) for o in odds]


class FocalLoss(BinaryLoss):
    """Down-weights easy labels (Lin et al. 2017, arXiv 1708.02002, eq. 4)."""

    def each(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The loss of every label, (N, A)."""
        gamma = self.options.gamma
        hit, missed = functional.logsigmoid(logits), functional.logsigmoid(-logits)
        # Powers of a probability by its logarithm: finite slopes for every exponent.
        positive = torch.exp(gamma * missed) * hit
        negative = torch.exp(gamma * hit) * missed
        return -(targets * positive + (1.0 - targets) * negative)


class AsymmetricLoss(BinaryLoss):
    """Down-weights easy negatives more (Ridnik et al. 2021, arXiv 2009.14119, eqs. 4-7)."""

    def each(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The loss of every label, (N, A)."""
        options = self.options
        hit, missed = functional.logsigmoid(logits), functional.logsigmoid(-logits)
        positive = torch.exp(options.gamma_positive * missed) * hit
        # The slope of a root is infinite at zero.
        shifted = (torch.sigmoid(logits) - options.margin).clamp(min=1e-12)
        if options.margin:  # log(1 - shifted)
            margin = torch.full_like(missed, math.log(options.margin))
            missed = torch.logaddexp(missed, margin).clamp(max=0.0)
        negative = shifted.pow(options.gamma_negative) * missed
        return -(targets * positive + (1.0 - targets) * negative)


class GeneralizedLoss(BinaryLoss):
    """Robust to wrong labels, which stay hard (Zhang & Sabuncu 2018, arXiv 1805.07836).

    The paper's (1 - p**q) / q, p being the probability of the label, for two classes an AU.
    """

    def each(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The loss of every label, (N, A)."""
        q = self.options.q
        positive = -torch.expm1(q * functional.logsigmoid(logits)) / q
        negative = -torch.expm1(q * functional.logsigmoid(-logits)) / q
        return targets * positive + (1.0 - targets) * negative


LOSSES: dict[LossName, Callable[[LossOptions, Tensor], BinaryLoss]] = {
    "bce": BinaryLoss,
    "weighted_bce": WeightedLoss,
    "focal": FocalLoss,
    "asymmetric": AsymmetricLoss,
    "generalized_ce": GeneralizedLoss,
}


def build_loss(options: LossOptions, prevalence: Tensor) -> BinaryLoss:
    """The loss that the options name, for the prevalence (A,) as of ``prevalence_of``."""
    return LOSSES[options.name](options, prevalence)


def prevalence_of(targets: Tensor, weights: Tensor | None = None) -> Tensor:
    """Part of positives among the known labels.

    Args:
        targets: (N, A) in [0, 1]; negative where missing.
        weights: float64 (N,), how often each face is drawn; all alike without.

    Returns:
        float32 (A,), one half where no label is known.
    """
    known = (targets >= 0).double()
    if weights is not None:
        known *= weights[:, None] * len(weights) / weights.sum()
    positives = (targets.double() * known).sum(dim=0)
    count = known.sum(dim=0)
    return torch.where(count > 0, positives / count.where(count > 0, 1.0), 0.5).float()
