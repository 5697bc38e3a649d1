"""the pre-trained network + expert codes -> a network and thresholds for each fold."""

from functools import partial, update_wrapper

from kedro.pipeline import Node, Pipeline

from action_units.pipelines.finetuning import nodes
from action_units.pipelines.lanes import Lanes, lane


def create_pipeline(lanes: Lanes) -> Pipeline:
    """A lane for each fold: split its subjects, train, fit thresholds.

    Without pre-training the networks of the lanes begin at random weights. With
    ``finetune.also_from_scratch`` each lane trains a second network with the
    same budget and without pre-training, so that the report can tell what
    pre-training was worth.
    """
    return sum((_lane(fold, lanes) for fold in lanes.folds), Pipeline([]))


def _lane(fold: int, lanes: Lanes) -> Pipeline:
    split = update_wrapper(partial(nodes.split_subjects, fold=fold), nodes.split_subjects)
    stages = [
        Node(
            split,
            ["disfa_faces", "params:protocol", "params:finetune", "params:seed"],
            "split",
            name="split_subjects",
        ),
    ]
    if lanes.pretraining:
        stages.append(
            Node(
                nodes.finetune,
                [
                    "disfa_faces",
                    "split",
                    "pretrained_model",
                    "finetuned_checkpoints",
                    "parameters",
                ],
                _outputs("finetuned"),
                name="finetune",
            )
        )
    if lanes.from_scratch or not lanes.pretraining:
        # A lane's first network bears the same name, whatever it began at.
        variant = "scratch" if lanes.pretraining else "finetuned"
        stages.append(
            Node(
                nodes.train_from_scratch,
                ["disfa_faces", "split", f"{variant}_checkpoints", "parameters"],
                _outputs(variant),
                name="train_from_scratch",
            )
        )
    return lane(stages, fold, shared={"disfa_faces", "pretrained_model"}, tag="finetune")


def _outputs(variant: str) -> list[str]:
    return [
        f"{variant}_{what}"
        for what in ("model", "thresholds", "curve", "validation_predictions")
    ]
