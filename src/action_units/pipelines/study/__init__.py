"""How much data the method needs."""

from action_units.pipelines.study.pipeline import create_pipeline

__all__ = ["create_pipeline"]
