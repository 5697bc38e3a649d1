"""a run's networks + their model card -> a folder that others can use."""

from kedro.pipeline import Node, Pipeline

from action_units.pipelines.export import nodes


def create_pipeline() -> Pipeline:
    """One fold's network, or all folds' as one, as ``--params fold=`` selects."""
    return Pipeline(
        [
            Node(
                nodes.export,
                [
                    "run_models",
                    "coded_faces",
                    "model_card",
                    "exported_folder",
                    "params:fold",
                    "params:export",
                ],
                None,
                name="export",
            )
        ],
        tags="export",
    )
