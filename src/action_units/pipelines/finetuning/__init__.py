"""The pre-trained network on expert codes, one lane a fold."""

from action_units.pipelines.finetuning.pipeline import create_pipeline

__all__ = ["create_pipeline"]
