"""the pre-trained network + expert codes -> a network and thresholds for each fold."""

from functools import partial, update_wrapper

from kedro.pipeline import Node, Pipeline

from action_units.pipelines.finetuning import nodes
from action_units.pipelines.lanes import Lanes, lane


def create_pipeline(lanes: Lanes) -> Pipeline:
    """A lane for each fold: split its subjects, train, fit thresholds.

    With ``finetune.also_from_scratch`` each lane trains a second network with the
    same budget and without pre-training, so that the report can tell what
    pre-training was worth.
    """
    return sum((_lane(fold, lanes.from_scratch) for fold in lanes.folds), Pipeline([]))


def _lane(fold: int, from_scratch: bool) -> Pipeline:
    split = update_wrapper(partial(nodes.split_subjects, fold=fold), nodes.split_subjects)
    stages = [
        Node(
            split,
            ["disfa_faces", "params:protocol", "params:finetune", "params:seed"],
            "split",
            name="split_subjects",
        ),
        Node(
            nodes.finetune,
            ["disfa_faces", "split", "pretrained_model", "finetuned_checkpoints", "parameters"],
            _outputs("finetuned"),
            name="finetune",
        ),
    ]
    if from_scratch:
        stages.append(
            Node(
                nodes.train_from_scratch,
                ["disfa_faces", "split", "scratch_checkpoints", "parameters"],
                _outputs("scratch"),
                name="train_from_scratch",
            )
        )
    return lane(stages, fold, shared={"disfa_faces", "pretrained_model"}, tag="finetune")


def _outputs(variant: str) -> list[str]:
    return [
        f"{variant}_{what}"
        for what in ("model", "thresholds", "curve", "validation_predictions")
    ]
