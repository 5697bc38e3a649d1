"""The door to ONNX, an optional extra: ``onnx`` writes files, ``onnxruntime`` runs them."""

import importlib
from types import ModuleType

from action_units.errors import ConfigurationError


def import_onnx(name: str) -> ModuleType:
    """A module of the extra.

    Args:
        name: Such as ``onnx`` or ``onnxruntime.quantization``.

    Raises:
        ConfigurationError: It is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or name
        if missing.split(".")[0] not in ("onnx", "onnxruntime"):
            raise
        raise ConfigurationError(
            f"ONNX files need {missing}, which is not installed; install it with "
            "`pip install 'action-units[onnx]'`."
        ) from error
