"""The parameters of preprocessing, as the library takes them."""

from collections.abc import Mapping
from typing import Any

from action_units.config import ClusterSettings, CropSettings, DetectorSettings
from action_units.faces.crop import FaceSettings
from action_units.faces.workers import Workers


def face_settings(preprocess: Mapping[str, Any]) -> FaceSettings:
    """How faces are found and cut out.

    Raises:
        ConfigurationError: A parameter is unknown or outside its choices.
    """
    return FaceSettings(
        detector=DetectorSettings.read(preprocess["detector"], "preprocess.detector"),
        crop=CropSettings.read(preprocess["crop"], "preprocess.crop"),
        max_megapixels=preprocess["max_megapixels"],
    )


def workers_of(workers: int | None, cluster: Mapping[str, Any]) -> Workers:
    """Who does the work; raises as ``face_settings``."""
    return Workers(workers, **ClusterSettings.read(cluster, "cluster").model_dump())
