"""pictures and videos, a run's networks -> tables of action units."""

from kedro.pipeline import Node, Pipeline

from action_units.pipelines.prediction import nodes


def create_pipeline() -> Pipeline:
    """Predict on what ``source`` names."""
    return Pipeline(
        [
            Node(
                nodes.predict_source,
                [
                    "run_models",
                    "predicted_folder",
                    "params:source",
                    "params:model",
                    "params:fold",
                    "params:predict",
                    "params:device",
                    "params:workers",
                ],
                "predicted_sources",
                name="predict_source",
            )
        ],
        tags="predict",
    )
