"""Each folder that a run writes into is that run's; what preprocessing makes is shared."""

import os
import threading

import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner
from pluggy import PluginManager

from action_units.datasets.verified import CSV, VerifiedDataset
from action_units.errors import ArtifactError
from action_units.hooks import LockFolders
from action_units.locks import locked

LOCK = ".run.lock"


def prepare(one):
    return pd.DataFrame({"one": [one]})


def train(table):
    return table * 2


def nodes(*tags):
    made = {
        "preprocess": Node(prepare, "one", "crops", name="prepare", tags="preprocess"),
        "pretrain": Node(train, "crops", "model", name="train", tags="pretrain"),
    }
    return Pipeline([made[tag] for tag in tags])


@pytest.fixture
def catalog(tmp_path):
    return DataCatalog(
        {
            "one": MemoryDataset(1),
            "crops": VerifiedDataset(
                filepath=str(tmp_path / "shared" / "crops.csv"), dataset=CSV
            ),
            "model": VerifiedDataset(
                filepath=str(tmp_path / "main" / "model.csv"), dataset=CSV
            ),
        }
    )


def run(pipeline, catalog, hooks=None):
    from kedro.framework.hooks.manager import _create_hook_manager

    hooks = hooks or LockFolders()
    manager: PluginManager = _create_hook_manager()
    manager.register(hooks)
    hooks.before_pipeline_run(pipeline, catalog)
    try:
        SequentialRunner().run(pipeline, catalog, manager)
    finally:
        hooks.after_pipeline_run()


@pytest.mark.parametrize(
    ("stages", "folder"), [(("preprocess",), "shared"), (("pretrain",), "main")]
)
def test_the_second_run_in_a_folder_is_refused(tmp_path, catalog, stages, folder):
    if stages == ("pretrain",):
        catalog.save("crops", prepare(1))
    with (
        locked(tmp_path / folder, name=LOCK),
        pytest.raises(ArtifactError, match=f"{folder} is in use by process {os.getpid()} on"),
    ):
        run(nodes(*stages), catalog)
    run(nodes(*stages), catalog)


def test_a_run_of_another_name_waits_for_preprocessing_and_then_goes_on(tmp_path, catalog):
    with locked(tmp_path / "shared", name=LOCK):
        thread = threading.Thread(target=run, args=(nodes("preprocess", "pretrain"), catalog))
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
        assert not (tmp_path / "shared" / "crops.csv").exists()
    thread.join()
    assert catalog.load("model")["one"].tolist() == [2]


def test_the_shared_folders_are_free_while_it_trains(tmp_path, catalog):
    hooks, free = LockFolders(), []

    def look(table):
        with locked(tmp_path / "shared", name=LOCK):
            free.append(True)
        return train(table)

    stages = [*nodes("preprocess").nodes, Node(look, "crops", "model", tags="pretrain")]
    run(Pipeline(stages), catalog, hooks)
    assert free == [True]


def test_an_interrupted_run_of_a_notebook_keeps_no_folder(tmp_path, catalog):
    hooks = LockFolders()
    hooks.before_pipeline_run(nodes("preprocess"), catalog)
    run(nodes("preprocess"), catalog, hooks)
    with locked(tmp_path / "shared", name=LOCK):
        pass
