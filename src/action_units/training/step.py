"""One step of a training: forward, loss, backward and update of one global batch.

The batch may be cut twice: between the processes of a training, and then into pieces that
go through the network one after the other, where it does not fit into memory at once.
Either way the gradient is that of the whole batch, up to rounding.
"""

import logging
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from action_units.errors import ConfigurationError
from action_units.models.dropout import dropouts, seed_dropout
from action_units.training.compilation import compiled
from action_units.training.data.augmentation import Augmenter, Plan
from action_units.training.data.mixup import mix
from action_units.training.data.sources import FaceSource
from action_units.training.distributed.team import Team, parts
from action_units.training.memory import DeviceMemoryError
from action_units.training.optimizers import set_rate
from action_units.training.randomness import dropout_seed
from action_units.training.setup import Setup
from action_units.training.state import TrainingState

logger = logging.getLogger(__name__)

MicroBatch = int | Literal["auto"] | None


class Step:
    """Does steps, one after the other.

    Attributes:
        pieces: Into how many this process cuts its part of a batch.
    """

    def __init__(
        self, setup: Setup, state: TrainingState, team: Team, micro_batch: MicroBatch
    ) -> None:
        """Prepare what all steps share.

        Args:
            setup: What is trained.
            state: Changed by every step.
            team: The processes.
            micro_batch: Most faces that go through the network at once; ``auto`` halves
                until they fit.

        Raises:
            ConfigurationError: The batch is too small for the processes, or
                ``micro_batch`` cannot be had.
        """
        self.setup, self.state, self.team = setup, state, team
        self.augment = Augmenter(setup.recipe.augmentation, setup.seed, team.device)
        self._parameters = list(state.network.parameters())
        if setup.machine.compilation != "none" and team.size > 1:
            raise ConfigurationError(
                f"compilation {setup.machine.compilation} cannot be had on several devices; "
                "set it to none."
            )
        self._dropouts = dropouts(state.network)
        self._forward = compiled(state.network, setup.machine.compilation)
        # Pairs of mixup stay together.
        self._unit = 2 if setup.recipe.augmentation.mixup else 1
        shares = [p.stop - p.start for p in parts(setup.batch_size, team.size, self._unit)]
        if min(shares) == 0:
            raise ConfigurationError(
                f"A batch of {setup.batch_size} faces is too small for {team.size} devices; "
                "take fewer devices or a larger batch_size."
            )
        # All processes cut alike, so that their networks meet in batch normalisation.
        self._most_pieces = -(-min(shares) // self._unit)
        self._micro_batch, self._auto = micro_batch, micro_batch == "auto"
        self.pieces = 1
        if isinstance(micro_batch, int):
            self.pieces = -(-max(shares) // max(micro_batch // self._unit * self._unit, 1))
        self.pieces = min(self.pieces, self._most_pieces)
        self._tell_of_statistics(micro_batch)

    def __call__(
        self,
        source: FaceSource,
        targets: Tensor,
        plan: Plan,
        batch: slice,
        rate: float,
        ballot: Tensor | None,
    ) -> Tensor:
        """Do the state's next step.

        Args:
            source: The faces of the epoch.
            targets: float32 (B, A), the whole batch's.
            plan: Of the epoch.
            batch: The batch's places in the epoch.
            rate: Learning rate.
            ballot: Summed over the processes along with the gradients.

        Returns:
            The loss of the whole batch, a scalar.

        Raises:
            DeviceMemoryError: The device's memory is too small.
        """
        state, recipe = self.state, self.setup.recipe
        share = self.team.part(self.setup.batch_size, self._unit)
        faces = source[slice(batch.start + share.start, batch.start + share.stop)]
        loss = self._gradients(faces, targets, plan[batch], share)
        trained = [p.grad for p in self._parameters if p.grad is not None]
        self.team.total([*trained, loss, *([] if ballot is None else [ballot])])
        if recipe.gradient_clip is not None:
            nn.utils.clip_grad_norm_(self._parameters, recipe.gradient_clip)
        set_rate(state.optimizer, rate)
        state.optimizer.step()
        state.optimizer.zero_grad(set_to_none=True)
        if state.averaged is not None:
            state.averaged.update(state.step)
        return loss

    @property
    def most(self) -> int | None:
        """Faces that may go through the network at once; None where that has no limit."""
        if isinstance(self._micro_batch, int):
            return self._micro_batch
        # What several processes found to fit may differ.
        found = self.pieces > 1 and self.team.size == 1
        return -(-self.setup.batch_size // self.pieces) if found else None

    def resume(self, saved: Mapping[str, Any]) -> None:
        """Cut batches as an earlier part of the training found that they fit."""
        if self._auto and saved["machine"].get("devices") == self.team.size:
            self.pieces = min(int(saved.get("pieces", 1)), self._most_pieces)

    def _gradients(self, faces: Tensor, targets: Tensor, plan: Plan, share: slice) -> Tensor:
        """Gradients of this process's share of a batch, halving the pieces until they fit."""
        while True:
            buffers = [b.clone() for b in self.state.network.buffers()] if self._auto else []
            try:
                return self._accumulate(faces, targets, plan, share)
            except torch.OutOfMemoryError as error:
                if not self._auto or self.pieces >= self._most_pieces:
                    raise self._memory_error(error) from error
            self.state.optimizer.zero_grad(set_to_none=True)
            for buffer, before in zip(self.state.network.buffers(), buffers, strict=True):
                buffer.copy_(before)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            self.pieces = min(2 * self.pieces, self._most_pieces)
            logger.warning(
                "The device's memory is full; the batch of %d goes through in %d pieces.",
                self.setup.batch_size,
                self.pieces,
            )

    def _accumulate(self, faces: Tensor, targets: Tensor, plan: Plan, share: slice) -> Tensor:
        """Forward and backward over the pieces of a share.

        Args:
            faces: uint8 (b, S, S), the share's.
            targets: float32 (B, A), the batch's.
            plan: The batch's.
            share: The share's places in the batch.

        Returns:
            The share's part of the batch's loss, a scalar.
        """
        setup, n = self.setup, self.setup.batch_size
        seed = dropout_seed(setup.seed, self.state.step)
        whole = self.team.size == 1 and self.pieces == 1
        known = None if whole else self._known(targets, plan)
        losses = []
        for piece in parts(len(faces), self.pieces, self._unit):
            here = slice(share.start + piece.start, share.start + piece.stop)  # in the batch
            x, wanted = self.augment(faces[piece], plan[here]), targets[here]
            if setup.recipe.augmentation.mixup:
                x, wanted = mix(x, wanted, plan.second[here])  # (b, 1, S, S), (b, A)
            x = x.expand(-1, setup.spec.channels, -1, -1)
            seed_dropout(self._dropouts, seed, None if whole else here, n)
            x = x.contiguous(memory_format=torch.channels_last)
            losses.append(self.learn(x, wanted, known))
        return losses[0] if whole else torch.stack(losses).sum()

    def learn(self, x: Tensor, wanted: Tensor, known: Tensor | None = None) -> Tensor:
        """Forward, loss and backward: the part of a step that needs no number of Python's.

        Args:
            x: float32 (b, C, S, S), channels last.
            wanted: float32 (b, A), its targets.
            known: How many labels the whole batch has, where this is a piece of it.

        Returns:
            The piece's part of the batch's loss, a scalar.
        """
        with self.setup.machine.autocast():
            z = self._forward(x)  # (b, A)
        loss: Tensor = self.setup.loss(z, wanted)
        if known is not None:  # from the mean over the piece's labels to the batch's
            loss = loss * ((wanted >= 0).sum() / known)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _known(self, targets: Tensor, plan: Plan) -> Tensor:
        """How many labels of the whole batch are learned from."""
        if self.setup.recipe.augmentation.mixup:
            blank = targets.new_zeros(len(targets), 1, 1, 1)
            targets = mix(blank, targets, plan.second)[1]
        return (targets >= 0).sum().clamp(min=1)

    def _memory_error(self, error: Exception) -> DeviceMemoryError:
        n, size = self.setup.batch_size, self.setup.spec.image_size
        most = -(-n // (self.team.size * self.pieces))
        reason = str(error).split(". ")[0]
        return DeviceMemoryError(
            f"{self.setup.machine.device} has too little memory for {most} faces of "
            f"{size} × {size} pixels at once (batch_size {n}; {reason}); set micro_batch to "
            f"auto or to {max(1, most // 2)}, which leaves the batch as it is, or take a "
            "smaller batch_size or image_size."
        )

    def _tell_of_statistics(self, micro_batch: MicroBatch) -> None:
        """Batch normalisation sees what goes through at once."""
        norms = nn.modules.batchnorm._BatchNorm
        if not any(isinstance(layer, norms) for layer in self.state.network.modules()):
            return
        if self._auto and self.team.size > 1:
            raise ConfigurationError(
                "micro_batch auto cannot be had on several devices with batch normalisation, "
                "whose statistics need all of them to cut alike; give micro_batch a number."
            )
        if self.pieces > 1 and self.team.leads:
            logger.warning(
                "The network's batch normalisation takes its statistics over micro_batch %s "
                "faces, so the result is not that of the whole batch; normalisation layer or "
                "none would keep it.",
                micro_batch,
            )
