"""``kedro run``, with our errors said in one sentence instead of a traceback."""

import sys
from importlib import import_module
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run

from action_units.errors import ActionUnitsError
from action_units.signals import orderly_end


def _ours(error: BaseException | None) -> ActionUnitsError | None:
    """The error of ours behind an exception of Kedro's, if there is one."""
    while error is not None:
        if isinstance(error, ActionUnitsError):
            return error
        error = error.__cause__ or error.__context__
    return None


class _Run(click.Command):
    """Kedro's run command; a problem that the user can mend ends in a plain message."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with orderly_end():
                return super().invoke(ctx)
        except Exception as error:
            ours = _ours(error)
            if ours is None:
                raise
            raise click.ClickException(str(ours)) from error


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
