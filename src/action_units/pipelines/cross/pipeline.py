"""a finished run + another coded set -> scores of the run's networks on that set."""

from kedro.pipeline import Node, Pipeline

from action_units.pipelines.cross import nodes
from action_units.pipelines.preprocessing.pipeline import prepare_coded_set
from action_units.pipelines.shape import DEFAULT, Shape


def create_pipeline(shape: Shape = DEFAULT) -> Pipeline:
    """Prepare the faces of the set that ``on`` names, and test the run's networks on them."""
    testing = Pipeline(
        [
            Node(
                nodes.predict_new_set,
                [
                    "run_models",
                    "new_faces",
                    "coded_faces",
                    "pretraining_faces",
                    "params:on",
                    "params:coded",
                    "params:coded_sets",
                    "params:device",
                ],
                ["cross_predictions", "cross_networks"],
                name="predict_new_set",
            ),
            Node(
                nodes.score_new_set,
                [
                    "cross_predictions",
                    "cross_networks",
                    "within_folds",
                    "params:on",
                    "params:coded",
                    "params:coded_sets",
                    "params:cross",
                    "params:run",
                    "params:seed",
                ],
                ["cross_test", "cross_measures"],
                name="score_new_set",
            ),
            Node(
                nodes.draw_figures,
                ["cross_test", "cross_predictions", "cross_networks"],
                "cross_figures",
                name="draw_figures",
            ),
            Node(
                nodes.write_report,
                ["cross_test", "cross_predictions", "cross_networks"],
                "cross_report",
                name="write_report",
            ),
        ],
        inputs={"new_faces": f"{shape.on}.faces"},
        namespace="cross",
        prefix_datasets_with_namespace=False,
        tags="cross",
    )
    return prepare_coded_set(shape.on) + testing
