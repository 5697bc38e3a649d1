"""faces of the web set -> a network that knows 18 AUs, roughly."""

from kedro.pipeline import Node, Pipeline

from action_units.pipelines.lanes import Lanes
from action_units.pipelines.pretraining import nodes


def create_pipeline(lanes: Lanes) -> Pipeline:
    """One training run, whatever the folds: the web set knows nothing of them."""
    if not lanes.pretraining:
        return Pipeline([])
    return Pipeline(
        [
            Node(
                nodes.pretrain,
                ["web_faces", "pretrain_checkpoints", "parameters"],
                ["pretrained_model", "pretraining_curve", "pretrained_people"],
                name="pretrain",
            )
        ],
        tags="pretrain",
    )
