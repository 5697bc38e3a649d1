"""Features of coded faces, for models that look at more than one frame."""

from action_units.pipelines.features.pipeline import create_pipeline

__all__ = ["create_pipeline"]
