"""The node that asks a run's networks about other pictures and videos."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from action_units.errors import ConfigurationError
from action_units.hints import command

logger = logging.getLogger(__name__)


def predict_source(
    models: Path,
    folder: Path,
    source: str | None,
    model: str | None,
    fold: int | None,
    settings: Mapping[str, Any],
    device: str,
    workers: int | None,
) -> pd.DataFrame:
    """Write tables of the action units in pictures and videos.

    Args:
        models: The folder of the run's models.
        folder: Where the tables go.
        source: A picture, a video, a folder, a list of paths.
        model: Another model than the run's.
        fold: Which fold's network; None takes all that are there.
        settings: The parameters of prediction.
        device: Where to compute.
        workers: Threads; None for one a core.

    Returns:
        One row for each table written.

    Raises:
        ConfigurationError: No source is given.
    """
    check_source(source)
    from action_units.locks import locked
    from action_units.prediction.api import with_detector
    from action_units.prediction.drawing import draw
    from action_units.prediction.engine import Engine
    from action_units.prediction.folder import predict_into, summary_table
    from action_units.prediction.loading import load_classifier
    from action_units.prediction.sources import open_source

    opened = open_source(str(source), folder)
    classifier = load_classifier(models if model is None else str(model), fold, device=device)
    classifier = with_detector(classifier, settings["detector"], settings["min_confidence"])
    options = settings["faces"], workers or None, settings["batch_size"]
    with locked(folder):
        with Engine(classifier, *options) as engine:
            done = predict_into(opened, engine, folder)
        draw(done, annotate=settings["annotate"], timeline=settings["timeline"])
    logger.info("Predictions: %s", folder)
    return summary_table(done)


def check_source(source: str | None) -> None:
    """Refuse to predict on nothing; raises ConfigurationError."""
    if source is None:
        raise ConfigurationError(
            f"predict needs to know on what: {command('predict', source='PATH')}, where PATH "
            "is a picture, a video, a folder of either, or a text with one path a line."
        )
