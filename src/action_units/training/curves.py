"""A training's curve while it runs: a CSV, and TensorBoard where it is asked for."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from action_units.errors import ConfigurationError
from action_units.files import write_text
from action_units.training.state import CURVE_COLUMNS

NAME = "curve.csv"
_TAGS = {
    "train_loss": "loss/train",
    "validation_loss": "loss/validation",
    "validation_macro_f1": "validation/macro F1",
    "validation_average_precision": "validation/average precision",
    "learning_rate": "learning rate",
    "faces_per_second": "faces a second",
}


class CurveLog:
    """Writes the whole curve after each epoch, so that a resumed run leaves no gap."""

    def __init__(self, folder: Path | str, tensorboard: bool = False) -> None:
        """Choose where.

        Args:
            folder: Of this one training; it gets ``curve.csv``, and TensorBoard's event
                file, which replaces those of earlier parts of the training.
            tensorboard: Whether to write that too.

        Raises:
            ConfigurationError: TensorBoard is asked for and is not installed.
        """
        self.folder = Path(folder)
        self._writer: Any = None
        self._written = 0
        if tensorboard:
            self._writer = _writer(self.folder)

    def __call__(self, curve: Sequence[Mapping[str, Any]]) -> None:
        """Write the epochs so far.

        Args:
            curve: One row an epoch, columns ``state.CURVE_COLUMNS``.

        Raises:
            ArtifactError: The disk refused.
        """
        table = pd.DataFrame(list(curve), columns=list(CURVE_COLUMNS))
        text = table.to_csv(index=False, na_rep="n/a", lineterminator="\n")
        write_text(self.folder / NAME, text)
        if self._writer is None:
            return
        for row in curve[self._written :]:
            for column, tag in _TAGS.items():
                if row[column] == row[column]:  # not NaN: that epoch was not evaluated
                    self._writer.add_scalar(tag, row[column], row["epoch"])
        self._written = len(curve)
        self._writer.flush()

    def close(self) -> None:
        """Let go of TensorBoard's file."""
        if self._writer is not None:
            self._writer.close()


def _writer(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ConfigurationError(
            "tensorboard is true and TensorBoard is not installed; "
            "`pip install 'action-units[tensorboard]'` installs it, or set tensorboard to "
            "false: curve.csv is written either way."
        ) from error
    folder.mkdir(parents=True, exist_ok=True)
    for earlier in folder.glob("events.out.tfevents.*"):
        earlier.unlink()
    return SummaryWriter(str(folder))
