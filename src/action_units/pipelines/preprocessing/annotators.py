"""Who annotated a web set's photographs: programs, by their files, or a finished run."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from action_units.config import AnnotationSettings, PreprocessSettings, WebSetSettings
from action_units.config.data import RUN
from action_units.faces.crop import FaceSettings
from action_units.faces.join_labels import join_annotations
from action_units.faces.quarantine import Quarantine
from action_units.labels.action_units import aus_of_columns
from action_units.labels.annotations.combine import combine
from action_units.labels.annotations.csv_rows import csv_files_below
from action_units.labels.annotations.read import Annotations, read_annotations
from action_units.labels.annotations.registry import DEFAULT
from action_units.media.paths import AnyPath

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Annotator:
    """One annotator of a web set.

    Attributes:
        settings: Who it is, and how that is read.
        path: Its file, a folder of its files, or the folder of a run's models.
        table: Its labels; None where they are still to be made.
    """

    settings: AnnotationSettings
    path: Path
    table: Annotations | None = None

    @property
    def is_openface(self) -> bool:
        """Whether its files may be made here, by running the program."""
        return self.settings.program == DEFAULT

    def read_table(self) -> Annotations:
        """The labels in its files; raises LabelError where they are not sound."""
        return read_annotations(
            self.path,
            self.settings.program,
            min_confidence=self.settings.min_confidence,
            suffix="",  # names are matched whatever their suffix
            present_from=self.settings.present_from,
            scale=self.settings.scale,
        )

    def read(self) -> "Annotator":
        """The same with `table`, from its files."""
        return replace(self, table=self.read_table())

    def predict(
        self, folder: AnyPath, crops: pd.DataFrame, faces: FaceSettings, device: str
    ) -> "Annotator":
        """The same with a run's labels of crops; raises as ``annotate_crops``."""
        from action_units.prediction.annotate import annotate_crops

        logger.warning(
            "%s labels the faces: what its networks have learned from coded subjects is in "
            "these labels, so results on the same subjects may flatter",
            self.path,
        )
        table = annotate_crops(
            folder,
            crops,
            self.path,
            faces.provenance(),
            present_from=self.settings.present_from,
            device=device,
        )
        return replace(self, table=table)


def find_annotators(
    raw: Path,
    web: WebSetSettings,
    openface_folder: Path,
    models: Path,
    preprocess: PreprocessSettings,
) -> tuple[Annotator, ...]:
    """The annotators of a web set, one or two, with the labels in files that are there.

    Args:
        raw: The set's folder of raw data.
        web: Its settings.
        openface_folder: Where OpenFace's files are written, where its program is run here.
        models: The folder of all runs' models.
        preprocess: Has OpenFace's program.

    Raises:
        LabelError: A file is missing or not sound.
        ConfigurationError: There is no such run.
    """
    chosen = (web.annotations, web.second_annotations)
    return tuple(
        _find(one, raw, openface_folder, models, preprocess)
        for one in chosen
        if one is not None
    )


def own_file(settings: AnnotationSettings, raw: Path) -> Path:
    """Where a program's annotations are, given or in the set's folder."""
    name = "openface" if settings.program == DEFAULT else settings.program
    return Path(settings.path or raw / f"{name}.csv")


def label_crops(
    crops: pd.DataFrame,
    annotators: Sequence[Annotator],
    web: WebSetSettings,
    margin: float,
    photographs: Iterable[str],
) -> tuple[pd.DataFrame, Quarantine]:
    """Join the labels of one annotator, or of two as one, to the crops.

    Args:
        crops: A row a crop.
        annotators: With their labels, or files of them.
        web: How two are combined.
        margin: Of the crops.
        photographs: The names of all, where these are known.

    Returns:
        The crops that have labels, with ``annotator`` where that is not OpenFace alone, and
        the quarantine of those that an annotator has not labelled.

    Raises:
        LabelError: From ``join_annotations``.
    """
    tables = [one.table or one.read_table() for one in annotators]
    parts = [
        join_annotations(crops, labels, one.path, margin, photographs)
        for one, labels in zip(annotators, tables, strict=True)
    ]
    table, quarantine = parts[0]
    for other, unlabelled in parts[1:]:
        names = [one.title for one in tables]
        own = {f"AU{au:02d}" for au in aus_of_columns(other.columns)}
        labels = other[["image", *(name for name in other if str(name)[:4] in own)]]
        table = combine(table, labels, web.combine, names)
        known = {row[0] for row in quarantine.rows()}
        quarantine.extend(Quarantine(row for row in unlabelled.rows() if row[0] not in known))
    if len(annotators) > 1 or not annotators[0].is_openface:
        table = table.assign(annotator=" and ".join(one.title for one in tables))
    return table, quarantine


def _find(
    settings: AnnotationSettings,
    raw: Path,
    openface_folder: Path,
    models: Path,
    preprocess: PreprocessSettings,
) -> Annotator:
    if settings.program == RUN:
        from action_units.prediction.annotate import find_run

        return Annotator(settings, find_run(str(settings.path), models))
    path = own_file(settings, raw)
    if settings.program == DEFAULT:
        made_here = preprocess.openface.binary is not None
        if made_here or not path.exists():
            annotator = Annotator(settings, openface_folder)
            has_files = openface_folder.is_dir() and any(csv_files_below(openface_folder))
            return annotator.read() if has_files and not made_here else annotator
    return Annotator(settings, path).read()
