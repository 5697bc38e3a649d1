"""The parameters of preprocessing, as the library takes them."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from action_units.errors import ConfigurationError
from action_units.faces.cropping import CropSettings
from action_units.faces.crops import FaceSettings
from action_units.faces.detection.settings import DetectorSettings
from action_units.faces.work.workers import Workers

Settings = TypeVar("Settings")


def face_settings(preprocess: Mapping[str, Any]) -> FaceSettings:
    """How faces are found and cut out.

    Raises:
        ConfigurationError: A parameter is unknown or outside its choices.
    """
    return FaceSettings(
        detector=_made(DetectorSettings, preprocess["detector"], "preprocess.detector"),
        crop=_made(CropSettings, preprocess["crop"], "preprocess.crop"),
        max_megapixels=preprocess["max_megapixels"],
    )


def workers_of(workers: int | None, cluster: Mapping[str, Any]) -> Workers:
    """Who does the work; raises as ``face_settings``."""
    return _made(Workers, {"count": workers, **cluster}, "cluster")


def _made(kind: Callable[..., Settings], values: Mapping[str, Any], name: str) -> Settings:
    try:
        return kind(**values)
    except TypeError as error:
        if "'" not in str(error):
            raise
        unknown = str(error).split("'")[1]
        raise ConfigurationError(
            f"{name}.{unknown} is not a parameter; conf/base has those there are, each with a "
            "sentence."
        ) from None
