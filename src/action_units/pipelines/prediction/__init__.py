"""A finished run's networks, asked about other pictures and videos."""

from action_units.pipelines.prediction.pipeline import create_pipeline

__all__ = ["create_pipeline"]
