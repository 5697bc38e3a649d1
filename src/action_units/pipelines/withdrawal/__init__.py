"""Removing a person who has withdrawn."""

from action_units.pipelines.withdrawal.pipeline import create_pipeline

__all__ = ["create_pipeline"]
