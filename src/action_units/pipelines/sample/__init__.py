"""Rendering the sample if raw data is missing."""

from action_units.pipelines.sample.pipeline import create_pipeline

__all__ = ["create_pipeline"]
