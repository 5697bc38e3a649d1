"""The project's pipelines by name."""

from kedro.pipeline import Pipeline

from action_units.pipelines import (
    comparison,
    evaluation,
    export,
    finetuning,
    prediction,
    preprocessing,
    pretraining,
    sample,
    withdrawal,
)


def register_pipelines() -> dict[str, Pipeline]:
    """All pipelines, with all folds; `Selection` has what a run does of them.

    Returns:
        ``preprocess``, ``pretrain``, ``finetune``, ``evaluate``, all four in that order
        as ``__default__``, ``sample``, with which ``preprocess`` begins, ``compare``,
        ``predict``, ``export`` and ``withdraw``.
    """
    stages = {
        "preprocess": sample.create_pipeline() + preprocessing.create_pipeline(),
        "pretrain": pretraining.create_pipeline(),
        "finetune": finetuning.create_pipeline(),
        "evaluate": evaluation.create_pipeline(),
    }
    return {
        **stages,
        "sample": sample.create_pipeline(),
        "compare": comparison.create_pipeline(),
        "predict": prediction.create_pipeline(),
        "export": export.create_pipeline(),
        "withdraw": withdrawal.create_pipeline(),
        "__default__": sum(stages.values(), Pipeline([])),
    }
