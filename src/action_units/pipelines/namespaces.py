"""Namespaces: the same nodes once more, for another set or fold."""

from collections.abc import Callable, Iterable, Set
from functools import partial, update_wrapper
from typing import Any

from kedro.pipeline import Node, Pipeline


def namespaced(
    nodes: Iterable[Node], namespace: str, shared: Set[str], tags: Iterable[str] = ()
) -> Pipeline:
    """Nodes and datasets in a namespace, such as ``fold3.split``.

    Args:
        nodes: With dataset names without the namespace.
        namespace: Of a fold or a set.
        shared: Inputs that keep their names; parameters do so as well.
        tags: Added to all nodes.
    """
    pipeline = Pipeline(nodes)
    free = pipeline.inputs()
    return Pipeline(
        pipeline,
        namespace=namespace,
        inputs=set(shared) & free,
        parameters={name for name in free if name.startswith("params:")},
        tags=list(tags),
    )


def named(function: Callable[..., Any], *arguments: Any) -> Callable[..., Any]:
    """A function with its first arguments given, and the name that Kedro-Viz shows."""
    return update_wrapper(partial(function, *arguments), function)
