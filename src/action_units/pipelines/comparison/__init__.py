"""Finished runs side by side."""

from action_units.pipelines.comparison.pipeline import create_pipeline

__all__ = ["create_pipeline"]
