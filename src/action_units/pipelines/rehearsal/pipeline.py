"""raw data or crops -> hours, memory and disk of the whole run."""

from collections.abc import Callable
from functools import partial, update_wrapper
from typing import Any

from kedro.pipeline import Node, Pipeline

from action_units.pipelines.namespaces import namespaced
from action_units.pipelines.rehearsal import nodes, sets
from action_units.pipelines.selection import PRETRAINING, cropping_tag, given_tag
from action_units.pipelines.shape import DEFAULT, Shape

_SHARED = {"withdrawn", "models_layer"}


def create_pipeline(shape: Shape = DEFAULT) -> Pipeline:
    """Rehearse each set by itself, then training on them; nothing of a run is written."""
    slices = [
        f"{name}.slice_of_{start}"
        for name in (*shape.web_sets, *shape.coded_sets)
        for start in ("raw", "crops")
    ]
    whole = Node(
        _named(nodes.rehearse, shape.web_sets, shape.coded_sets),
        [
            "params:people",
            "params:fold_protocols",
            "params:finetune",
            "params:fold",
            "params:evaluation",
            "params:training",
            "params:seed",
            "params:rehearsal",
            "reports_layer",
            *slices,
        ],
        "rehearsal",
        name="rehearse",
    )
    return Pipeline(
        [
            *(_set(name, "web", [PRETRAINING]) for name in shape.web_sets),
            *(_set(name, "coded", []) for name in shape.coded_sets),
            Pipeline([whole]),
        ],
        namespace="rehearse",
        prefix_datasets_with_namespace=False,
        tags="rehearse",
    )


def _set(name: str, kind: str, tags: list[str]) -> Pipeline:
    cropping = ["params:preprocess", "params:face_size", "params:workers", "params:cluster"]
    settings = f"params:{kind}_sets.{name}"
    if kind == "web":
        labelling = ["raw", "openface_before", "models_layer", "withdrawn", settings]
        raw = Node(
            _named(sets.rehearse_web_set, name),
            [*labelling, *cropping, "params:seed", "params:rehearsal"],
            "slice_of_raw",
            name="rehearse_raw",
        )
    else:
        raw = Node(
            _named(sets.rehearse_coded_set, name),
            ["raw", "withdrawn", settings, *cropping, "params:rehearsal"],
            "slice_of_raw",
            name="rehearse_raw",
        )
    crops = Node(
        _named(sets.rehearse_crops, name),
        [
            f"{kind}_crops",
            "withdrawn",
            "params:preprocess",
            "params:face_size",
            "params:workers",
        ],
        "slice_of_crops",
        name="rehearse_crops",
    )
    return namespaced([raw], name, _SHARED, [cropping_tag(name), *tags]) + namespaced(
        [crops], name, _SHARED, [given_tag(name), *tags]
    )


def _named(function: Callable[..., Any], *arguments: Any) -> Callable[..., Any]:
    """A function with its first arguments given, and the name that Kedro-Viz shows."""
    return update_wrapper(partial(function, *arguments), function)
