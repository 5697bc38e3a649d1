"""Node that computes a fold's features."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from action_units.faces.store import FaceStore
from action_units.models.trained import TrainedModel
from action_units.training.features import FeatureStore, extract_features

logger = logging.getLogger(__name__)


def make_features(
    model: TrainedModel, faces: FaceStore, split: Mapping[str, Any], before: Path, device: str
) -> FeatureStore:
    """Features of all coded faces by a fold's network, unless they are there already.

    Args:
        model: The fine-tuned network.
        faces: Of the coded sets.
        split: The fold's subjects.
        before: Folder of the store.
        device: Where to compute.

    Returns:
        Of every face, of training and validation subjects too; its table says who is who.
    """
    store = extract_features(model, faces, split, device, before)
    n, width = store.features.shape
    logger.info(
        "Fold %s: %s features of %s faces in %s", split["fold"], width, f"{n:,}", before
    )
    return store
