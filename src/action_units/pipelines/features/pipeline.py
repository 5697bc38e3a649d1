"""a run's networks + the coded faces -> features of every face, fold by fold."""

from kedro.pipeline import Node, Pipeline

from action_units.pipelines.features import nodes
from action_units.pipelines.folds import fold_pipelines
from action_units.pipelines.shape import DEFAULT, Shape


def create_pipeline(shape: Shape = DEFAULT) -> Pipeline:
    """A store for each fold; a store that is there already is left as it is."""
    return fold_pipelines(
        lambda _: [
            Node(
                nodes.make_features,
                [
                    "finetuned_model",
                    "coded_faces",
                    "split",
                    "features_before",
                    "params:device",
                ],
                "features",
                name="make_features",
            )
        ],
        shape.folds,
        {"coded_faces"},
        tag="features",
    )
