"""Raw data as it is distributed; where there is none, a rendered sample of it.

The first load of a folder that is not there renders the sample into it. A folder
that holds anything else is a person's own data and is only read.
"""

import logging
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError

from action_units.errors import ArtifactError
from action_units.sample.disfa import write_disfa_sample
from action_units.sample.layout import MARKER
from action_units.sample.web import write_web_sample

logger = logging.getLogger(__name__)

RENDERED = "rendered"


@dataclass(frozen=True)
class WebPhotographs:
    """Web photographs with OpenFace's annotations of them.

    Attributes:
        photographs: A folder, a TSV or tars; a path, or a URL that fsspec serves.
        kind: ``folder``, ``tsv``, ``tar`` or ``auto``.
        annotations: OpenFace's CSV, or a folder of its CSVs.
        identities: CSV of ``identity,gender``.
        origin: ``rendered``, or the name of the folder that a person put there.
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
        origin: ``rendered``, or the name of the folder that a person put there.
    """

    folder: Path
    origin: str


class _RawFolder(AbstractDataset[None, Any]):
    """A folder of raw data, rendered where it is missing."""

    def __init__(
        self,
        *,
        path: str,
        sample: Mapping[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Name the folder.

        Args:
            path: Where the data lies.
            sample: Parameters of the rendered sample; None never renders.
            metadata: Settings of Kedro-Viz; not used here.
        """
        self.path = Path(path)
        self.sample = None if sample is None else dict(sample)
        self.metadata = metadata

    def save(self, data: None) -> None:
        """Raw data is never written by a pipeline."""
        raise DatasetError(f"{self.path} is raw data: pipelines read it and never write it.")

    @abstractmethod
    def _render(self) -> None:
        """Render the sample into the folder, unless it lies there."""

    def _origin(self) -> str:
        """Render what is missing, and say whose data it is."""
        is_own = (
            self.path.is_dir()
            and any(self.path.iterdir())
            and not (self.path / MARKER).is_file()
        )
        if is_own:
            return self.path.name
        if self.sample is None:
            raise ArtifactError(
                f"{self.path} is not there; put the raw data there (README, “Your own data”)."
            )
        self._render()
        return RENDERED

    def _exists(self) -> bool:
        return self.path.is_dir() or self.sample is not None

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self.path), "sample": self.sample is not None}


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
        sample: Mapping[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Name the parts.

        Args:
            path: The folder of all that is not named otherwise.
            photographs: A folder tree, a TSV, or tars (a file, a folder or a pattern);
                a path, or a URL that fsspec serves. None: ``photographs`` in `path`.
            kind: ``folder``, ``tsv`` or ``tar``; ``auto`` tells by the name.
            annotations: OpenFace's merged CSV, or a folder of its CSVs. None:
                ``openface.csv`` in `path`.
            identities: CSV of ``identity,gender``. None: ``identities.csv`` in `path`.
            sample: Parameters of the rendered sample; None never renders.
            metadata: Settings of Kedro-Viz; not used here.
        """
        super().__init__(path=path, sample=None if photographs else sample, metadata=metadata)
        self.photographs = photographs or str(self.path / "photographs")
        self.elsewhere = photographs is not None
        self.kind = kind
        self.annotations = Path(annotations or self.path / "openface.csv")
        self.identities = Path(identities or self.path / "identities.csv")

    def load(self) -> WebPhotographs:
        """The places of the parts."""
        origin = self.path.name if self.elsewhere else self._origin()
        return WebPhotographs(
            self.photographs, self.kind, self.annotations, self.identities, origin
        )

    def _render(self) -> None:
        if write_web_sample(self.path, self.sample or {}):
            logger.info("Rendered web photographs into %s", self.path)


class DisfaRecordingsDataset(_RawFolder):
    """DISFA's own folder: videos of both cameras and ``ActionUnit_Labels``."""

    def load(self) -> DisfaRecordings:
        """The places of the parts."""
        origin = self._origin()
        return DisfaRecordings(self.path, origin)

    def _render(self) -> None:
        if write_disfa_sample(self.path, self.sample or {}):
            logger.info("Rendered recordings in DISFA's layout into %s", self.path)
