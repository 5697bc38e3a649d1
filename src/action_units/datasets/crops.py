"""The paper's interchange format on disk: a folder of crops and label CSVs."""

import json
import logging
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import AbstractDataset

from action_units.facs.folds import read_fold_tables, read_web_tables
from action_units.facs.label_tables import write_finetune_labels, write_pretrain_labels
from action_units.facs.protocols import fold_protocol
from action_units.files import write_text

logger = logging.getLogger(__name__)

_ORIGIN = "origin.json"


@dataclass(frozen=True)
class CropSet:
    """Crops and their labels.

    Attributes:
        folder: Where the crops lie.
        table: One row a crop, as the readers of label tables give it.
        origin: ``rendered``, or a word for whose data it is.
    """

    folder: Path
    table: pd.DataFrame
    origin: str


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
            path: The folder of the label CSVs.
            images: The folder of the crops; None: the same.
            metadata: Settings of Kedro-Viz; not used here.
        """
        self.path = Path(path)
        self.images = Path(images) if images else self.path
        self.metadata = metadata

    def save(self, data: CropSet) -> None:
        """Write the label CSVs; the crops lie beside them already."""
        write_text(self.path / _ORIGIN, json.dumps({"origin": data.origin}) + "\n")
        self._write(data.table)

    def load(self) -> CropSet:
        """Read and check the label CSVs; what is odd in them is logged."""
        table, notices = self._read()
        for notice in notices:
            logger.info("%s: %s", self.path, notice)
        marker = self.path / _ORIGIN
        origin = self.path.name
        if marker.is_file():
            origin = str(json.loads(marker.read_text())["origin"])
        return CropSet(folder=self.images, table=table, origin=origin)

    @abstractmethod
    def _read(self) -> tuple[pd.DataFrame, list[str]]:
        """The table, and what is odd about it."""

    @abstractmethod
    def _write(self, table: pd.DataFrame) -> None:
        """Write the label CSVs."""

    def _exists(self) -> bool:
        return any(self.path.glob("*.csv*"))

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self.path)}


class WebCropsDataset(_Crops):
    """``train_label.csv`` and ``test_label.csv``: 18 AUs, 0 or 1, as OpenFace sees them."""

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
            path: The folder of the label CSVs.
            images: The folder of the crops; None: the same.
            allow_identity_overlap: Accept a person in both files, with a warning.
            metadata: Settings of Kedro-Viz; not used here.
        """
        super().__init__(path=path, images=images, metadata=metadata)
        self.allow_identity_overlap = allow_identity_overlap

    def _read(self) -> tuple[pd.DataFrame, list[str]]:
        tables = read_web_tables(self.path, allow_identity_overlap=self.allow_identity_overlap)
        return tables.table, tables.notices

    def _write(self, table: pd.DataFrame) -> None:
        for split in ("train", "test"):
            write_pretrain_labels(
                table[table["split"] == split], self.path / f"{split}_label.csv"
            )


class DisfaCropsDataset(_Crops):
    """``fold{1,2,3}_{train,test}.csv``: 12 AUs, 0 or 1, as the experts coded them.

    The files are the paper's, so their folds are ``fg2020``'s. They are read as one
    table of all frames; the folds of a run are drawn from its own protocol.
    """

    _FILES = fold_protocol("fg2020")

    def _read(self) -> tuple[pd.DataFrame, list[str]]:
        tables = read_fold_tables(self.path)
        return tables.table, tables.notices + tables.differences_from(self._FILES)

    def _write(self, table: pd.DataFrame) -> None:
        for fold in self._FILES.folds:
            tested = table["subject"].isin(self._FILES.test_subjects(fold))
            parts: Mapping[str, pd.DataFrame] = {"train": table[~tested], "test": table[tested]}
            for part, rows in parts.items():
                write_finetune_labels(rows, self.path / f"fold{fold}_{part}.csv")
