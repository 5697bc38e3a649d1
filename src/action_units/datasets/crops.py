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

from action_units.errors import ArtifactError
from action_units.faces.crop_folder import UNFINISHED
from action_units.faces.folders import Folder, place
from action_units.files import (
    SUMS,
    atomic_write,
    check_sums,
    reading,
    write_sums,
    write_text,
)
from action_units.hints import command
from action_units.labels.action_units import (
    DISFA_AUS,
    PRETRAIN_AUS,
    au_columns,
    aus_of_columns,
)
from action_units.labels.folds import fold_protocol
from action_units.labels.tables import (
    read_fold_tables,
    read_web_tables,
    write_finetune_labels,
    write_pretrain_labels,
)

logger = logging.getLogger(__name__)

_ORIGIN = "origin.json"
_DETAILS = "details.parquet"


@dataclass(frozen=True)
class CropSet:
    """Crops and their labels.

    Attributes:
        folder: Where the crops lie.
        table: One row a crop, as the readers of label tables give it.
        origin: ``rendered``, or a word for whose data it is.
        made_with: How the faces were found and cut out (``FaceSettings.provenance``); None
            where that was done elsewhere.
    """

    folder: Folder
    table: pd.DataFrame
    origin: str
    made_with: Mapping[str, Any] | None = None


class _Crops(AbstractDataset[CropSet, CropSet]):
    """What the two kinds of crops share."""

    _AUS: tuple[int, ...]
    _IN_LABELS: tuple[str, ...] = ("image", "rectsize", "gender", "subject", "frame", "split")

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
            images: The folder of the crops, perhaps a URL that fsspec serves; None: the same.
            metadata: Settings of Kedro-Viz; not used here.
        """
        self.path = Path(path)
        self.images = place(images) if images else self.path
        self.metadata = metadata

    def save(self, data: CropSet) -> None:
        """Write the label CSVs and the details; the crops lie in their folder already."""
        aus = aus_of_columns(data.table.columns)
        origin: dict[str, Any] = {"origin": data.origin, "made_with": data.made_with}
        if aus != self._AUS:
            origin["aus"] = aus
        (self.path / SUMS).unlink(missing_ok=True)
        write_text(self.path / _ORIGIN, json.dumps(origin) + "\n")
        self._write(data.table)
        labels = {*self._IN_LABELS, *au_columns(aus)}
        details = [name for name in data.table if name not in labels]
        with atomic_write(self.path / _DETAILS) as file:
            data.table[["image", *details]].to_parquet(file, index=False)
        tables = [path.name for path in self.path.glob("*.csv")]
        write_sums(self.path, [_ORIGIN, _DETAILS, *tables])
        (self.images / UNFINISHED).unlink(missing_ok=True)

    def load(self) -> CropSet:
        """Read and check the label CSVs; what is odd in them is logged.

        Raises:
            ArtifactError: Crops and labels do not belong together yet, or a file is not as it
                was written here.
            LabelError: The labels cannot be trusted.
        """
        if (self.images / UNFINISHED).exists():
            raise ArtifactError(
                f"{self.images} is not finished: its crops were being made when that was "
                f"stopped; {command('preprocess')} goes on with it."
            )
        if not check_sums(self.path, f"{command('preprocess')} makes it again"):
            logger.info("%s has no %s, so its files are read unchecked", self.path, SUMS)
        table, notices = self._read()
        for notice in notices:
            logger.info("%s: %s", self.path, notice)
        table = self._with_details(table)
        known = self._known()
        return CropSet(
            folder=self.images,
            table=table,
            origin=str(known.get("origin", self.path.name)),
            made_with=known.get("made_with"),
        )

    def _known(self) -> dict[str, Any]:
        """What was kept of the set beside its tables."""
        path = self.path / _ORIGIN
        with reading(path, command("preprocess")):
            return dict(json.loads(path.read_text())) if path.is_file() else {}

    def _with_details(self, table: pd.DataFrame) -> pd.DataFrame:
        """What the label CSVs cannot hold: intensities, scores, where each crop is from."""
        path = self.path / _DETAILS
        if not path.is_file():
            return table
        with reading(path, command("preprocess")):
            details = pd.read_parquet(path).set_index("image")
        if details.index.has_duplicates:
            image = details.index[details.index.duplicated()][0]
            raise ArtifactError(
                f"{path} has {image} twice, so it is damaged; delete it to go without what the "
                "label tables cannot hold, or run preprocessing again."
            )
        if not table["image"].isin(details.index).all():
            logger.info("%s lacks some of the labelled crops, so it is not used", path)
            return table
        new = details[[name for name in details if name not in table]]
        return table.join(new, on="image")

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
    """``train_label.csv`` and ``test_label.csv``: 18 AUs, 0 or 1, as OpenFace sees them.

    Tables of other AUs, as intensities alone give them, are read where this wrote them.
    """

    _AUS = PRETRAIN_AUS

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
            images: The folder of the crops, perhaps a URL that fsspec serves; None: the same.
            allow_identity_overlap: Accept a person in both files, with a warning.
            metadata: Settings of Kedro-Viz; not used here.
        """
        super().__init__(path=path, images=images, metadata=metadata)
        self.allow_identity_overlap = allow_identity_overlap

    def _read(self) -> tuple[pd.DataFrame, list[str]]:
        aus = self._known().get("aus", self._AUS)
        tables = read_web_tables(self.path, aus, self.allow_identity_overlap)
        return tables.table, tables.notices

    def _write(self, table: pd.DataFrame) -> None:
        for split in ("train", "test"):
            write_pretrain_labels(
                table[table["split"] == split],
                self.path / f"{split}_label.csv",
                aus_of_columns(table.columns),
            )


class DisfaCropsDataset(_Crops):
    """``fold{1,2,3}_{train,test}.csv``: 12 AUs, 0 or 1, as the experts coded them.

    The files are the paper's, so their folds are ``fg2020``'s. They are read as one
    table of all frames; the folds of a run are drawn from its own protocol.
    """

    _AUS = DISFA_AUS
    _FILES = fold_protocol("fg2020")

    def _read(self) -> tuple[pd.DataFrame, list[str]]:
        tables = read_fold_tables(self.path)
        return tables.table, tables.notices + tables.differences_from(self._FILES)

    def _write(self, table: pd.DataFrame) -> None:
        for fold in self._FILES.folds:
            tested = table["subject"].isin(self._FILES.test_subjects(fold))
            parts: Mapping[str, pd.DataFrame] = {"train": table[~tested], "test": table[tested]}
            for part, rows in parts.items():
                path = self.path / f"fold{fold}_{part}.csv"
                if len(rows):
                    write_finetune_labels(rows, path)
                else:  # of subjects who are not there (any more)
                    path.unlink(missing_ok=True)
                    logger.info("%s is not written: no subject of it is there", path)
