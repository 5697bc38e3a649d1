"""Lazy import of timm, an optional library of image networks (``timm`` on PyPI).

The import takes seconds, and timm needs a torchvision of the same build as torch.
"""

import difflib
from typing import Any

from action_units.errors import ConfigurationError
from action_units.extras import import_extra

_TORCHVISION = (
    ", with a torchvision of the same build as torch (for a CPU build, the one of PyTorch's "
    "CPU index)"
)


def import_timm() -> Any:
    """The library.

    Raises:
        ConfigurationError: It is not installed, or fails on import.
    """
    try:
        return import_extra("timm", "timm", "architecture timm", _TORCHVISION)
    except (ImportError, RuntimeError) as error:  # a torchvision of another build
        raise ConfigurationError(
            f"timm is installed but cannot be imported ({error}): install "
            f"'action-units[timm]'{_TORCHVISION}."
        ) from error


def check_timm_model(name: str | None) -> None:
    """Refuse a name that timm does not know.

    Raises:
        ConfigurationError: With the nearest names.
    """
    if name is None:
        raise ConfigurationError(
            "NetworkSpec option 'timm_model' is missing; architecture timm needs a name, such "
            "as resnet18."
        )
    names = [str(known) for known in import_timm().list_models()]
    if name not in names:
        near = difflib.get_close_matches(name, names, n=5, cutoff=0.5)
        guess = f"the nearest are: {', '.join(near)}" if near else "none is like it"
        raise ConfigurationError(
            f"NetworkSpec option 'timm_model' is {name!r}, which is none of timm's "
            f"{len(names)} models; {guess}."
        )
