"""The sample is rendered by its own pipeline, and never into a person's own data."""

from pathlib import Path

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from action_units.config import DisfaSampleConfig, WebSampleConfig
from action_units.datasets.folder import FolderDataset
from action_units.datasets.raw import (
    RENDERED,
    DisfaRecordingsDataset,
    WebPhotographsDataset,
)
from action_units.pipelines.sample import create_pipeline

SMALL = {"disfa": DisfaSampleConfig(), "web": WebSampleConfig(photographs=4, identities=2)}


@pytest.fixture
def catalog(tmp_path: Path) -> DataCatalog:
    datasets = {
        "web_photographs": WebPhotographsDataset(path=str(tmp_path / "web")),
        "disfa_recordings": DisfaRecordingsDataset(path=str(tmp_path / "disfa")),
    }
    for name, config in SMALL.items():
        datasets[f"{name}_sample_folder"] = FolderDataset(path=str(tmp_path / name))
        datasets[f"params:sample.{name}"] = MemoryDataset(config)
    return DataCatalog(datasets)


def test_the_sample_is_rendered_once(catalog: DataCatalog, tmp_path: Path) -> None:
    assert not catalog.exists("web_photographs")
    web = create_pipeline().only_nodes("sample.render_photographs")
    SequentialRunner().run(web, catalog)
    assert catalog.load("web_photographs").origin == RENDERED
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    SequentialRunner().run(web, catalog)
    again = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert again == files


def test_nothing_is_rendered_into_a_person_s_own_data(
    catalog: DataCatalog, tmp_path: Path
) -> None:
    for name in SMALL:
        (tmp_path / name).mkdir()
        (tmp_path / name / "notes.txt").write_text("mine")
    SequentialRunner().run(create_pipeline(), catalog)
    origins = [catalog.load(name).origin for name in ("web_photographs", "disfa_recordings")]
    assert origins == ["web", "disfa"]
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"notes.txt"}
