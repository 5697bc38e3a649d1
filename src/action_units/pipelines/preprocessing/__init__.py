"""From raw photographs and videos to crops, and from crops to the face store."""

from action_units.pipelines.preprocessing.pipeline import create_pipeline

__all__ = ["create_pipeline"]
