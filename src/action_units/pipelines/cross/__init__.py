"""A finished run's networks on a coded set that they were not trained on."""

from action_units.pipelines.cross.pipeline import create_pipeline

__all__ = ["create_pipeline"]
