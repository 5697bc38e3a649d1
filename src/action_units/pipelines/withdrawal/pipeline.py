"""a person -> the list of withdrawn people -> products without them."""

from kedro.pipeline import Node, Pipeline

from action_units.pipelines.withdrawal import nodes

LAYERS = {
    "web_cropping": "web_cropping",
    "coded_cropping": "disfa_cropping",
    "openface": "web_openface",
    "web_crops": "web_crop_folder",
    "coded_crops": "disfa_crop_folder",
    "web_store": "web_faces_before",
    "coded_store": "disfa_faces_before",
    "intermediate": "intermediate_layer",
    "primary": "primary_layer",
    "models": "models_layer",
    "predictions": "predictions_layer",
    "reports": "reports_layer",
}


def create_pipeline() -> Pipeline:
    """First the list, which keeps the person out of every later run; then the removal."""
    return Pipeline(
        [
            Node(
                nodes.register,
                {
                    "person": "params:person",
                    "withdrawn": "withdrawn_before",
                    "raw": "raw_layer",
                    **LAYERS,
                },
                "withdrawn",
                name="register_withdrawal",
            ),
            Node(
                nodes.remove,
                {
                    "person": "params:person",
                    "withdrawn": "withdrawn",
                    "raw": "raw_layer",
                    **LAYERS,
                },
                None,
                name="remove_person",
            ),
        ],
        tags="withdraw",
    )
