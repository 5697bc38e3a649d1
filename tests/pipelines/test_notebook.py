"""The notebook that a `kedro jupyter lab` user opens runs from its first cell to its last."""

import shutil

import nbformat
from nbclient import NotebookClient

from tests.conftest import PROJECT


def test_every_cell_runs(copied, monkeypatch):
    folder = copied.path / "notebooks"
    shutil.copytree(PROJECT / "notebooks", folder, dirs_exist_ok=True)
    monkeypatch.setenv("ACTION_UNITS_ENV", "tiny")
    notebook = nbformat.read(folder / "explore.ipynb", as_version=4)
    NotebookClient(
        notebook, timeout=120, resources={"metadata": {"path": str(folder)}}
    ).execute()
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    assert not [o for o in outputs if o["output_type"] == "error"]
    assert sum("image/png" in o.get("data", {}) for o in outputs) == 2


def test_it_is_committed_without_outputs():
    notebook = nbformat.read(PROJECT / "notebooks/explore.ipynb", as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert cells
    assert not any(cell.outputs or cell.execution_count for cell in cells)
