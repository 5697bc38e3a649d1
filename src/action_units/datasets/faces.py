"""Face stores on disk."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from kedro.io import AbstractDataset

from action_units.datasets.verified import ImagePreview
from action_units.faces.repeats import join_coded_stores, join_web_stores
from action_units.faces.store import INDEX_NAME, FaceStore
from action_units.media.paths import fingerprints_in

_PREVIEWED = 48


class FaceStoreDataset(AbstractDataset[FaceStore, FaceStore]):
    """All faces of one set and the table of them; loads as a memory map."""

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None) -> None:
        """Name the folder.

        Args:
            path: The folder of the store.
            metadata: Settings of Kedro-Viz; not used here.
        """
        self.path = Path(path)
        self.metadata = metadata

    def load(self) -> FaceStore:
        """Open the store, once its hashes have been found right."""
        return FaceStore.open(self.path)

    def save(self, data: FaceStore) -> None:
        """Write the store whole, or leave the one that was there."""
        data.save(self.path)

    def preview(self) -> ImagePreview:
        """Faces drawn evenly from the store, for Kedro-Viz."""
        return _preview(self.load())

    def _exists(self) -> bool:
        return (self.path / INDEX_NAME).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self.path)}


class ChosenFacesDataset(AbstractDataset[object, FaceStore | None]):
    """The faces of the chosen sets, each from its own store; one store alone is mapped.

    Nothing is written, as the sets' own datasets have written the stores. Every fold's nodes
    load it: the stores are hashed, searched for copies and joined once, until a file changes
    or Kedro releases it.
    """

    def __init__(
        self,
        *,
        stores: str,
        sets: str,
        people: Mapping[str, str | None] | None = None,
        optional: bool = False,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Name the stores.

        Args:
            stores: The folder of all stores.
            sets: The names of the sets, with ``+`` between them.
            people: Which sets have the same people; see ``join_coded_stores``.
            optional: Load None where a store is missing.
            metadata: Settings of Kedro-Viz; not used here.
        """
        self.folders = {name: Path(stores, name) for name in sets.split("+")}
        self.people, self.optional = people or {}, optional
        self.metadata = metadata
        self._loaded: tuple[dict[str, dict[str, str]], FaceStore] | None = None

    def load(self) -> FaceStore | None:
        """Open the stores, once their hashes have been found right, and join them."""
        if self.optional and self.missing:
            return None
        files = {name: fingerprints_in(at) for name, at in self.folders.items()}
        if self._loaded is None or self._loaded[0] != files:
            stores = {name: FaceStore.open(at) for name, at in self.folders.items()}
            self._loaded = files, self._join(stores)
        return self._loaded[1]

    def _join(self, stores: Mapping[str, FaceStore]) -> FaceStore:
        return join_coded_stores(stores, self.people)

    def save(self, data: object) -> None:
        """Nothing; see the class."""

    def _release(self) -> None:
        self._loaded = None

    def preview(self) -> ImagePreview:
        """Faces drawn evenly from all, for Kedro-Viz."""
        store = self.load()
        assert store is not None
        return _preview(store)

    @property
    def missing(self) -> list[Path]:
        """The stores that are not there."""
        return [path for path in self.folders.values() if not (path / INDEX_NAME).is_file()]

    def _exists(self) -> bool:
        return self.optional or not self.missing

    def _describe(self) -> dict[str, Any]:
        return {"stores": [str(folder) for folder in self.folders.values()]}


class ChosenWebFacesDataset(ChosenFacesDataset):
    """The faces of the chosen web sets, joined as ``join_web_stores`` does."""

    def _join(self, stores: Mapping[str, FaceStore]) -> FaceStore:
        return join_web_stores(stores)


def _preview(store: FaceStore) -> ImagePreview:
    faces = store.faces
    chosen = np.asarray(faces[:: max(1, len(faces) // _PREVIEWED)][:_PREVIEWED])
    rows = [np.hstack(list(row)) for row in np.array_split(chosen, 6) if len(row) == 8]
    page = np.vstack(rows)
    page = cv2.cvtColor(page, cv2.COLOR_RGB2BGR) if store.colour else page
    _, png = cv2.imencode(".png", page)
    return ImagePreview(base64.b64encode(png.tobytes()).decode())
