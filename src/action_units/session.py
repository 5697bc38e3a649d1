"""A session runs the part of the pipelines that its parameters ask for."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.pipeline import Pipeline
from kedro.runner import AbstractRunner

from action_units.config import Parameters
from action_units.errors import ConfigurationError
from action_units.pipelines.folds import count_subjects
from action_units.pipelines.selection import Selection
from action_units.pipelines.shape import Shape

_IN_FOLDS = {"finetune", "evaluate", "__default__"}
"""Pipelines that have nodes for each fold."""


class ProjectSession(KedroSession):
    """Kedro's session; ``settings.SESSION_CLASS``, so also ``session`` in a notebook.

    Kedro's pipelines are fixed before parameters are known, and no hook can change the one
    that runs. This takes the pipelines in the shape that the parameters need (``Shape``), and
    selects of their nodes, by name, those that the parameters ask for. A plain
    ``KedroSession`` runs all registered nodes; where the parameters ask for others, the hook
    ``CheckRun`` raises an error.
    """

    _context: KedroContext | None = None

    def load_context(self) -> KedroContext:
        """The project's context; one for the whole session, as reading takes a while."""
        if self._context is None:
            self._context = super().load_context()
        return self._context

    def run(
        self,
        pipeline_name: str | None = None,
        pipeline_names: list[str] | None = None,
        tags: Iterable[str] | None = None,
        runner: AbstractRunner | None = None,
        node_names: Iterable[str] | None = None,
        *more: Any,
        **options: Any,
    ) -> dict[str, Any]:
        """Run pipelines; arguments and result are ``KedroSession.run``'s.

        Raises:
            ConfigurationError: The parameters are wrong, or leave nothing to do; or there is
                no such pipeline, node, tag or namespace.
        """
        context = self.load_context()
        parameters = Parameters.from_params(context.params)
        names = [pipeline_name] if pipeline_name else pipeline_names or ["__default__"]
        _check_known("pipeline", names, list(pipelines))
        in_folds = _IN_FOLDS.intersection(names)

        def n_subjects(name: str) -> int:
            return count_subjects(context.catalog, name) if in_folds else parameters.fold or 1

        shape = Shape.of(parameters, n_subjects)
        shaped = [shape.name(name) for name in names]
        chosen = sum((pipelines[name] for name in shaped), Pipeline([]))
        _check_names(chosen, {"tags": tags, "node_names": node_names, **options})
        selection = Selection.of(parameters)
        node_names = _selected(chosen, selection, tuple(node_names or ()), names)
        if shaped != names:
            pipeline_name, pipeline_names = None, shaped
        return super().run(
            pipeline_name, pipeline_names, tags, runner, node_names, *more, **options
        )


def _check_names(pipeline: Pipeline, options: Mapping[str, Any]) -> None:
    """Check the options that choose nodes of a pipeline, such as ``from_nodes``."""
    nodes = pipeline.nodes
    known = {
        "node": [node.name for node in nodes],
        "tag": sorted({tag for node in nodes for tag in node.tags}),
        "namespace": sorted({space for node in nodes for space in node.namespace_prefixes}),
    }
    for kind, names in (
        *(("node", options.get(name)) for name in ("node_names", "from_nodes", "to_nodes")),
        ("tag", options.get("tags")),
        ("namespace", options.get("namespaces")),
    ):
        _check_known(kind, names or (), known[kind])


def _check_known(kind: str, names: Iterable[str], known: Sequence[str]) -> None:
    """Check names, and tell the most similar known one; raises ConfigurationError."""
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, 1)
            guess = f" Did you mean {near[0]}?" if near else ""
            raise ConfigurationError(
                f"There is no {kind} {name!r}.{guess} There are {', '.join(known)}."
            )


def _selected(
    pipeline: Pipeline, selection: Selection, requested: tuple[str, ...], names: list[str]
) -> tuple[str, ...]:
    """Names of the nodes to run; empty for all."""
    left_out = {
        node.name: reason for node in pipeline.nodes if (reason := selection.reason(node))
    }
    for name in requested:
        if name in left_out:
            raise ConfigurationError(f"{left_out[name]} leaves out the node {name}.")
    if requested or not left_out:
        return requested
    selected = tuple(node.name for node in selection.nodes(pipeline))
    if not selected:
        reasons = " and ".join(sorted(set(left_out.values())))
        raise ConfigurationError(
            f"{reasons} leaves nothing to do in the pipeline {', '.join(names)}."
        )
    return selected
