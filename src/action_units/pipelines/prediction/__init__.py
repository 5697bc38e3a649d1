"""Predictions of other pictures and videos by a finished run's networks."""

from action_units.pipelines.prediction.pipeline import create_pipeline

__all__ = ["create_pipeline"]
