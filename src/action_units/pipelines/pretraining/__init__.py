"""A network that learns AUs from many faces and noisy labels."""

from action_units.pipelines.pretraining.pipeline import create_pipeline

__all__ = ["create_pipeline"]
