"""Saying that a device's memory is full."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from action_units.errors import ActionUnitsError


class DeviceMemoryError(ActionUnitsError):
    """The device's memory is too small."""


@contextmanager
def memory_told(device: str) -> Iterator[None]:
    """Say in one sentence that memory is full, where a training needs it outside a pass.

    Raises:
        DeviceMemoryError: It is.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        reason = str(error).split(". ")[0]
        raise DeviceMemoryError(
            f"{device} has too little memory for the network, its optimiser and the faces that "
            f"are evaluated at once ({reason}); give micro_batch a number, which limits these "
            "too, or take a smaller width or image_size."
        ) from error
