"""Train facial action unit classifiers: noisy pre-training, expert fine-tuning."""

import os
import sys
from importlib import import_module
from typing import Any

__version__ = "0.1.0"

if sys.platform == "win32":
    raise ImportError(
        "Action Units runs on Linux and macOS: its locks and signals are those of POSIX. On "
        "Windows, install it in WSL 2, the Windows Subsystem for Linux."
    )

# Read once, when the libraries are loaded, so this comes before any of them. OpenMP's threads
# wait for each other by spinning for a long time, which on a machine with other work makes two
# threads many times slower than one. Not to spin at all costs a third of the speed of training
# on an idle machine; a short spin (GNU's OpenMP; others are passive) is good on both
# (benchmarks/RESULTS.md). ONNX Runtime, MLflow and Kedro's plugin report to their makers.
if not os.environ.keys() & {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"}:
    os.environ |= {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "7000"}
os.environ |= {
    "DO_NOT_TRACK": "1",
    "KEDRO_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "ORT_DISABLE_TELEMETRY": "1",
}


def be_quiet() -> None:
    """What Kedro calls first (`kedro.init`), in any folder; the import has done the work."""


def __getattr__(name: str) -> Any:
    """``action_units.predict``, imported on first use: it takes a second."""
    if name == "predict":
        return import_module("action_units.prediction.predict").predict
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
