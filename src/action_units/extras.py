"""Optional packages, which are imported only when they are used."""

import importlib
from typing import Any

from action_units.errors import ConfigurationError


def import_extra(module: str, extra: str, purpose: str, advice: str = "") -> Any:
    """Import a module that an optional extra of this project installs, or that needs it.

    Args:
        module: Such as ``onnxruntime.quantization``.
        extra: Its name in ``pip install 'action-units[…]'``.
        purpose: What needs it, the subject of the error message: ``ONNX export``.
        advice: Follows the command to type, before the full stop.

    Raises:
        ConfigurationError: It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "action_units").partition(".")[0] == "action_units":
            raise  # a mistake of this project
        raise ConfigurationError(
            f"{purpose} needs the package {error.name}, which is not installed: "
            f"pip install 'action-units[{extra}]'{advice}."
        ) from error
