"""The node that predicts other pictures and videos with a run's networks."""

import logging
from pathlib import Path

import pandas as pd

from action_units.config import PredictSettings
from action_units.errors import ConfigurationError
from action_units.hints import command

logger = logging.getLogger(__name__)


def predict_source(
    models: Path,
    folder: Path,
    source: str | None,
    model: str | None,
    fold: int | None,
    predict: PredictSettings,
    device: str,
    workers: int | None,
) -> pd.DataFrame:
    """Write tables of the action units in pictures and videos.

    Args:
        models: The folder of the run's models.
        folder: Where the tables go.
        source: A picture, a video, a folder, a list of paths.
        model: Another model than the run's.
        fold: Which fold's network; None combines all that exist.
        predict: The parameters of prediction.
        device: Where to compute.
        workers: Threads; None for one a core.

    Returns:
        One row for each table written.

    Raises:
        ConfigurationError: No source is given.
    """
    check_source(source)
    from action_units.prediction.outputs import summary_table
    from action_units.prediction.predict import predict_files

    files = predict_files(
        str(source),
        models if model is None else model,
        folder,
        fold=fold,
        device=device,
        workers=workers or None,
        **predict.model_dump(),
    )
    logger.info("Predictions: %s", folder)
    return summary_table(files.outcomes)


def check_source(source: str | None) -> None:
    """Check that there is a source; raises ConfigurationError."""
    if source is None:
        raise ConfigurationError(
            f"predict needs a source: {command('predict', source='PATH')}, where PATH "
            "is a picture, a video, a folder of either, or a text with one path a line."
        )
