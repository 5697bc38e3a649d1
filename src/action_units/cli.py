"""``kedro run``, with one sentence for an error that the user can fix."""

import os
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run

from action_units.error_messages import error_message
from action_units.signals import orderly_end

_NODES = ("node_names", "from_nodes", "to_nodes")


class _Run(click.Command):
    """Kedro's run command; an error that the user can fix is one sentence."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        with _one_sentence():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        with _one_sentence(ctx.params), orderly_end():
            return super().invoke(ctx)


@contextmanager
def _one_sentence(options: dict[str, Any] | None = None) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        sentence = error_message(error)
        if sentence is None:
            raise
        if options is None:
            sentence = f"The command line cannot be read: {sentence}"
        elif isinstance(error, ValueError):  # Kedro's, of nodes and pipelines
            sentence = _misspelt(options) or sentence
        raise click.ClickException(sentence) from error


def _misspelt(options: dict[str, Any]) -> str | None:
    """The first unknown name on the command line, with the most similar known one."""
    from kedro.framework.project import pipelines

    pipelines.set_requested(None)
    names = [options.get("pipeline"), *options.get("pipelines", ())]
    if wrong := _first_unknown([name for name in names if name], list(pipelines)):
        return f"There is no pipeline {wrong}"
    chosen = [pipelines[name] for name in names if name] or [pipelines["__default__"]]
    nodes = [node for pipeline in chosen for node in pipeline.nodes]
    choices = {
        **{option: [node.name for node in nodes] for option in _NODES},
        "tags": sorted({tag for node in nodes for tag in node.tags}),
        "namespaces": sorted({node.namespace for node in nodes if node.namespace}),
    }
    for option, known in choices.items():
        if wrong := _first_unknown(options.get(option) or (), known):
            kind = "node" if option in _NODES else option.removesuffix("s")
            return f"There is no {kind} {wrong}"
    return None


def _first_unknown(given: Any, known: list[str]) -> str | None:
    for name in given:
        if name not in known:
            near = get_close_matches(name, known, 1)
            guess = f" Did you mean {near[0]}?" if near else ""
            return f"{name!r}.{guess} There are {', '.join(known)}."
    return None


# `kedro ipython` starts the first ipython on the PATH; where no environment is active, that
# would be another Python's.
_path = [sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)]
os.environ["PATH"] = os.pathsep.join(_path)

if sys.argv[1:2] == ["viz"]:
    # It asks PyPI for a newer version of itself, and has no option against that.
    _pypi: Any = import_module("kedro_viz.integrations.pypi")
    _pypi.get_latest_version = lambda: None


@click.group(name="action_units")
def cli() -> None:
    """Commands of the Action Units project."""


run = _Run(
    name="run", params=kedro_run.params, callback=kedro_run.callback, help=kedro_run.help
)
cli.add_command(run)
