"""the pre-trained network + expert codes -> a network and thresholds for each fold."""

from functools import partial, update_wrapper

from kedro.pipeline import Node, Pipeline

from action_units import stages
from action_units.pipelines.finetuning import nodes
from action_units.pipelines.folds import fold_pipelines
from action_units.pipelines.selection import FROM_SCRATCH
from action_units.pipelines.shape import DEFAULT, Shape


def create_pipeline(shape: Shape = DEFAULT) -> Pipeline:
    """For each fold: split its subjects, train, fit thresholds.

    Each fold also trains a second network with the same budget and without pre-training,
    so that the report can show the gain of pre-training.
    """
    return fold_pipelines(
        _fold,
        shape.folds,
        shared={
            "coded_faces",
            "pretrained_model",
            "pretraining_faces",
            "fold_checkpoints",
            "fold_memory",
        },
        tag="finetune",
    )


def _fold(fold: int) -> list[Node]:
    split = update_wrapper(partial(nodes.split_subjects, fold=fold), nodes.split_subjects)
    return [
        Node(
            split,
            ["coded_faces", "params:fold_protocols", "params:finetune", "params:seed"],
            "split",
            name="split_subjects",
        ),
        Node(
            stages.finetune,
            [
                "coded_faces",
                "split",
                "pretrained_model",
                "fold_checkpoints",
                "params:training",
                "pretraining_faces",
                "fold_memory",
            ],
            _outputs("finetuned"),
            name="finetune",
        ),
        Node(
            stages.train_from_scratch,
            ["coded_faces", "split", "fold_checkpoints", "params:training", "fold_memory"],
            _outputs("scratch"),
            name="train_from_scratch",
            tags=FROM_SCRATCH,
        ),
    ]


def _outputs(network: str) -> list[str]:
    return [
        f"{network}_{what}"
        for what in ("model", "thresholds", "curve", "validation_predictions")
    ]
