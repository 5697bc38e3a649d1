"""Predictions written to a folder, once for each source and model.

Of a video there are ``<name>.csv``, ``<name>.parquet`` and ``<name>.json``, the record: what
the table was made from and with. A table whose record still holds is not made again. The
photographs of a source share one table; what could not be used is in ``quarantine.csv``.
"""

import json
import logging
import platform
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from action_units import __version__
from action_units.csv_text import to_csv
from action_units.errors import LabelError, UnusableFace
from action_units.faces.quarantine import Quarantine
from action_units.files import sha256_of, sweep, write_text
from action_units.labels.action_units import au_columns
from action_units.media.video import container_info
from action_units.prediction.engine import Engine
from action_units.prediction.sources import (
    Photographs,
    Source,
    VideoFile,
    passed_over,
    short_hash,
)
from action_units.prediction.tables import table_files, with_suffix
from action_units.progress import Progress

logger = logging.getLogger(__name__)

QUARANTINE = "quarantine.csv"
DAMAGED = "damaged video"

_FORMAT = 2  # raised whenever the same would give another table
_TOLD_BY = ("format", "source", "stamp", "model", "settings")
_PACKAGES = ("numpy", "opencv-python-headless", "pandas", "pillow", "torch")


@dataclass(frozen=True)
class Outcome:
    """What came of a video, or of all photographs of a source.

    Attributes:
        part: That.
        stem: The path of its files, without suffix.
        record: What is in its ``.json``; empty where it was set aside.
        before: It had been done before.
        quarantine: What of it could not be used.
    """

    part: Photographs | VideoFile
    stem: Path
    record: Mapping[str, Any]
    before: bool
    quarantine: Quarantine = field(default_factory=Quarantine)

    @property
    def unit(self) -> str:
        """What its rows are of."""
        return "pictures" if isinstance(self.part, Photographs) else "frames"

    @property
    def table(self) -> Path:
        """Its table as Parquet; the same as CSV lies beside it."""
        return with_suffix(self.stem, ".parquet")


def predict_into(source: Source, engine: Engine, out: Path | str) -> list[Outcome]:
    """Write the tables of all that a source means.

    Args:
        source: What to look at.
        engine: Started, with the classifier to ask.
        out: The folder; made where it is missing.

    Returns:
        One for each video, and one for the photographs.

    Raises:
        LabelError: The source is one video, which is damaged.
        UnusableFace: It is one picture, which cannot be used.
        ArtifactError: The disk refused.
    """
    out = Path(out)
    for folder in {_stem(part, out).parent for part in source.parts}:
        sweep(folder)
    done = [_predict_part(part, engine, out, source.single) for part in source.parts]
    quarantine = Quarantine()
    quarantine.extend(source.set_aside)
    for outcome in done:
        quarantine.extend(outcome.quarantine)
    table = quarantine.table().drop(columns="sha256")
    write_text(out / QUARANTINE, to_csv(table))
    if len(quarantine):
        logger.warning(
            "Set aside: %s; %s says which and why.", quarantine.summary(), out / QUARANTINE
        )
    if source.passed_over:
        logger.warning(
            "%s: passed over as no pictures and no videos: %s",
            source.location,
            passed_over(source.passed_over),
        )
    return done


def summary_table(done: list[Outcome]) -> pd.DataFrame:
    """One row a table: ``source, table, frames, rows, faces, set_aside, done_before``.

    A source that was set aside has no table and no frames.
    """
    rows = [
        {
            "source": outcome.part.location,
            "table": str(outcome.table) if outcome.record else "",
            **{name: outcome.record.get(name, 0) for name in ("frames", "rows", "faces")},
            "set_aside": len(outcome.quarantine),
            "done_before": outcome.before,
        }
        for outcome in done
    ]
    return pd.DataFrame(rows)


def _predict_part(
    part: Photographs | VideoFile, engine: Engine, out: Path, single: bool
) -> Outcome:
    told = _told(part, engine)
    stem = _stem(part, out)
    record, quarantine = with_suffix(stem, ".json"), Quarantine()
    if (before := _done_before(record, told)) is not None:
        for row in before["set_aside"]:
            quarantine.add(*row)
        logger.info("%s: done before, %s", part.location, with_suffix(stem, ".csv"))
        return Outcome(part, stem, before, True, quarantine)
    try:
        counts = _write(part, engine, stem, quarantine, single)
    except LabelError as error:
        if single or isinstance(part, Photographs):
            raise
        logger.warning("%s: set aside: %s", part.location, error.problem)
        quarantine.add(part.location, DAMAGED, str(error))
        return Outcome(part, stem, {}, False, quarantine)
    files = {name: sha256_of(with_suffix(stem, name)) for name in (".csv", ".parquet")}
    found = {
        **told,
        "classifier": engine.classifier.name,
        "thresholds": dict(
            zip(
                au_columns(engine.classifier.aus),
                engine.classifier.thresholds.tolist(),
                strict=True,
            )
        ),
        **counts,
        "set_aside": quarantine.rows(),
        "sha256": files,
        "versions": _versions(),
    }
    write_text(record, json.dumps(found, indent=1) + "\n")
    return Outcome(part, stem, found, False, quarantine)


def _write(
    part: Photographs | VideoFile,
    engine: Engine,
    stem: Path,
    quarantine: Quarantine,
    single: bool,
) -> dict[str, Any]:
    """Write a table, and count what is in it."""
    counts = {"frames": 0, "rows": 0, "faces": 0}
    facts: dict[str, Any] = {}
    if isinstance(part, VideoFile):
        told = container_info(part.path)
        facts["frames_per_second"] = told.rate
        rows, total, unit = engine.video(part.path), told.frames or 0, "frames"
    else:
        rows = engine.photographs(part.read(), quarantine)
        total, unit = part.count, "pictures"
    photographs = isinstance(part, Photographs)
    with (
        closing(rows),
        Progress(f"Predicting {part.name}", total, unit) as progress,
        table_files(stem, engine.classifier.aus, photographs) as add,
    ):
        for some in rows:
            add(some)
            counts["frames"] += some.frames
            counts["rows"] += len(some.keys)
            counts["faces"] += sum(key[5] for key in some.keys)
            progress.advance(some.frames, f"{counts['faces']:,} faces")
        if single and (unusable := quarantine.unusable()):
            _, reason, detail, _ = unusable[0]
            raise UnusableFace(reason, f"{part.location}: {detail}")
    return {**counts, **facts}


def _told(part: Photographs | VideoFile, engine: Engine) -> dict[str, Any]:
    """All that a table depends on."""
    faces = engine.classifier.faces
    return {
        "format": _FORMAT,
        "source": part.location,
        "stamp": part.fingerprint,
        "model": engine.classifier.sha256,
        "settings": {
            "faces": engine.mode,
            **json.loads(json.dumps(faces.settings.provenance())),
            "size": faces.size,
        },
    }


def _stem(part: Photographs | VideoFile, out: Path) -> Path:
    """Where a part's files go; never over those of another source."""
    stem = out / part.name
    try:
        other = json.loads(with_suffix(stem, ".json").read_text())["source"]
    except (OSError, ValueError, KeyError, TypeError):
        return stem
    return stem if other == part.location else out / f"{part.name}-{short_hash(part.location)}"


def _done_before(record: Path, told: Mapping[str, Any]) -> dict[str, Any] | None:
    """The record of a table that was made from the same with the same, and is there."""
    try:
        found: dict[str, Any] = json.loads(record.read_text())
        stem = record.with_suffix("")
        if any(found.get(name) != told[name] for name in _TOLD_BY):
            return None
        there = {name: sha256_of(with_suffix(stem, name)) for name in found["sha256"]}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return found if there == found["sha256"] else None


def _versions() -> dict[str, str]:
    return {
        "action_units": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES},
    }
