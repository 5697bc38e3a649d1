"""What lies on disk of all folds and of both quarantines, whoever made it."""

from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import AbstractDataset, DatasetError

from action_units.datasets.artifacts import JsonDataset, TableDataset
from action_units.evaluation.results import FoldEvaluation


class _ReadOnly(AbstractDataset[None, Any]):
    """A look at files that other datasets write."""

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None) -> None:
        """Name the folder.

        Args:
            path: The folder that is looked through.
            metadata: Settings of Kedro-Viz; not used here.
        """
        self.path = Path(path)
        self.metadata = metadata

    def save(self, data: None) -> None:
        """Not for this dataset."""
        raise DatasetError(f"{self.path} is only looked at; its files have their own datasets.")

    def _exists(self) -> bool:
        # There may be nothing in it yet: the nodes before this one's reader fill it.
        return True

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self.path)}


class EvaluatedFoldsDataset(_ReadOnly):
    """Every fold's evaluation with its predictions, by fold number."""

    def __init__(
        self, *, path: str, predictions: str, metadata: dict[str, Any] | None = None
    ) -> None:
        """Name the folders.

        Args:
            path: With ``fold1/evaluation.json`` and so on.
            predictions: With ``fold1/finetuned_predictions.parquet`` and so on.
            metadata: Settings of Kedro-Viz; not used here.
        """
        super().__init__(path=path, metadata=metadata)
        self.predictions = Path(predictions)

    def load(self) -> dict[int, tuple[FoldEvaluation, pd.DataFrame]]:
        """The folds that are there, in order."""
        found = {}
        for path in sorted(self.path.glob("fold*/evaluation.json")):
            evaluation = FoldEvaluation.from_json(JsonDataset(path=str(path)).load())
            table = self.predictions / path.parent.name / "finetuned_predictions.parquet"
            found[evaluation.fold] = (evaluation, TableDataset(path=str(table)).load())
        return found


class QuarantinesDataset(_ReadOnly):
    """All quarantine tables of a folder as one, with a column ``source``."""

    def load(self) -> pd.DataFrame:
        """``source, path, reason, detail, sha256``; empty where nothing was set aside."""
        tables = [
            TableDataset(path=str(path)).load().assign(source=path.stem)
            for path in sorted(self.path.glob("*.csv"))
        ]
        columns = ["source", "path", "reason", "detail", "sha256"]
        whole = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
        return whole.reindex(columns=columns)
