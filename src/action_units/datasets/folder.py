"""A folder that a long piece of work fills: crops, checkpoints."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from action_units.files import make_folder
from action_units.media.paths import AnyPath, any_path


class FolderDataset(AbstractDataset[object, AnyPath]):
    """Hands a node the folder it may write in, made where it is missing.

    What is written there over minutes and hours must survive a kill, so the node
    writes file by file; a dataset that saves once at the end could not.
    """

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None) -> None:
        """Name the folder.

        Args:
            path: Where it lies; a path, or a URL that fsspec serves.
            metadata: Settings of Kedro-Viz; not used here.
        """
        self.path = any_path(path)
        self.metadata = metadata

    def load(self) -> AnyPath:
        """The folder, ready to be written in."""
        if isinstance(self.path, Path):
            make_folder(self.path)
        else:
            self.path.mkdir(parents=True, exist_ok=True)
        return self.path

    def save(self, data: object) -> None:
        """Make the folder; nodes write into it themselves."""
        self.load()

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self.path)}
