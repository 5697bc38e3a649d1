"""How long a whole run takes and what it needs."""

from action_units.pipelines.rehearsal.pipeline import create_pipeline

__all__ = ["create_pipeline"]
