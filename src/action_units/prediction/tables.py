"""The tables of predictions: a row for each face of each frame or photograph."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from action_units.csv_text import as_written, to_csv
from action_units.files import atomic_write
from action_units.labels.action_units import au_columns

NO_FACE = -1
"""The ``face_id`` of a frame without a face."""

_ROW_GROUP = 4096

Key = tuple[str, int, float, int, float, int, float, float, float, float]
"""image, frame, timestamp, face_id, confidence, success, x, y, width, height."""

KEYS = (
    "image", "frame", "timestamp", "face_id", "confidence", "success",
    "x", "y", "width", "height",
)  # fmt: skip
_TYPES = (
    pa.string(), pa.int64(), pa.float64(), pa.int64(), pa.float64(), pa.int64(),
    pa.float64(), pa.float64(), pa.float64(), pa.float64(),
)  # fmt: skip


@dataclass(frozen=True)
class Rows:
    """Some rows of a table, in order.

    Attributes:
        keys: What stands before the AUs.
        probabilities: (N, A), NaN where there is no face.
        present: Whether an AU is called present, (N, A); means nothing where there is no
            face.
        frames: Of how many frames or photographs these are.
    """

    keys: list[Key]
    probabilities: npt.NDArray[np.float32]
    present: npt.NDArray[np.bool_]
    frames: int


def schema(aus: Sequence[int], photographs: bool) -> pa.Schema:
    """Names and types of a table's columns; ``image`` is for photographs alone."""
    keys = list(zip(KEYS, _TYPES, strict=True))
    columns = au_columns(aus)
    return pa.schema(
        (keys if photographs else keys[1:])
        + [(f"{column}_p", pa.float32()) for column in columns]
        + [(f"{column}_c", pa.int8()) for column in columns]
    )


def arrow_table(parts: Sequence[Rows], aus: Sequence[int], photographs: bool) -> pa.Table:
    """Put rows into a table of Arrow."""
    form = schema(aus, photographs)
    keys = [key for part in parts for key in part.keys]
    columns = list(zip(*keys, strict=True)) or [()] * len(KEYS)
    p, present = np.empty((0, len(aus)), np.float32), np.empty((0, len(aus)), np.bool_)
    if parts:
        p = np.concatenate([part.probabilities for part in parts])  # (N, A)
        present = np.concatenate([part.present for part in parts])
    nothing = np.isnan(p)
    arrays = [pa.array(column, kind) for column, kind in zip(columns, _TYPES, strict=True)]
    arrays = arrays if photographs else arrays[1:]
    # NaN stays NaN: a reader of Parquet sees a number column, and pandas the same either way.
    arrays += [pa.array(p[:, a]) for a in range(len(aus))]
    arrays += [
        pa.array(present[:, a].astype(np.int8), mask=nothing[:, a]) for a in range(len(aus))
    ]
    return pa.Table.from_arrays(arrays, schema=form)


def data_frame(table: pa.Table) -> pd.DataFrame:
    """A table as pandas has it; calls are ``Int8``, missing where there is no face."""
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
    by_end = {"_p": "float32", "_c": "Int8"}
    types = {name: keys.get(name, by_end.get(name[-2:], "float64")) for name in names}
    # An image may be called NA or null: only what is empty is missing.
    table = pd.read_csv(path, dtype=types, keep_default_na=False, na_values=[""])
    return as_written(table)


@contextmanager
def table_files(
    stem: Path, aus: Sequence[int], photographs: bool
) -> Iterator[Callable[[Rows], None]]:
    """Write ``stem.csv`` and ``stem.parquet`` row by row; they appear when all is there.

    Args:
        stem: The files' path without suffix.
        aus: The AU of each column.
        photographs: Whether the table has the column ``image``.

    Yields:
        What takes the next rows.

    Raises:
        ArtifactError: The disk refused; files that were there are untouched.
    """
    with ExitStack() as files:
        csv = files.enter_context(atomic_write(with_suffix(stem, ".csv")))
        parquet = files.enter_context(atomic_write(with_suffix(stem, ".parquet")))
        form = pandas_schema(aus, photographs)
        writer = files.enter_context(pq.ParquetWriter(parquet, form))
        waiting: list[Rows] = []
        csv.write((",".join(form.names) + "\n").encode())

        def flush() -> None:
            table = arrow_table(waiting, aus, photographs)
            waiting.clear()
            writer.write_table(table.replace_schema_metadata(form.metadata))
            text = to_csv(data_frame(table), header=False)
            csv.write(text.encode("utf-8", "surrogateescape"))

        def add(rows: Rows) -> None:
            waiting.append(rows)
            if sum(len(part.keys) for part in waiting) >= _ROW_GROUP:
                flush()

        yield add
        if waiting:
            flush()


def pandas_schema(aus: Sequence[int], photographs: bool) -> pa.Schema:
    """The schema with pandas' note, by which ``read_parquet`` knows nullable integers."""
    empty = data_frame(arrow_table([], aus, photographs))
    note = pa.Table.from_pandas(empty, preserve_index=False).schema.metadata
    return schema(aus, photographs).with_metadata(note)


def with_suffix(stem: Path, suffix: str) -> Path:
    """A table's file; a stem may have dots of its own."""
    return stem.with_name(stem.name + suffix)
