"""A trained model on disk: safetensors with its configuration inside.

torch is imported when a model is read or written, so that a look at the catalog is quick.
"""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from action_units.models.trained import TrainedModel


class ModelDataset(AbstractDataset[TrainedModel, TrainedModel]):
    """One model; nothing in its file is ever unpickled."""

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None) -> None:
        """Name the file.

        Args:
            path: The ``.safetensors`` file.
            metadata: Settings of Kedro-Viz; not used here.
        """
        self.path = Path(path)
        self.metadata = metadata

    def load(self) -> TrainedModel:
        """Read the model, once its hash has been found right."""
        from action_units.models.model_files import load_model

        return load_model(self.path)

    def save(self, data: TrainedModel) -> None:
        """Write the whole model, or leave the one that was there."""
        from action_units.models.model_files import save_model

        save_model(data, self.path)

    def _exists(self) -> bool:
        return self.path.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self.path)}
