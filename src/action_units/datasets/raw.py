"""Raw data as it is distributed: a person's own, or the rendered sample."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError

from action_units.sample.layout import MARKER

RENDERED = "rendered"


@dataclass(frozen=True)
class RawFolder:
    """The folder of a set's raw data.

    Attributes:
        path: Where it lies; there may be nothing where the set's settings name other places.
        origin: ``rendered``, or the name of the folder of a person's own data.
    """

    path: Path
    origin: str


class RawFolderDataset(AbstractDataset[Path, RawFolder]):
    """A folder of raw data; a node renders the sample into it, or a person fills it."""

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None) -> None:
        """Name the folder.

        Args:
            path: Where the data lies.
            metadata: Settings of Kedro-Viz; not used here.
        """
        self.path = Path(path)
        self.metadata = metadata

    def save(self, data: Path) -> None:
        """Accept the folder into which a node has rendered; nothing is written here."""
        if data != self.path:
            raise DatasetError(
                f"{self.path} is raw data: pipelines read it and never write it."
            )

    def load(self) -> RawFolder:
        """The folder, and the origin of its data."""
        rendered = (self.path / MARKER).is_file()
        return RawFolder(self.path, RENDERED if rendered else self.path.name)

    def _exists(self) -> bool:
        return self.path.is_dir() and any(self.path.iterdir())

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self.path)}
