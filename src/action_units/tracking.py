"""Parameters and metrics for MLflow, where the optional plugin kedro-mlflow is installed."""

import importlib
import re
import sys
from collections.abc import Mapping
from typing import Any

import pandas as pd
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline

from action_units.config import Settings
from action_units.hints import leaves

_UNTAKEN = re.compile(r"[^\w.\- /]")  # characters that MLflow refuses in a metric's name
_LONGEST = 500  # characters of a value that any MLflow takes


class TrackWithMlflow:
    """Logs parameters one by one, and the averages of the summary, to the plugin's MLflow run.

    The plugin itself logs each group of parameters as one text.
    """

    @hook_impl(trylast=True)  # after the plugin has opened its run
    def before_pipeline_run(
        self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]
    ) -> None:
        """Log the values of the groups of parameters that the pipeline takes."""
        if (mlflow := _active_mlflow()) is not None:
            names = [name for name in pipeline.inputs() if name.startswith("params:")]
            groups = {name.removeprefix("params:"): catalog.load(name) for name in names}
            mlflow.log_params(values_of(groups))

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any) -> None:
        """Log once the metrics of all folds are on disk."""
        if dataset_name == "summary_measures" and (mlflow := _active_mlflow()) is not None:
            mlflow.log_metrics(metrics_of(data))


def _active_mlflow() -> Any:
    """MLflow, if the plugin is loaded and has opened a run; else None."""
    if "kedro_mlflow" not in sys.modules:
        return None
    mlflow = importlib.import_module("mlflow")
    return mlflow if mlflow.active_run() is not None else None


def values_of(groups: Mapping[str, Any]) -> dict[str, str]:
    """Every value of the parameters that are groups, by its dotted name."""
    plain = {
        name: group.to_json() for name, group in groups.items() if isinstance(group, Settings)
    }
    return {name: str(value)[:_LONGEST] for name, value in leaves(plain)}


def metrics_of(measures: pd.DataFrame) -> dict[str, float]:
    """The means of folds of every defined average, by names such as ``finetuned.f1.12 AUs``.

    Of several sets ``studio.finetuned.f1.12 AUs`` is that of one.

    Args:
        measures: From ``RunSummary.metrics_table``.
    """
    averages = measures[measures["name"].str.contains(" AUs")]
    named = averages["model"] + "." + averages["measure"] + "." + averages["name"]
    if "set" in averages:
        from action_units.evaluation.summary import ALL_SETS

        named = (averages["set"] + ".").where(averages["set"] != ALL_SETS, "") + named
    values = pd.Series(averages["mean_of_folds"].to_numpy(float), index=named).dropna()
    return {_UNTAKEN.sub("_", str(name)): float(value) for name, value in values.items()}
