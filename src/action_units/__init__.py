"""Train facial action unit classifiers: noisy pre-training, expert fine-tuning."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """``action_units.predict``, imported when it is asked for: it takes a second."""
    if name == "predict":
        return import_module("action_units.prediction.api").predict
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
