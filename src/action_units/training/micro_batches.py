"""Splitting a batch into micro-batches that fit into memory."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from action_units.errors import ConfigurationError
from action_units.training.context import TrainingContext
from action_units.training.device import DeviceMemoryError, memory_reason
from action_units.training.distributed import split
from action_units.training.state import TrainingState

logger = logging.getLogger(__name__)


class MicroBatches:
    """How this process's share of every batch is split.

    Attributes:
        share: The share, as places in the batch.
        count: Into how many micro-batches it is split.
    """

    def __init__(
        self,
        context: TrainingContext,
        state: TrainingState,
        saved: Mapping[str, Any] | None = None,
    ) -> None:
        """Split as configured, or as an earlier part of the training found that it fits.

        Raises:
            ConfigurationError: The batch is too small for the processes, or ``micro_batch``
                does not work with batch normalisation.
        """
        self._context, self._state = context, state
        group, n = context.group, context.batch_size
        # Pairs of mixup stay together.
        self._unit = 2 if context.recipe.augmentation.mixup else 1
        shares = split(n, group.size, self._unit)
        sizes = [share.stop - share.start for share in shares]
        if min(sizes) == 0:
            raise ConfigurationError(
                f"A batch of {n} faces is too small for {group.size} devices; "
                "take fewer devices or a larger batch_size."
            )
        self.share = shares[group.rank]
        micro_batch = context.job.machine.micro_batch
        self._auto = micro_batch == "auto"
        # All processes split alike, so that their networks meet in batch normalisation.
        self._max_count = -(-min(sizes) // self._unit)
        count = 1
        if isinstance(micro_batch, int):
            count = -(-max(sizes) // max(micro_batch // self._unit * self._unit, 1))
        elif self._auto and saved and saved["machine"].get("devices") == group.size:
            count = int(saved.get("pieces", 1))
        self.count = min(count, self._max_count)
        self._check_batch_normalisation()

    @property
    def limit(self) -> int | None:
        """Most faces that go through the network at once; None for no limit."""
        micro_batch = self._context.job.machine.micro_batch
        if isinstance(micro_batch, int):
            return micro_batch
        # Several processes may have split differently.
        known = self.count > 1 and self._context.group.size == 1
        return -(-self._context.batch_size // self.count) if known else None

    def run(self, accumulate: Callable[[list[slice]], Tensor]) -> Tensor:
        """Accumulate gradients over micro-batches, with ``auto`` twice as many until they fit.

        Args:
            accumulate: Takes the micro-batches, as places in the batch, and returns the loss.

        Raises:
            DeviceMemoryError: They do not fit.
        """
        network, optimizer = self._state.network, self._state.optimizer
        while True:
            buffers = [buffer.clone() for buffer in network.buffers()] if self._auto else []
            try:
                return accumulate(self._parts())
            except torch.OutOfMemoryError as error:
                if not self._auto or self.count >= self._max_count:
                    raise self._memory_error(error) from error
            optimizer.zero_grad(set_to_none=True)
            for buffer, before in zip(network.buffers(), buffers, strict=True):
                buffer.copy_(before)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            self.count = min(2 * self.count, self._max_count)
            logger.warning(
                "The device's memory is full; the batch of %d is split into %d micro-batches.",
                self._context.batch_size,
                self.count,
            )

    def _parts(self) -> list[slice]:
        first = self.share.start
        parts = split(self.share.stop - first, self.count, self._unit)
        return [slice(first + part.start, first + part.stop) for part in parts]

    def _memory_error(self, error: Exception) -> DeviceMemoryError:
        context, size = self._context, self._context.network_spec.image_size
        largest = -(-context.batch_size // (context.group.size * self.count))
        return DeviceMemoryError(
            f"{context.machine.device} has too little memory for {largest} faces of "
            f"{size} × {size} pixels at once (batch_size {context.batch_size}; "
            f"{memory_reason(error)}); set micro_batch to auto or to {max(1, largest // 2)}, "
            "which leaves the batch as it is, or take a smaller batch_size or image_size."
        )

    def _check_batch_normalisation(self) -> None:
        """Check and warn of its statistics, which are those of a micro-batch."""
        norms = nn.modules.batchnorm._BatchNorm
        if not any(isinstance(layer, norms) for layer in self._state.network.modules()):
            return
        if self._auto and self._context.group.size > 1:
            raise ConfigurationError(
                "micro_batch auto does not work on several devices with batch normalisation, "
                "whose statistics need all of them to split alike; give micro_batch a number."
            )
        if self.count > 1 and not self._auto and self._context.group.is_main:
            logger.warning(
                "The network's batch normalisation takes its statistics over micro_batch %s "
                "faces, so the result is not that of the whole batch; normalisation layer or "
                "none would keep it.",
                self._context.job.machine.micro_batch,
            )
