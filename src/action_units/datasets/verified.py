"""Any file of kedro-datasets, written whole and checked by its SHA-256 when it is read."""

import base64
import functools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, NewType

import fsspec  # type: ignore[import-untyped]
import pandas as pd
from kedro.io import AbstractDataset, AbstractVersionedDataset, DatasetError, Version
from kedro.io.core import get_protocol_and_path
from kedro_datasets.pandas import CSVDataset

from action_units.csv_text import as_written, to_csv
from action_units.files import atomic_artifact, manifest_of, reading, temporary_folder, verify

CSV = "action_units.datasets.verified.TableCSVDataset"
JSON = {"type": "json.JSONDataset", "save_args": {"indent": 2, "allow_nan": False}}

# Kedro-Viz goes by the name of a preview's type alone.
ImagePreview = NewType("ImagePreview", str)
JSONPreview = NewType("JSONPreview", str)


def image_preview(picture: bytes) -> ImagePreview:
    """A picture's file as Kedro-Viz takes it."""
    return ImagePreview(base64.b64encode(picture).decode())


class VerifiedDataset(AbstractVersionedDataset[Any, Any]):
    """Keeps the project's promises for a dataset that reads and writes one file.

    The file is written under a temporary name and then renamed, so it is never half-written.
    Its manifest has its SHA-256, which is checked before each load. On this computer
    the file is private to its owner. Paths may be URLs that fsspec serves, with credentials,
    and files may be versioned.
    """

    def __init__(
        self,
        *,
        filepath: str,
        dataset: str | dict[str, Any],
        version: Version | None = None,
        credentials: dict[str, Any] | None = None,
        fs_args: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Name the file and the dataset that reads and writes it.

        Args:
            filepath: A path, or a URL that fsspec serves.
            dataset: Its type, or its configuration without ``filepath``.
            version: As Kedro gives it where the entry is ``versioned``.
            credentials: Of the file system.
            fs_args: Further options of the file system.
            metadata: Of Kedro-Viz.
        """
        protocol, path = get_protocol_and_path(filepath, version)
        self._fs = fsspec.filesystem(protocol, **(credentials or {}), **(fs_args or {}))
        self._is_local = protocol == "file"
        self._dataset = {"type": dataset} if isinstance(dataset, str) else dict(dataset)
        self.metadata = metadata
        super().__init__(PurePosixPath(path), version, self._fs.exists, self._fs.glob)

    @property
    def path(self) -> Path | str:
        """Where the file is: a path on this computer, or a URL."""
        path = str(self._filepath)
        return Path(path) if self._is_local else str(self._fs.unstrip_protocol(path))

    def load(self) -> Any:
        """Read the file, once its hash has been found right."""
        with self._verified() as path, reading(self.path), _cause():
            return self._of(path).load()

    def save(self, data: Any) -> None:
        """Write the whole file, or leave the one that was there."""
        if self._is_local:
            self._write(data, Path(self._get_save_path()))
            return
        with tempfile.TemporaryDirectory() as folder:
            target = str(self._get_save_path())
            path = Path(folder) / PurePosixPath(target).name
            self._write(data, path)
            self._fs.makedirs(str(PurePosixPath(target).parent), exist_ok=True)
            self._fs.put(str(manifest_of(path)), f"{target}.sha256")
            self._fs.put(str(path), target)

    @property
    def preview(self) -> Callable[..., Any]:
        """What Kedro-Viz shows: of a picture the picture, else what the dataset shows.

        Raises:
            AttributeError: The dataset has no preview.
        """
        if self._filepath.suffix == ".png":
            return self._image_preview
        wrapped = self._of(Path(str(self._filepath))).preview  # type: ignore[attr-defined]

        @functools.wraps(wrapped)
        def preview(*args: Any, **options: Any) -> Any:
            with self._verified() as path:
                return self._of(path).preview(*args, **options)  # type: ignore[attr-defined]

        return preview

    def read_bytes(self) -> bytes:
        """The file's bytes, once their hash has been found right."""
        with self._verified() as path:
            return path.read_bytes()

    def _image_preview(self) -> ImagePreview:
        return image_preview(self.read_bytes())

    def _of(self, path: Path) -> AbstractDataset[Any, Any]:
        """The dataset of a file; imports what it needs, such as matplotlib, only here."""
        config = self._dataset | {"filepath": str(path)}
        dataset: AbstractDataset[Any, Any] = AbstractDataset.from_config("verified", config)
        return dataset

    def _write(self, data: Any, path: Path) -> None:
        with (
            atomic_artifact(path) as file,
            temporary_folder(path.name, path.parent) as folder,
            _cause(),
        ):
            # Some datasets go by a file's suffix, so it has its own name already.
            self._of(folder / path.name).save(data)
            with (folder / path.name).open("rb") as written:
                shutil.copyfileobj(written, file)

    @contextmanager
    def _verified(self) -> Iterator[Path]:
        """The checked file on this computer."""
        if self._is_local:
            yield verify(Path(self._get_load_path()))
            return
        with tempfile.TemporaryDirectory() as folder:
            source = str(self._get_load_path())
            path = Path(folder) / PurePosixPath(source).name
            for suffix in ("", ".sha256"):
                if self._fs.exists(source + suffix):
                    self._fs.get(source + suffix, f"{path}{suffix}")
            yield verify(path)

    def _exists(self) -> bool:
        return bool(self._fs.exists(str(self._get_load_path())))

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self.path), "dataset": self._dataset["type"]}


@contextmanager
def _cause() -> Iterator[None]:
    """Raise what a dataset failed of, such as a full disk, in place of Kedro's error."""
    try:
        yield
    except DatasetError as error:
        raise error.__cause__ or error from None


class TableCSVDataset(CSVDataset):  # type: ignore[misc]
    """A table as CSV; ``n/a`` is what is undefined, and no cell runs in a spreadsheet."""

    DEFAULT_LOAD_ARGS: ClassVar[dict[str, Any]] = {
        "na_values": ["n/a"],
        "keep_default_na": False,
    }

    def load(self) -> pd.DataFrame:
        """The table, with the texts that were saved."""
        return as_written(super().load())

    def save(self, data: pd.DataFrame) -> None:
        """Write the table without its index."""
        with self._fs.open(str(self._get_save_path()), "wb") as file:
            file.write(to_csv(data, undefined="n/a").encode())


class WithdrawnDataset(VerifiedDataset):
    """People who have withdrawn: ``person, date``; empty if there are none."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Name the CSV file."""
        super().__init__(filepath=filepath, dataset=CSV, metadata=metadata)

    def load(self) -> pd.DataFrame:
        """The list; raises ArtifactError where it is damaged."""
        if not super()._exists():
            return pd.DataFrame({"person": [], "date": []}, dtype=str)
        table: pd.DataFrame = super().load()
        return table.astype(str)

    def _exists(self) -> bool:
        return True
