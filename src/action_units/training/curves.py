"""A training's curve while it runs: a CSV, and TensorBoard where it is asked for."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pandas as pd

from action_units.csv_text import to_csv
from action_units.extras import import_extra
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

    def __init__(
        self, folder: Path | None, writer: Any = None, earlier: Sequence[Path] = ()
    ) -> None:
        """Choose where; ``curve_log`` does so for a training."""
        self._folder, self._writer, self._earlier = folder, writer, earlier
        self._written = 0

    def __call__(self, curve: Sequence[Mapping[str, Any]]) -> None:
        """Write the epochs so far.

        Args:
            curve: One row an epoch, columns ``state.CURVE_COLUMNS``. With none, what lies
                there is of a training that was thrown away, and is deleted.

        Raises:
            ArtifactError: The disk refused.
        """
        if self._folder is None:
            return
        for path in self._earlier:
            path.unlink(missing_ok=True)
        self._earlier = ()
        if not curve:
            (self._folder / NAME).unlink(missing_ok=True)
            return
        table = pd.DataFrame(list(curve), columns=list(CURVE_COLUMNS))
        text = to_csv(table, undefined="n/a")
        write_text(self._folder / NAME, text)
        if self._writer is None:
            return
        for row in curve[self._written :]:
            for column, tag in _TAGS.items():
                if row[column] == row[column]:  # not NaN: that epoch was not evaluated
                    self._writer.add_scalar(tag, row[column], row["epoch"])
        self._written = len(curve)
        self._writer.flush()


@contextmanager
def curve_log(
    folder: Path | None, tensorboard: bool = False, curve: Sequence[Mapping[str, Any]] = ()
) -> Iterator[CurveLog]:
    """The log of one training, open while it runs.

    Args:
        folder: Of this training alone; it gets ``curve.csv``, and TensorBoard's event
            file, which replaces those of the training's earlier parts. Nothing is written
            without.
        tensorboard: Whether to write that too.
        curve: What a resumed training has so far, written at once. Without, what lies there
            stays until the log is first called.

    Raises:
        ConfigurationError: TensorBoard is asked for and is not installed.
    """
    if folder is None:
        yield CurveLog(None)
        return
    writer = summary_writer() if tensorboard else None
    replaced = tensorboard or not curve
    earlier = list(folder.glob("events.out.tfevents.*")) if replaced else []
    with nullcontext() if writer is None else writer(str(folder)) as opened:
        log = CurveLog(folder, opened, earlier)
        if curve:
            log(curve)
        yield log


def summary_writer() -> Any:
    """TensorBoard's writer, a class; ConfigurationError where it is not installed."""
    module = import_extra("torch.utils.tensorboard", "tensorboard", "tensorboard=true")
    return module.SummaryWriter
