"""A training's curve while it runs: a CSV, and TensorBoard's events where configured."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pandas as pd

from action_units.csv_text import to_csv
from action_units.extras import import_extra
from action_units.files import write_text

NAME = "curve.csv"
CURVE_COLUMNS = (
    "epoch",
    "learning_rate",
    "train_loss",
    "validation_loss",
    "validation_macro_f1",
    "validation_average_precision",
    "seconds",
    "faces_per_second",
    "best",
)
_TAGS = {
    "train_loss": "loss/train",
    "validation_loss": "loss/validation",
    "validation_macro_f1": "validation/macro F1",
    "validation_average_precision": "validation/average precision",
    "learning_rate": "learning rate",
    "faces_per_second": "faces a second",
}

Curve = Sequence[Mapping[str, Any]]
"""One row an epoch, by ``CURVE_COLUMNS``."""


@contextmanager
def curve_log(
    folder: Path | None, tensorboard: bool = False, curve: Curve = ()
) -> Iterator[Callable[[Curve], None]]:
    """Open the log of one training.

    Args:
        folder: Of this training alone; it gets ``curve.csv``, and TensorBoard's event
            file, which replaces those of the training's earlier parts. Nothing is written
            without.
        tensorboard: Whether to write that too.
        curve: What a resumed training has so far, written at once. Without, the files of a
            training that this one replaces stay until the first call.

    Yields:
        Writes the whole curve so far, so that a resumed run leaves no gap. An empty one
        deletes the files of a replaced training.

    Raises:
        ConfigurationError: TensorBoard is configured and not installed.
        ArtifactError: The disk refused.
    """
    earlier = list(folder.glob("events.out.tfevents.*")) if folder is not None else []
    if curve and not tensorboard:
        earlier = []
    written = 0

    def log(curve: Curve) -> None:
        nonlocal written
        if folder is None:
            return
        while earlier:
            earlier.pop().unlink(missing_ok=True)
        if not curve:
            (folder / NAME).unlink(missing_ok=True)
            return
        table = pd.DataFrame(list(curve), columns=list(CURVE_COLUMNS))
        write_text(folder / NAME, to_csv(table, undefined="n/a"))
        if writer is None:
            return
        for row in curve[written:]:
            for column, tag in _TAGS.items():
                if row[column] == row[column]:  # not NaN: that epoch was not evaluated
                    writer.add_scalar(tag, row[column], row["epoch"])
        written = len(curve)
        writer.flush()

    writes_events = tensorboard and folder is not None
    with summary_writer()(str(folder)) if writes_events else nullcontext() as writer:
        if curve:
            log(curve)
        yield log


def summary_writer() -> Any:
    """TensorBoard's writer, a class; ConfigurationError where it is not installed."""
    module = import_extra("torch.utils.tensorboard", "tensorboard", "tensorboard=true")
    return module.SummaryWriter
