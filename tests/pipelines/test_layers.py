"""Kedro-Viz draws its bands of layers only where these do not go in a circle."""

from graphlib import TopologicalSorter
from itertools import pairwise

import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from action_units.pipeline_registry import register_pipelines
from tests.conftest import PROJECT

PIPELINES = register_pipelines()
LAYERS = ("intermediate", "primary", "feature", "models", "model_output", "reporting")


@pytest.fixture(scope="module")
def catalog():
    bootstrap_project(PROJECT)
    with KedroSession.create(PROJECT) as session:
        return session.load_context().catalog


@pytest.mark.parametrize("name", PIPELINES)
def test_layers_do_not_go_in_a_circle(catalog, name):
    def layer(dataset: str) -> str | None:
        metadata = getattr(catalog.get(dataset), "metadata", None) or {}
        return metadata.get("kedro-viz", {}).get("layer")

    above: dict[str, set[str]] = {}  # the layers that lie above a dataset, its own included
    order: dict[str, set[str]] = {}
    for node in PIPELINES[name].nodes:  # in the order of their dependencies
        inputs = [one for one in node.inputs if not one.startswith("param")]
        over = set().union(*(above.get(one, {layer(one)}) for one in inputs)) - {None}
        for output in node.outputs:
            own = layer(output)
            above[output] = over | {own}
            if own is not None:
                order.setdefault(own, set()).update(over - {own})
    layers = list(TopologicalSorter(order).static_order())
    if name == "__default__":
        assert layers == ["raw", *LAYERS]
        # Nothing about the order is left to chance.
        assert all(above in order[below] for above, below in pairwise(layers))
