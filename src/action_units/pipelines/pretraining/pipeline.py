"""faces of the web sets -> a network that knows their AUs, and labels that it disbelieves."""

from kedro.pipeline import Node, Pipeline

from action_units import stages
from action_units.pipelines.pretraining import nodes
from action_units.pipelines.selection import PRETRAINING


def create_pipeline() -> Pipeline:
    """One training run for all folds: the web set knows nothing of them."""
    return Pipeline(
        [
            Node(
                stages.pretrain,
                ["web_faces", "pretrain_checkpoints", "params:training"],
                ["pretrained_model", "pretraining_curve", "pretrained_people"],
                name="pretrain",
            ),
            Node(
                nodes.audit_labels,
                [
                    "pretrained_model",
                    "web_faces",
                    "params:audit",
                    "params:device",
                    "params:run",
                    "run_memory",
                ],
                ["audit_report", "audited_labels"],
                name="audit_labels",
            ),
        ],
        namespace="pretrain",
        prefix_datasets_with_namespace=False,
        tags=["pretrain", PRETRAINING],
    )
