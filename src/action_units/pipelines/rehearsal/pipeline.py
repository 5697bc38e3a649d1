"""raw data or crops -> hours, memory and disk of the whole run."""

from collections.abc import Callable

from kedro.pipeline import Node, Pipeline

from action_units.pipelines.namespaces import named, namespaced
from action_units.pipelines.rehearsal import nodes, sets
from action_units.pipelines.selection import PRETRAINING, cropping_tag, given_tag
from action_units.pipelines.shape import DEFAULT, Shape
from action_units.rehearsal.slices import SetSlice

_SHARED = {"withdrawn", "models_layer"}
_PACKING = ["params:preprocess", "params:face_size", "params:workers"]
_RAW: dict[str, tuple[Callable[..., SetSlice], list[str]]] = {
    "web": (sets.rehearse_web_set, ["openface_before", "models_layer", "params:seed"]),
    "coded": (sets.rehearse_coded_set, []),
}


def create_pipeline(shape: Shape = DEFAULT) -> Pipeline:
    """Rehearse each set by itself, then training on them; nothing of a run is written."""
    names = (*shape.web_sets, *shape.coded_sets)
    parameters = ("people", "fold_protocols", "finetune", "fold", "evaluation", "training")
    whole = Node(
        named(nodes.rehearse, shape.web_sets, shape.coded_sets),
        [
            *(f"params:{name}" for name in (*parameters, "seed", "rehearsal")),
            "reports_layer",
            *(f"{name}.slice_of_{start}" for name in names for start in ("raw", "crops")),
        ],
        "rehearsal",
        name="rehearse",
    )
    return Pipeline(
        [
            *(_set(name, "web", PRETRAINING) for name in shape.web_sets),
            *(_set(name, "coded") for name in shape.coded_sets),
            Pipeline([whole]),
        ],
        namespace="rehearse",
        prefix_datasets_with_namespace=False,
        tags="rehearse",
    )


def _set(name: str, kind: str, *tags: str) -> Pipeline:
    function, more = _RAW[kind]
    settings = ["withdrawn", f"params:{kind}_sets.{name}", *_PACKING]
    raw = Node(
        named(function, name),
        ["raw", *settings, "params:cluster", "params:rehearsal", *more],
        "slice_of_raw",
        name="rehearse_raw",
    )
    crops = Node(
        named(sets.rehearse_crops, name),
        [f"{kind}_crops", "withdrawn", *_PACKING],
        "slice_of_crops",
        name="rehearse_crops",
    )
    return namespaced([raw], name, _SHARED, [cropping_tag(name), *tags]) + namespaced(
        [crops], name, _SHARED, [given_tag(name), *tags]
    )
