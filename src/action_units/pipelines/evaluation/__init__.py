"""What the networks are worth on subjects they have never seen."""

from action_units.pipelines.evaluation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
