"""Runs tracked by MLflow, where the plugin is installed; its metrics by themselves, always."""

import sqlite3
import sys

import numpy as np
import pandas as pd
import pytest

from action_units.config import MachineConfig
from action_units.tracking import TrackWithMlflow, metrics_of, values_of


def test_defined_averages_become_metrics():
    table = pd.DataFrame(
        [
            ("finetuned", "f1", "12 AUs", 0.5),
            ("finetuned", "f1", "AU01", 0.9),
            ("finetuned", "icc", "8 AUs", np.nan),
            ("scratch", "auc", "8 AUs", 0.75),
        ],
        columns=["model", "measure", "name", "mean_of_folds"],
    )
    assert metrics_of(table) == {"finetuned.f1.12 AUs": 0.5, "scratch.auc.8 AUs": 0.75}


def test_groups_of_parameters_become_single_values():
    groups = {"seed": 3, "training.machine": MachineConfig(threads=2)}
    values = values_of(groups)
    assert values["training.machine.threads"] == "2"
    assert "seed" not in values  # the plugin has it


def test_without_the_plugin_nothing_is_logged(monkeypatch):
    monkeypatch.delitem(sys.modules, "kedro_mlflow", raising=False)
    TrackWithMlflow().after_dataset_saved("summary_measures", None)


def test_runs_stand_side_by_side_in_one_database(copied):
    pytest.importorskip("kedro_mlflow")
    project = copied
    for _ in range(2):
        project.run("--env", "tiny", "--pipelines", "evaluate", "--params", "fold=1")
    with sqlite3.connect(project.path / "data" / "mlflow.db") as database:
        found = database.execute(
            "select r.run_uuid, m.value from runs r join metrics m using (run_uuid)"
            " where m.key = 'finetuned.f1.12 AUs'"
        ).fetchall()
    summary = pd.read_csv(
        project.path / "data/08_reporting/tiny/main/disfa/fg2020/summary.csv", na_values="n/a"
    )
    expected = summary.loc[summary["name"] == "12 AUs", "mean_of_folds"].iloc[0]
    assert len({run for run, _ in found}) >= 2
    assert [value for _, value in found] == pytest.approx([expected] * len(found))
