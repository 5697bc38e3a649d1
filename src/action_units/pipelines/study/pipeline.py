"""faces of the web and coded sets -> F1 against the amount of each."""

from kedro.pipeline import Node, Pipeline

from action_units.pipelines.study import nodes


def create_pipeline() -> Pipeline:
    """Train with less and with more data, and draw what that gains."""
    return Pipeline(
        [
            Node(
                nodes.study,
                [
                    "web_faces",
                    "coded_faces",
                    "study_checkpoints",
                    "params:fold_protocols",
                    "params:finetune",
                    "params:fold",
                    "params:chosen_web",
                    "params:study",
                    "params:training",
                    "params:cluster",
                ],
                ["study_table", "study_trainings", "study_report"],
                name="study",
            )
        ],
        tags="study",
    )
