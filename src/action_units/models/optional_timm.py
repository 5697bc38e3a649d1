"""The door to timm, an optional library of image networks (``timm`` on PyPI).

It is imported only when a network of it is asked for: the import takes seconds, and timm
needs a torchvision that fits the installed torch to the build.
"""

import difflib
import importlib
from types import ModuleType

from action_units.errors import ConfigurationError

INSTALL = (
    "install it with `pip install 'action-units[timm]'`, with a torchvision of the same "
    "build as torch (beside a CPU build, the one of PyTorch's CPU index)"
)


def import_timm() -> ModuleType:
    """The library.

    Raises:
        ConfigurationError: It is not installed, or fails on import.
    """
    try:
        return importlib.import_module("timm")
    except ModuleNotFoundError as error:
        if error.name == "timm":
            raise ConfigurationError(f"architecture timm needs timm; {INSTALL}.") from error
        raise ConfigurationError(
            f"timm is installed but misses {error.name}; {INSTALL}."
        ) from error
    except (ImportError, RuntimeError) as error:  # a torchvision of another build
        raise ConfigurationError(
            f"timm is installed but cannot be imported ({error}); {INSTALL}."
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
