"""The project's pipelines by name."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from kedro.pipeline import Pipeline

from action_units.pipelines import (
    comparison,
    cross,
    evaluation,
    export,
    features,
    finetuning,
    prediction,
    preprocessing,
    pretraining,
    rehearsal,
    sample,
    study,
    withdrawal,
)
from action_units.pipelines.shape import DEFAULT, Shape


class Pipelines(dict[str, Pipeline]):
    """The pipelines of the default shape; those of others are built when asked for.

    A name of another shape is ``finetune[coded=disfa+studio]``; see ``Shape``.
    """

    def __missing__(self, name: str) -> Pipeline:
        """Build the pipelines of the shape in the name; raises KeyError for other names."""
        try:
            plain, shape = Shape.parse(name)
        except ValueError:
            raise KeyError(name) from None
        if shape == DEFAULT or plain not in self:
            raise KeyError(name)
        return build_pipelines(shape)[plain]


def register_pipelines() -> dict[str, Pipeline]:
    """All pipelines of the default shape, with all folds; `Selection` has what a run does."""
    return Pipelines(build_pipelines(DEFAULT))


@cache
def build_pipelines(shape: Shape) -> Mapping[str, Pipeline]:
    """All pipelines for some sets and a number of folds.

    Returns:
        ``preprocess``, ``pretrain``, ``finetune``, ``evaluate``, all four in that order
        as ``__default__``, ``sample``, with which ``preprocess`` begins, ``compare``,
        ``cross``, ``study``, ``rehearse``, ``predict``, ``export``, ``features`` and
        ``withdraw``.
    """
    stages = {
        "preprocess": sample.create_pipeline(shape) + preprocessing.create_pipeline(shape),
        "pretrain": pretraining.create_pipeline(),
        "finetune": finetuning.create_pipeline(shape),
        "evaluate": evaluation.create_pipeline(shape),
    }
    pipelines = {
        **stages,
        "sample": sample.create_pipeline(shape),
        "compare": comparison.create_pipeline(),
        "cross": cross.create_pipeline(shape),
        "study": study.create_pipeline(),
        "rehearse": sample.create_pipeline(shape) + rehearsal.create_pipeline(shape),
        "predict": prediction.create_pipeline(),
        "export": export.create_pipeline(),
        "features": features.create_pipeline(shape),
        "withdraw": withdrawal.create_pipeline(shape),
        "__default__": sum(stages.values(), Pipeline([])),
    }
    return MappingProxyType(pipelines)
