"""Stores of features on disk."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from action_units.faces.store import INDEX_NAME
from action_units.hints import command
from action_units.training.features import FeatureStore


class FeatureStoreDataset(AbstractDataset[FeatureStore, FeatureStore]):
    """Features of all coded faces by one network; loads as a memory map."""

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None) -> None:
        """Name the folder.

        Args:
            path: The folder of the store.
            metadata: Settings of Kedro-Viz; not used here.
        """
        self.path = Path(path)
        self.metadata = metadata

    def load(self) -> FeatureStore:
        """Open the store, once its hashes have been found right."""
        return FeatureStore.open(self.path, command("features"))

    def save(self, data: FeatureStore) -> None:
        """Write the store, unless it is this one already."""
        data.save(self.path)

    def _exists(self) -> bool:
        return (self.path / INDEX_NAME).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self.path)}
