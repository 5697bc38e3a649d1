"""Tables of predictions, and the folder that they are written to once per source and model.

A video has ``<name>.csv``, ``<name>.parquet`` and ``<name>.json``, the record: what the table
was made from and with. A table is not made again while its record is valid. The photographs
of a source share one table; unusable sources are listed in ``quarantine.csv``.
"""

import json
import logging
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from action_units import __version__
from action_units.csv_text import as_written, to_csv
from action_units.errors import LabelError, UnusableFace
from action_units.faces.quarantine import Quarantine
from action_units.files import atomic_write, sha256_of, sweep, write_text
from action_units.fingerprint import changes, read_record
from action_units.labels.action_units import au_columns
from action_units.media.video import container_info
from action_units.prediction.sources import (
    Photographs,
    Source,
    VideoFile,
    short_hash,
    skipped_text,
)
from action_units.progress import Progress

if TYPE_CHECKING:
    from action_units.prediction.engine import Engine

logger = logging.getLogger(__name__)

NO_FACE = -1
"""The ``face_id`` of a frame without a face."""

QUARANTINE = "quarantine.csv"
DAMAGED = "damaged video"

_FORMAT = 2  # raised whenever the same input would give another table
_PACKAGES = ("numpy", "opencv-python-headless", "pandas", "pillow", "torch")
_ROW_GROUP = 4096


class Key(NamedTuple):
    """The columns before the AUs; ``image`` is a column of photographs alone."""

    image: str
    frame: int
    timestamp: float
    face_id: int
    confidence: float
    success: int
    x: float
    y: float
    width: float
    height: float


_ARROW = {str: pa.string(), int: pa.int64(), float: pa.float64()}
_KEYS = [(name, _ARROW[kind]) for name, kind in Key.__annotations__.items()]


@dataclass(frozen=True)
class Rows:
    """Some rows of a table, in order.

    Attributes:
        keys: The columns before the AUs.
        probabilities: (N, A), NaN without a face.
        present: Whether an AU is called present, (N, A); meaningless without a
            face.
        frames: The number of frames or photographs.
        intensities: Expected, 0 to 5, NaN without a face or a curve, (N, A); None where no AU
            is estimated.
    """

    keys: Sequence[Key]
    probabilities: npt.NDArray[np.float32]
    present: npt.NDArray[np.bool_]
    frames: int
    intensities: npt.NDArray[np.float32] | None = None


def schema(aus: Sequence[int], photographs: bool, estimated: Sequence[int] = ()) -> pa.Schema:
    """Names and types of a table's columns; AUs that are `estimated` have intensities."""
    columns = au_columns(aus)
    return pa.schema(
        (_KEYS if photographs else _KEYS[1:])
        + [(f"{column}_p", pa.float32()) for column in columns]
        + [(f"{column}_r", pa.float32()) for column in au_columns(estimated)]
        + [(f"{column}_c", pa.int8()) for column in columns]
    )


def arrow_table(
    parts: Sequence[Rows], aus: Sequence[int], photographs: bool, estimated: Sequence[int] = ()
) -> pa.Table:
    """Rows as an Arrow table; arguments as of `schema`."""
    keys = [key for part in parts for key in part.keys]
    columns = list(zip(*keys, strict=True)) or [()] * len(_KEYS)
    p = np.concatenate([np.empty((0, len(aus)), np.float32), *(r.probabilities for r in parts)])
    present = np.concatenate([np.empty((0, len(aus)), np.bool_), *(r.present for r in parts)])
    no_face = np.isnan(p)  # (N, A)
    arrays = [pa.array(column, kind) for column, (_, kind) in zip(columns, _KEYS, strict=True)]
    arrays = arrays if photographs else arrays[1:]
    # NaN stays NaN: a reader of Parquet sees a number column, and pandas the same either way.
    arrays += [pa.array(p[:, a]) for a in range(len(aus))]
    each = [part.intensities for part in parts if part.intensities is not None]
    intensities = np.concatenate([np.empty((0, len(aus)), np.float32), *each])
    arrays += [pa.array(intensities[:, list(aus).index(au)]) for au in estimated]
    arrays += [
        pa.array(present[:, a].astype(np.int8), mask=no_face[:, a]) for a in range(len(aus))
    ]
    return pa.Table.from_arrays(arrays, schema=schema(aus, photographs, estimated))


def data_frame(table: pa.Table) -> pd.DataFrame:
    """A table in pandas; calls are ``Int8``, missing without a face."""
    frame: pd.DataFrame = table.to_pandas(types_mapper={pa.int8(): pd.Int8Dtype()}.get)
    return frame


def read_table(path: Path | str) -> pd.DataFrame:
    """Read a table of predictions, Parquet or CSV, with the same types of both."""
    path = Path(path)
    if path.suffix == ".parquet":
        return data_frame(pq.read_table(path))
    with path.open(encoding="utf-8") as file:
        names = file.readline().rstrip("\n").split(",")
    keys = {"image": "str", **dict.fromkeys(("frame", "face_id", "success"), "int64")}
    by_end = {"_p": "float32", "_r": "float32", "_c": "Int8"}
    types = {name: keys.get(name, by_end.get(name[-2:], "float64")) for name in names}
    # An image may be called NA or null: only an empty cell is missing.
    table = pd.read_csv(path, dtype=types, keep_default_na=False, na_values=[""])
    return as_written(table)


@contextmanager
def table_files(
    stem: Path, aus: Sequence[int], photographs: bool, estimated: Sequence[int] = ()
) -> Iterator[Callable[[Rows], None]]:
    """Write ``stem.csv`` and ``stem.parquet`` row by row; they appear when complete.

    Args:
        stem: The files' path without suffix.
        aus: The AU of each column.
        photographs: Whether the table has the column ``image``.
        estimated: The AUs that have intensities.

    Yields:
        A function that takes the next rows.

    Raises:
        ArtifactError: The disk refused; earlier files are untouched.
    """
    # With pandas' metadata, by which ``read_parquet`` knows nullable integers.
    empty = data_frame(arrow_table([], aus, photographs, estimated))
    metadata = pa.Table.from_pandas(empty, preserve_index=False).schema.metadata
    columns = schema(aus, photographs, estimated).with_metadata(metadata)
    with ExitStack() as files:
        csv = files.enter_context(atomic_write(with_suffix(stem, ".csv")))
        parquet = files.enter_context(atomic_write(with_suffix(stem, ".parquet")))
        writer = files.enter_context(pq.ParquetWriter(parquet, columns))
        waiting: list[Rows] = []
        csv.write((",".join(columns.names) + "\n").encode())

        def flush() -> None:
            table = arrow_table(waiting, aus, photographs, estimated)
            waiting.clear()
            writer.write_table(table.replace_schema_metadata(metadata))
            text = to_csv(data_frame(table), header=False)
            csv.write(text.encode("utf-8", "surrogateescape"))

        def add(rows: Rows) -> None:
            waiting.append(rows)
            if sum(len(part.keys) for part in waiting) >= _ROW_GROUP:
                flush()

        yield add
        if waiting:
            flush()


def with_suffix(stem: Path, suffix: str) -> Path:
    """A table's file; a stem may contain dots of its own."""
    return stem.with_name(stem.name + suffix)


@dataclass(frozen=True)
class Outcome:
    """The result for a video, or for all photographs of a source.

    Attributes:
        part: The video or photographs.
        stem: The path of its files, without suffix.
        record: The content of its ``.json``; empty where it was quarantined.
        done_before: An earlier run made the table.
        quarantine: What of it could not be used.
    """

    part: Photographs | VideoFile
    stem: Path
    record: Mapping[str, Any]
    done_before: bool
    quarantine: Quarantine = field(default_factory=Quarantine)

    @property
    def unit(self) -> str:
        """What its rows are of."""
        return "pictures" if isinstance(self.part, Photographs) else "frames"

    @property
    def table(self) -> Path:
        """Its Parquet file."""
        return with_suffix(self.stem, ".parquet")


def summary_table(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """One row a table: ``source, table, frames, rows, faces, set_aside, done_before``.

    A quarantined source has no table and no frames.
    """
    rows = [
        {
            "source": outcome.part.location,
            "table": str(outcome.table) if outcome.record else "",
            **{name: outcome.record.get(name, 0) for name in ("frames", "rows", "faces")},
            "set_aside": len(outcome.quarantine),
            "done_before": outcome.done_before,
        }
        for outcome in outcomes
    ]
    return pd.DataFrame(rows)


def write_tables(source: Source, engine: "Engine", out: Path) -> list[Outcome]:
    """Write the tables of a source, and the quarantine.

    Args:
        source: The pictures and videos.
        engine: Started.
        out: The folder; made where it is missing.

    Returns:
        One for the photographs, and one for each video.

    Raises:
        LabelError: The source is a single video, which is damaged.
        UnusableFace: It is a single picture, which cannot be used.
        ArtifactError: The disk refused.
    """
    for folder in {_stem(part, out).parent for part in source.parts}:
        sweep(folder)
    outcomes = [_write_part(part, engine, out, source.single) for part in source.parts]
    quarantine = Quarantine()
    quarantine.extend(source.quarantine)
    for outcome in outcomes:
        quarantine.extend(outcome.quarantine)
    path = out / QUARANTINE
    write_text(path, to_csv(quarantine.table().drop(columns="sha256")))
    if len(quarantine):
        logger.warning("Quarantined: %s; see %s.", quarantine.summary(), path)
    if source.skipped:
        skipped = skipped_text(source.skipped)
        logger.warning("%s: skipped, not pictures or videos: %s", source.location, skipped)
    return outcomes


def _write_part(
    part: Photographs | VideoFile, engine: "Engine", out: Path, single: bool
) -> Outcome:
    classifier = engine.classifier
    identity = {
        "format": _FORMAT,
        "source": part.location,
        "stamp": part.fingerprint,
        "model": classifier.sha256,
        "settings": {
            "faces": engine.mode,
            **classifier.faces.settings.provenance(),
            "size": classifier.faces.size,
            **engine.centring_settings(),
        },
    }
    stem = _stem(part, out)
    record_file, quarantine = with_suffix(stem, ".json"), Quarantine()
    if (existing := _valid_record(record_file, identity)) is not None:
        for row in existing["set_aside"]:
            quarantine.add(*row)
        logger.info("%s: done before, %s", part.location, with_suffix(stem, ".csv"))
        return Outcome(part, stem, existing, True, quarantine)
    try:
        counts = _write_table(part, engine, stem, quarantine, single)
    except LabelError as error:
        if single or isinstance(part, Photographs):
            raise
        logger.warning("%s: quarantined: %s", part.location, error.problem)
        quarantine.add(part.location, DAMAGED, str(error))
        return Outcome(part, stem, {}, False, quarantine)
    columns = au_columns(classifier.aus)
    record = {
        **identity,
        "classifier": classifier.name,
        "thresholds": dict(zip(columns, classifier.thresholds.tolist(), strict=True)),
        **_person_centred(engine),
        **counts,
        "set_aside": quarantine.rows(),
        "sha256": {name: sha256_of(with_suffix(stem, name)) for name in (".csv", ".parquet")},
        "versions": {
            "action_units": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in _PACKAGES},
        },
    }
    write_text(record_file, json.dumps(record, indent=1) + "\n")
    return Outcome(part, stem, record, False, quarantine)


def _person_centred(engine: "Engine") -> dict[str, Any]:
    """How faces are person-centred, and their thresholds; those without stay as they are."""
    if not engine.centred:
        return {}
    from action_units.prediction.centring import centred_thresholds, centrings_of

    values = centred_thresholds(engine.classifier).tolist()
    minimum = max(one.minimum_frames for one in centrings_of(engine.classifier))
    return {
        "person_centred": {
            "minimum_frames": None if engine.neutral is not None else minimum,
            "thresholds": dict(zip(au_columns(engine.classifier.aus), values, strict=True)),
        }
    }


def _write_table(
    part: Photographs | VideoFile,
    engine: "Engine",
    stem: Path,
    quarantine: Quarantine,
    single: bool,
) -> dict[str, Any]:
    """Write a table, and count what is in it."""
    counts: dict[str, Any] = {"frames": 0, "rows": 0, "faces": 0}
    photographs = isinstance(part, Photographs)
    if isinstance(part, Photographs):
        rows = engine.photographs(part.read(), quarantine)
        total, unit = part.count, "pictures"
    else:
        container = container_info(part.path)
        counts["frames_per_second"] = container.rate
        rows, total, unit = engine.video(part.path), container.frames or 0, "frames"
    with (
        closing(rows),
        Progress(f"Predicting {part.name}", total, unit) as progress,
        table_files(
            stem, engine.classifier.aus, photographs, engine.classifier.estimated
        ) as add,
    ):
        for some in rows:
            add(some)
            counts["frames"] += some.frames
            counts["rows"] += len(some.keys)
            counts["faces"] += sum(key.success for key in some.keys)
            progress.advance(some.frames, f"{counts['faces']:,} faces")
        if single and (unusable := quarantine.unusable()):
            _, reason, detail, _ = unusable[0]
            raise UnusableFace(reason, f"{part.location}: {detail}")
    return counts


def _stem(part: Photographs | VideoFile, out: Path) -> Path:
    """Where a part's files go; never over those of another source."""
    stem = out / part.name
    try:
        other = json.loads(with_suffix(stem, ".json").read_text())["source"]
    except (OSError, ValueError, KeyError, TypeError):
        return stem
    return stem if other == part.location else out / f"{part.name}-{short_hash(part.location)}"


def _valid_record(path: Path, identity: Mapping[str, Any]) -> dict[str, Any] | None:
    """The record of a table that was made from and with the same, and is unchanged."""
    record = read_record(path)
    if changes(record, identity):
        return None
    stem = path.with_suffix("")
    try:
        hashes = {name: sha256_of(with_suffix(stem, name)) for name in record["sha256"]}
    except (OSError, KeyError, TypeError):
        return None
    return record if hashes == record["sha256"] else None
