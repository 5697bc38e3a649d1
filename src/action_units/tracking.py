"""A run's figures for MLflow, where the optional plugin kedro-mlflow is installed."""

import importlib
import re
import sys
from typing import Any

import pandas as pd
from kedro.framework.hooks import hook_impl

_UNTAKEN = re.compile(r"[^\w.\- /]")  # characters that MLflow refuses in a metric's name


class TrackWithMlflow:
    """Logs every average of a run's summary to the MLflow run that the plugin has opened."""

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any) -> None:
        """Log once the figures of all folds are on disk."""
        if dataset_name != "summary_measures" or "kedro_mlflow" not in sys.modules:
            return
        mlflow = importlib.import_module("mlflow")
        if mlflow.active_run() is not None:
            mlflow.log_metrics(metrics_of(data))


def metrics_of(measures: pd.DataFrame) -> dict[str, float]:
    """The means of folds of every average as MLflow takes them, undefined ones left out.

    Args:
        measures: From ``RunSummary.measures_table``.

    Returns:
        By names such as ``finetuned.f1.12 AUs``.
    """
    averages = measures[measures["name"].str.contains(" AUs")]
    named = averages["model"] + "." + averages["measure"] + "." + averages["name"]
    values = pd.Series(averages["mean_of_folds"].to_numpy(float), index=named).dropna()
    return {_UNTAKEN.sub("_", str(name)): float(value) for name, value in values.items()}
