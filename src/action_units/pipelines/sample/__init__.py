"""Rendering the sample where there is no raw data."""

from action_units.pipelines.sample.pipeline import create_pipeline

__all__ = ["create_pipeline"]
