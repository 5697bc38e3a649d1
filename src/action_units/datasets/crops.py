"""A folder of square crops and their labels: one working table, and the paper's CSVs.

``labels.parquet`` is what the project reads. The headerless CSVs of the paper's authors are
also written for other programs. A folder that has only such CSVs, as the authors share
it, is imported from them.
"""

import json
import logging
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import AbstractDataset

from action_units.errors import ArtifactError
from action_units.faces.crop_folder import UNFINISHED
from action_units.files import (
    SUMS,
    atomic_write,
    check_sums,
    reading,
    write_sums,
    write_text,
)
from action_units.hints import command
from action_units.labels.action_units import au_columns, aus_of_columns
from action_units.labels.folds import FG2020
from action_units.labels.tables import (
    read_fold_tables,
    read_web_tables,
    write_fold_tables,
    write_web_tables,
)
from action_units.labels.warnings import coded_warnings, web_warnings
from action_units.media.paths import AnyPath, any_path

logger = logging.getLogger(__name__)

_LABELS, _ORIGIN = "labels.parquet", "origin.json"
_OLD_DETAILS = "details.parquet"  # of a version that had no labels.parquet
_FIRST = ("image", "rectsize", "gender", "subject", "frame", "split")


@dataclass(frozen=True)
class CropSet:
    """Crops and their labels.

    Attributes:
        folder: Where the crops lie.
        table: One row a crop: ``image``, ``rectsize``, ``subject``, the label columns, and
            what else is known of it.
        origin: ``rendered``, or the name of the folder of a person's own data.
        provenance: How the faces were found and cut out (``FaceSettings.provenance``); None
            where that was done elsewhere.
    """

    folder: AnyPath
    table: pd.DataFrame
    origin: str
    provenance: Mapping[str, Any] | None = None


class _Crops(AbstractDataset[CropSet, CropSet]):
    """What the two kinds of crops share."""

    def __init__(
        self,
        *,
        path: str,
        images: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Name the folder.

        Args:
            path: The folder of the labels.
            images: The folder of the crops, perhaps a URL that fsspec serves; None: the same.
            metadata: Settings of Kedro-Viz; not used here.
        """
        self.path = Path(path)
        self.images = any_path(images) if images else self.path
        self.metadata = metadata

    def save(self, data: CropSet) -> None:
        """Write the labels; the crops are in their folder already."""
        (self.path / SUMS).unlink(missing_ok=True)
        about = {"origin": data.origin, "made_with": data.provenance}
        write_text(self.path / _ORIGIN, json.dumps(about) + "\n")
        labels = [*_FIRST, *au_columns(aus_of_columns(data.table.columns))]
        first = [name for name in labels if name in data.table]
        table = data.table[[*first, *(name for name in data.table if name not in labels)]]
        with atomic_write(self.path / _LABELS) as file:
            table.to_parquet(file, index=False)
        written = self._export(table)
        write_sums(self.path, [_ORIGIN, _LABELS, *(path.name for path in written)])
        (self.images / UNFINISHED).unlink(missing_ok=True)

    def load(self) -> CropSet:
        """Read the labels, and log warnings about them.

        Raises:
            ArtifactError: The crops are unfinished, or a file is not as it was written here.
            LabelError: Imported labels are not sound.
        """
        if (self.images / UNFINISHED).exists():
            raise ArtifactError(
                f"{self.images} is not finished: a run was stopped while it made these crops; "
                f"{command('preprocess')} continues."
            )
        if not check_sums(self.path, f"{command('preprocess')} makes it again"):
            logger.info("%s has no %s, so its files are read unchecked", self.path, SUMS)
        labels = self.path / _LABELS
        if labels.is_file():
            with reading(labels, command("preprocess")):
                table = pd.read_parquet(labels)
            warnings = self._warnings(table)
        elif (self.path / _OLD_DETAILS).exists():
            raise ArtifactError(
                f"{self.path} has {_OLD_DETAILS} of an earlier version and no {_LABELS}; "
                f"{command('preprocess')} makes that of the crops that are there. Delete "
                f"{_OLD_DETAILS} to import the CSVs alone, without intensities."
            )
        else:
            table, warnings = self._import()
        for warning in warnings:
            logger.info("%s: %s", self.path, warning)
        origin = self.path / _ORIGIN
        with reading(origin, command("preprocess")):
            about = dict(json.loads(origin.read_text())) if origin.is_file() else {}
        return CropSet(
            folder=self.images,
            table=table,
            origin=str(about.get("origin", self.path.name)),
            provenance=about.get("made_with"),
        )

    @abstractmethod
    def _export(self, table: pd.DataFrame) -> Iterable[Path]:
        """Write the paper's CSVs."""

    @abstractmethod
    def _import(self) -> tuple[pd.DataFrame, list[str]]:
        """The table of the paper's CSVs, and warnings about it."""

    @abstractmethod
    def _warnings(self, table: pd.DataFrame) -> list[str]:
        """Warnings about a table that is read from ``labels.parquet``."""

    def _exists(self) -> bool:
        return (self.path / _LABELS).is_file() or any(self.path.glob("*.csv*"))

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self.path)}


class WebCropsDataset(_Crops):
    """Web faces; ``train_label.csv`` and ``test_label.csv`` have the paper's 18 AUs, 0 or 1.

    Faces of other AUs, or with missing labels, are in ``labels.parquet`` alone.
    """

    def __init__(
        self,
        *,
        path: str,
        images: str | None = None,
        allow_identity_overlap: bool = False,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Name the folder.

        Args:
            path: The folder of the labels.
            images: The folder of the crops, perhaps a URL that fsspec serves; None: the same.
            allow_identity_overlap: Import CSVs that have one person in both, with a warning.
            metadata: Settings of Kedro-Viz; not used here.
        """
        super().__init__(path=path, images=images, metadata=metadata)
        self.allow_identity_overlap = allow_identity_overlap

    def _export(self, table: pd.DataFrame) -> Iterable[Path]:
        return write_web_tables(table, self.path)

    def _import(self) -> tuple[pd.DataFrame, list[str]]:
        tables = read_web_tables(self.path, allow_identity_overlap=self.allow_identity_overlap)
        return tables.table, tables.warnings

    def _warnings(self, table: pd.DataFrame) -> list[str]:
        return web_warnings(table)


class CodedCropsDataset(_Crops):
    """Coded frames; ``fold{1,2,3}_{train,test}.csv`` have DISFA's with 12 AUs, 0 or 1.

    These files are the paper's, so their folds are ``fg2020``'s. A run draws its folds from
    its own protocol. Other sets' frames are in ``labels.parquet`` alone.
    """

    def _export(self, table: pd.DataFrame) -> Iterable[Path]:
        return write_fold_tables(table, self.path, FG2020)

    def _import(self) -> tuple[pd.DataFrame, list[str]]:
        tables = read_fold_tables(self.path)
        return tables.table, tables.warnings + tables.differences_from(FG2020)

    def _warnings(self, table: pd.DataFrame) -> list[str]:
        return coded_warnings(table)
