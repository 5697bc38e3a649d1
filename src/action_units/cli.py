"""``kedro run``, with one sentence for an error that the user can fix."""

import os
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run

from action_units.error_messages import error_message
from action_units.signals import orderly_end


class _Run(click.Command):
    """Kedro's run command; an error that the user can fix is one sentence."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        with _one_sentence("The command line cannot be read: "):
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        with _one_sentence(), orderly_end():
            return super().invoke(ctx)


@contextmanager
def _one_sentence(before: str = "") -> Iterator[None]:
    try:
        yield
    except Exception as error:
        sentence = error_message(error)
        if sentence is None:
            raise
        raise click.ClickException(before + sentence) from error


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
