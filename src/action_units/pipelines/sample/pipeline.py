"""parameters of the sample -> raw data as they would come: a web set, DISFA, a study."""

from collections.abc import Callable
from typing import Any

from kedro.pipeline import Node, Pipeline

from action_units.pipelines.namespaces import namespaced
from action_units.pipelines.sample import nodes
from action_units.pipelines.selection import (
    PRETRAINING,
    SAMPLE,
    cropping_tag,
    rendering_tag,
)
from action_units.pipelines.shape import DEFAULT, Shape

RENDERERS: dict[str, Callable[..., Any]] = {
    "disfa": nodes.render_recordings,
    "studio": nodes.render_frames,
    "web": nodes.render_photographs,
}
"""What renders a set, by its name, which is also that of its parameters in ``sample``."""


def create_pipeline(shape: Shape = DEFAULT) -> Pipeline:
    """Render the raw data, once; left out where ``sample.render`` is false."""
    coded = [render_set(name) for name in shape.coded_sets]
    web = [render_set(name, PRETRAINING) for name in shape.web_sets]
    return sum([*coded, *web], Pipeline([]))


def render_set(name: str, *tags: str) -> Pipeline:
    """Render one set; nothing to do for a set that is not of the sample."""
    if name not in RENDERERS:
        return Pipeline([])
    render = RENDERERS[name]
    inputs = [f"params:sample.{name}", "sample_folder", "params:sample.colour"]
    if name == "disfa":
        inputs.append("params:sample.web")  # whose annotator labels the videos, too
    node = Node(render, inputs, "raw", name=render.__name__)
    return Pipeline(
        namespaced([node], name, set(), [rendering_tag(name), cropping_tag(name), *tags]),
        namespace="sample",
        prefix_datasets_with_namespace=False,
        tags=[SAMPLE, "preprocess"],
    )
