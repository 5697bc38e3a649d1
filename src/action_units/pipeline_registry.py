"""The project's pipelines by name."""

from kedro.pipeline import Pipeline

from action_units.pipelines import (
    comparison,
    evaluation,
    export,
    finetuning,
    lanes,
    prediction,
    preprocessing,
    pretraining,
    withdrawal,
)


def register_pipelines() -> dict[str, Pipeline]:
    """The pipelines, with the lanes that this run's parameters ask for.

    Returns:
        ``preprocess``, ``pretrain``, ``finetune``, ``evaluate``, all four in that order
        as ``__default__``, ``compare``, ``predict``, ``export`` and
        ``withdraw``.
    """
    chosen = lanes.current
    stages = {
        "preprocess": preprocessing.create_pipeline(chosen),
        "pretrain": pretraining.create_pipeline(chosen),
        "finetune": finetuning.create_pipeline(chosen),
        "evaluate": evaluation.create_pipeline(chosen),
    }
    return {
        **stages,
        "compare": comparison.create_pipeline(),
        "predict": prediction.create_pipeline(),
        "export": export.create_pipeline(),
        "withdraw": withdrawal.create_pipeline(),
        "__default__": sum(stages.values(), Pipeline([])),
    }
