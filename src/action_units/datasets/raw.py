"""Raw data as it is distributed: a person's own, or the rendered sample."""

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError

from action_units.errors import ArtifactError
from action_units.sample.layout import MARKER

RENDERED = "rendered"


@dataclass(frozen=True)
class WebPhotographs:
    """Web photographs with OpenFace's annotations of them.

    Attributes:
        photographs: A folder, a TSV or tars; a path, or a URL that fsspec serves.
        kind: ``folder``, ``tsv``, ``tar`` or ``auto``.
        annotations: OpenFace's CSV, or a folder of its CSVs.
        identities: CSV of ``identity,gender``.
        origin: ``rendered``, or the name of the folder of a person's own data.
    """

    photographs: str
    kind: str
    annotations: Path
    identities: Path
    origin: str


@dataclass(frozen=True)
class DisfaRecordings:
    """DISFA's videos and the experts' codes.

    Attributes:
        folder: In which the recordings and ``ActionUnit_Labels`` lie, at any depth.
        origin: ``rendered``, or the name of the folder of a person's own data.
    """

    folder: Path
    origin: str


class _RawFolder(AbstractDataset[Path, Any]):
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

    @abstractmethod
    def load(self) -> Any:
        """The paths of the parts."""

    def _origin(self) -> str:
        if not self._exists():
            raise ArtifactError(
                f"{self.path} is not there; put the raw data there (README, “Your own data”)."
            )
        return RENDERED if (self.path / MARKER).is_file() else self.path.name

    def _exists(self) -> bool:
        return self.path.is_dir() and any(self.path.iterdir())

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self.path)}


class WebPhotographsDataset(_RawFolder):
    """Photographs, ``openface.csv`` and ``identities.csv``, by default in one folder."""

    def __init__(
        self,
        *,
        path: str,
        photographs: str | None = None,
        kind: str = "auto",
        annotations: str | None = None,
        identities: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Name the parts.

        Args:
            path: The folder of all that is not named otherwise.
            photographs: A folder tree, a TSV, or tars (a file, a folder or a pattern);
                a path, or a URL that fsspec serves. None: ``photographs`` in `path`.
            kind: ``folder``, ``tsv`` or ``tar``; ``auto`` goes by the name.
            annotations: OpenFace's merged CSV, or a folder of its CSVs. None:
                ``openface.csv`` in `path`.
            identities: CSV of ``identity,gender``. None: ``identities.csv`` in `path`.
            metadata: Settings of Kedro-Viz; not used here.
        """
        super().__init__(path=path, metadata=metadata)
        self.photographs = photographs
        self.kind = kind
        self.annotations = Path(annotations or self.path / "openface.csv")
        self.identities = Path(identities or self.path / "identities.csv")

    def load(self) -> WebPhotographs:
        """The paths of the parts."""
        return WebPhotographs(
            self.photographs or str(self.path / "photographs"),
            self.kind,
            self.annotations,
            self.identities,
            self.path.name if self.photographs else self._origin(),
        )

    def _exists(self) -> bool:
        return self.photographs is not None or super()._exists()


class DisfaRecordingsDataset(_RawFolder):
    """DISFA's own folder: videos of both cameras and ``ActionUnit_Labels``."""

    def load(self) -> DisfaRecordings:
        """The folder, and the origin of its data."""
        return DisfaRecordings(self.path, self._origin())
