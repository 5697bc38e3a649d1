"""a person -> the list of withdrawn people -> products without them."""

from kedro.pipeline import Node, Pipeline

from action_units.pipelines.shape import DEFAULT, Shape
from action_units.pipelines.withdrawal import nodes

LAYERS = {
    "intermediate": "intermediate_layer",
    "primary": "primary_layer",
    "features": "feature_layer",
    "models": "models_layer",
    "predictions": "predictions_layer",
    "reports": "reports_layer",
}


def create_pipeline(shape: Shape = DEFAULT) -> Pipeline:
    """First the list, which keeps the person out of every later run; then the removal.

    All sets are searched. Crops that lie outside of the layers are those of the chosen sets.
    """
    sets = (*shape.coded_sets, *shape.web_sets)
    inputs = {
        "person": "params:person",
        "raw": "raw_layer",
        **LAYERS,
        **{f"crops of {name}": f"{name}.crop_folder" for name in sets},
    }
    return Pipeline(
        [
            Node(
                nodes.register,
                {"withdrawn": "withdrawn_before", **inputs},
                "withdrawn",
                name="register_withdrawal",
            ),
            Node(
                nodes.remove, {"withdrawn": "withdrawn", **inputs}, None, name="remove_person"
            ),
        ],
        tags="withdraw",
    )
