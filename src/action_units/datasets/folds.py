"""Scores of folds and runs on disk, and what the report shows with them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import AbstractDataset, DatasetError

from action_units.datasets.verified import CSV, JSON, VerifiedDataset
from action_units.evaluation.annotator_rates import AnnotatorRates, Rates, rates_table
from action_units.evaluation.cross.result import CrossTest
from action_units.evaluation.fold import FoldEvaluation
from action_units.evaluation.predictions import Predictions
from action_units.evaluation.run_folder import fold_files
from action_units.evaluation.summary import RunSummary
from action_units.files import reading, verify
from action_units.hints import command
from action_units.media.paths import fingerprints_in


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
        raise DatasetError(f"{self.path} is read-only; its files have their own datasets.")

    def _exists(self) -> bool:
        # There may be nothing in it yet: the nodes before this one's reader fill it.
        return True

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self.path)}


class AbsentDataset(AbstractDataset[None, None]):
    """Loads None: stands for an input that a run's parameters leave out."""

    def load(self) -> None:
        """None."""

    def save(self, data: None) -> None:
        """Not for this dataset."""
        raise DatasetError("what a run leaves out is never saved.")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {}


class FoldEvaluationDataset(VerifiedDataset):
    """A fold's scores: ``evaluation.json``, and tables for people in the same folder.

    Of each network ``{network}_au_report.csv``, a row for each AU, and
    ``{network}_averages.csv``, a row for each average over AUs.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Name the JSON file."""
        super().__init__(filepath=filepath, dataset=JSON, metadata=metadata)

    def load(self) -> FoldEvaluation:
        """The scores, from JSON."""
        content = super().load()
        with reading(self.path, command("evaluate")):
            return FoldEvaluation.from_json(content)

    def save(self, data: FoldEvaluation) -> None:
        """Write JSON and tables."""
        for name, model in data.models.items():
            for kind, table in (("au_report", model.au_table), ("averages", model.averages)):
                path = Path(self.path).parent / f"{name}_{kind}.csv"
                VerifiedDataset(filepath=str(path), dataset=CSV).save(table)
        super().save(data.to_json())


class RunSummaryDataset(VerifiedDataset):
    """The summary of a run: ``summary.json``, next to the folders of its folds."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Name the JSON file."""
        super().__init__(filepath=filepath, dataset=JSON, metadata=metadata)

    def load(self) -> RunSummary:
        """The summary, with the folds that it is of."""
        content = super().load()
        folds = fold_files(Path(self.path).parent, "evaluation.json").values()
        evaluations = [FoldEvaluationDataset(filepath=str(file)).load() for file in folds]
        with reading(self.path, command("evaluate")):
            return RunSummary.from_json(content, evaluations)

    def save(self, data: RunSummary) -> None:
        """Write the summary without its folds."""
        super().save(data.to_json())


class AnnotatorRatesDataset(VerifiedDataset):
    """How often the annotator errs, estimated and counted: JSON, and a CSV beside it."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Name the JSON file."""
        super().__init__(filepath=filepath, dataset=JSON, metadata=metadata)

    def load(self) -> Rates:
        """The rates by how they were found."""
        content = super().load()
        with reading(self.path, command("evaluate")):
            return {how: AnnotatorRates.from_json(rates) for how, rates in content.items()}

    def save(self, data: Rates) -> None:
        """Write both."""
        csv = str(Path(self.path).with_suffix(".csv"))
        VerifiedDataset(filepath=csv, dataset=CSV).save(rates_table(data))
        super().save({how: rates.to_json() for how, rates in data.items()})


class CrossTestDataset(VerifiedDataset):
    """The scores of a test on another coded set, as JSON."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Name the JSON file."""
        super().__init__(filepath=filepath, dataset=JSON, metadata=metadata)

    def load(self) -> CrossTest:
        """The test."""
        content = super().load()
        with reading(self.path, command("cross")):
            return CrossTest.from_json(content)

    def save(self, data: CrossTest) -> None:
        """Write it."""
        super().save(data.to_json())


@dataclass(frozen=True)
class EvaluatedFold:
    """A fold as it lies on disk.

    Attributes:
        evaluation: Its scores.
        predictions: Of the test subjects, by network: ``finetuned``, perhaps ``scratch``.
        raw: The same before they were smoothed or calibrated.
        validation: Of the validation subjects, raw.
        rates: The annotator's, where the fold has them.
    """

    evaluation: FoldEvaluation
    predictions: Mapping[str, pd.DataFrame]
    raw: Mapping[str, pd.DataFrame]
    validation: Mapping[str, pd.DataFrame]
    rates: Rates = field(default_factory=dict)

    def read_predictions(self, table: pd.DataFrame | None = None) -> Predictions:
        """The fine-tuned network's predictions, called by its thresholds.

        Args:
            table: Others of its predictions than those of the test subjects.
        """
        table = self.predictions["finetuned"] if table is None else table
        thresholds = list(self.evaluation.finetuned.au_table["threshold"])
        return Predictions.read(table, thresholds, self.evaluation.aus)


class EvaluatedFoldsDataset(_ReadOnly):
    """Every fold's evaluation with its predictions, by fold number.

    The nodes of the report all load it: the files are read and checked once, until one
    changes or Kedro releases it.
    """

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
        self._loaded: tuple[list[dict[str, str]], dict[int, EvaluatedFold]] | None = None

    def save(self, data: object) -> None:
        """Nothing: each fold's own datasets have written it."""

    def load(self) -> dict[int, EvaluatedFold]:
        """The folds that are there, in order."""
        places = (self.path, self.predictions)
        files = [
            fingerprints_in(folder)
            for place in places
            for folder in sorted(place.glob("fold*"))
        ]
        if self._loaded is None or self._loaded[0] != files:
            self._loaded = files, read_folds(*places)
        return dict(self._loaded[1])

    def _release(self) -> None:
        self._loaded = None


class EvaluatedRunsDataset(_ReadOnly):
    """The finished runs, by name: a folder of each, with ``fold1`` and so on in it."""

    def __init__(
        self,
        *,
        path: str,
        predictions: str,
        coded: str,
        protocol: str,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Name the folders.

        Args:
            path: With a folder of evaluations for each run.
            predictions: With a folder of predictions for each run.
            coded: The coded sets, whose folder is read in each run.
            protocol: The fold protocol, whose folder is read in that.
            metadata: Settings of Kedro-Viz; not used here.
        """
        super().__init__(path=path, metadata=metadata)
        self.predictions, self.folder = Path(predictions), Path(coded, protocol)

    def load(self) -> dict[str, Callable[[], dict[int, EvaluatedFold]]]:
        """Of each run that has an evaluated fold, what reads its folds."""
        names = {
            path.parents[3].name
            for path in self.path.glob(f"*/{self.folder}/fold*/evaluation.json")
        }
        return {name: partial(self._read, name) for name in sorted(names)}

    def _read(self, name: str) -> dict[int, EvaluatedFold]:
        return read_folds(self.path / name / self.folder, self.predictions / name / self.folder)


def read_folds(path: Path, predictions: Path) -> dict[int, EvaluatedFold]:
    """The evaluated folds of a run, in order.

    Raises:
        ArtifactError: Predictions of an evaluated fold are missing or damaged.
    """
    folds = {}
    for file in fold_files(path, "evaluation.json").values():
        evaluation = FoldEvaluationDataset(filepath=str(file)).load()
        folder, networks = predictions / file.parent.name, list(evaluation.models)
        rates = AnnotatorRatesDataset(filepath=str(file.with_name("annotator_rates.json")))
        folds[evaluation.fold] = EvaluatedFold(
            evaluation,
            _tables(folder, networks, "predictions", "evaluate"),
            _tables(folder, networks, "raw_predictions", "evaluate"),
            _tables(folder, networks, "validation_predictions", "finetune"),
            rates.load() if rates.exists() else {},
        )
    return folds


def _tables(
    folder: Path, networks: list[str], what: str, stage: str
) -> dict[str, pd.DataFrame]:
    tables = {}
    for name in networks:
        path = verify(folder / f"{name}_{what}.parquet", made_by=command(stage))
        with reading(path, command(stage)):
            tables[name] = pd.read_parquet(path)
    return tables
