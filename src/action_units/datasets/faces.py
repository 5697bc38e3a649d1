"""The packed face store on disk."""

import base64
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from kedro.io import AbstractDataset

from action_units.datasets.verified import ImagePreview
from action_units.faces.store import INDEX_NAME, FaceStore

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
        faces = self.load().faces
        chosen = np.asarray(faces[:: max(1, len(faces) // _PREVIEWED)][:_PREVIEWED])
        rows = [np.hstack(list(row)) for row in np.array_split(chosen, 6) if len(row) == 8]
        _, png = cv2.imencode(".png", np.vstack(rows))
        return ImagePreview(base64.b64encode(png.tobytes()).decode())

    def _exists(self) -> bool:
        return (self.path / INDEX_NAME).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self.path)}
