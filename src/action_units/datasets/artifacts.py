"""Tables, documents, pages and figures: written whole, checked when read.

Kedro-datasets has all of these; ours differ in keeping the project's promises,
that no file is ever half-written and none is read whose hash has changed.
"""

import base64
import io
import json
from abc import abstractmethod
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import AbstractDataset
from kedro_datasets._typing import ImagePreview, JSONPreview, TablePreview

from action_units.csv_text import as_written, to_csv
from action_units.errors import ConfigurationError
from action_units.files import atomic_artifact, reading, verify


class Artifact(AbstractDataset[Any, Any]):
    """One file with a SHA-256 manifest beside it; subclasses say what is in it."""

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None) -> None:
        """Name the file.

        Args:
            path: Where it lies.
            metadata: Settings of Kedro-Viz; not used here.
        """
        self.path = Path(path)
        self.metadata = metadata

    @abstractmethod
    def _encode(self, data: Any) -> bytes:
        """The file's bytes."""

    @abstractmethod
    def _decode(self, content: bytes) -> Any:
        """What the bytes hold."""

    def load(self) -> Any:
        """Read the file, once its hash has been found right."""
        content = verify(self.path).read_bytes()
        with reading(self.path):
            return self._decode(content)

    def save(self, data: Any) -> None:
        """Write the whole file, or leave the one that was there."""
        content = self._encode(data)
        with atomic_artifact(self.path) as file:
            file.write(content)

    def _exists(self) -> bool:
        return self.path.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self.path)}


class TableDataset(Artifact):
    """A pandas table as CSV or Parquet, by its suffix; n/a marks what is undefined."""

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None) -> None:
        """Name the file.

        Args:
            path: Where it lies; it ends in ``.csv`` or ``.parquet``.
            metadata: Settings of Kedro-Viz; not used here.

        Raises:
            ConfigurationError: The suffix is another one.
        """
        super().__init__(path=path, metadata=metadata)
        if self.path.suffix not in (".csv", ".parquet"):
            raise ConfigurationError(f"{path}: a table's file ends in .csv or .parquet.")

    def _encode(self, data: pd.DataFrame) -> bytes:
        if self.path.suffix == ".parquet":
            buffer = io.BytesIO()
            data.to_parquet(buffer, index=False)
            return buffer.getvalue()
        return to_csv(data, undefined="n/a").encode()

    def _decode(self, content: bytes) -> pd.DataFrame:
        if self.path.suffix == ".parquet":
            return pd.read_parquet(io.BytesIO(content))
        table = pd.read_csv(io.BytesIO(content), na_values=["n/a"], keep_default_na=False)
        return as_written(table)

    def preview(self, nrows: int = 40) -> TablePreview:
        """The first rows, for Kedro-Viz."""
        shown = self.load().head(nrows).round(4).astype(object)
        return TablePreview(shown.where(shown.notna(), "n/a").to_dict(orient="split"))


class JsonDataset(Artifact):
    """Plain data as JSON; undefined numbers are null, never NaN."""

    def _encode(self, data: Any) -> bytes:
        return (json.dumps(data, indent=2, allow_nan=False, sort_keys=False) + "\n").encode()

    def _decode(self, content: bytes) -> Any:
        return json.loads(content)

    def preview(self) -> JSONPreview:
        """The document, for Kedro-Viz."""
        return JSONPreview(json.dumps(self.load()))


class TextDataset(Artifact):
    """A text or an HTML page."""

    def _encode(self, data: str) -> bytes:
        return data.encode()

    def _decode(self, content: bytes) -> str:
        return content.decode()


class FigureDataset(Artifact):
    """A picture: a matplotlib figure, or PNG bytes, saved as PNG; loads as bytes."""

    def _encode(self, data: Any) -> bytes:
        if isinstance(data, bytes):
            return data
        from action_units.evaluation.report.theme import (
            to_png,
        )  # matplotlib, where it is needed

        return to_png(data)

    def _decode(self, content: bytes) -> bytes:
        return content

    def preview(self) -> ImagePreview:
        """The picture, for Kedro-Viz."""
        return ImagePreview(base64.b64encode(self.load()).decode())
