"""A run's networks as files for others."""

from action_units.pipelines.export.pipeline import create_pipeline

__all__ = ["create_pipeline"]
