"""The command to type next, with the options of the current one.

A hint without ``--env`` or ``run`` would, if followed, train something else for hours.
"""

import shlex
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_OF_ONE_COMMAND = (
    "restart", "source", "model", "runs", "person", "on", "cross.refit_subjects",
    "predict.neutral",
)  # fmt: skip
_WITHOUT_FOLDS = ("preprocess", "pretrain")

program = "kedro run"
"""What starts a run; ``action-units run`` outside of a project."""

stage: ContextVar[Mapping[str, Any]] = ContextVar("stage")
"""Pipeline and, where it has one, fold of the node that this thread runs."""


@dataclass(frozen=True)
class Run:
    """The options of a run.

    Attributes:
        project: The project's folder.
        env: ``--env``.
        conf_source: The configuration; None for the project's own.
        params: ``--params``, nested.
    """

    project: Path
    env: str | None = None
    conf_source: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)


current: Run | None = None
"""The run of this process; None in a script and in ``action-units predict``."""


def command(pipeline: str | None = None, **params: Any) -> str:
    """The command for a further run with the current run's data, settings and names.

    Args:
        pipeline: What to run, several with commas; None for everything.
        params: Added to the parameters of the current run, or in place of them.

    Returns:
        The command in backquotes; where no run is known, with a note that it needs the
        options of the run.
    """
    parts = [program]
    if pipeline:
        parts.append(f"--pipeline{'s' if ',' in pipeline else ''} {pipeline}")
    if current is None:
        plain = " ".join([*parts, *_params(params)])
        return f"`{plain}` (with the --env and --params of that run)"
    if not Path.cwd().is_relative_to(current.project):
        parts.insert(0, f"cd {shlex.quote(str(current.project))} &&")
    if current.env:
        parts.append(f"--env {shlex.quote(current.env)}")
    if current.conf_source:
        parts.append(f"--conf-source {shlex.quote(current.conf_source)}")
    options = {
        key: value for key, value in leaves(current.params) if key not in _OF_ONE_COMMAND
    }
    if pipeline in _WITHOUT_FOLDS:
        options.pop("fold", None)
    options |= params
    # Given in Python, or by --config: at a comma --params would split it.
    left_out = [key for key, value in options.items() if "," in _text(value)]
    typed = {key: value for key, value in options.items() if key not in left_out}
    rest = f" (with the same {' and '.join(left_out)})" if left_out else ""
    return f"`{' '.join([*parts, *_params(typed)])}`{rest}"


def again(**params: Any) -> str:
    """The command that runs the current stage alone; as ``command``."""
    now = dict(stage.get({}))
    return command(now.pop("pipeline", None), **now | params)


def own_settings(file: str) -> str:
    """The path of a file of the user's own settings, such as ``parameters.yml``."""
    folder = current.conf_source if current and current.conf_source else "conf"
    return f"{folder}/local/{file}"


def leaves(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a nested mapping, with its dotted name."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _params(values: Mapping[str, Any]) -> list[str]:
    text = ",".join(f"{key}={_text(value)}" for key, value in values.items())
    return [f"--params {shlex.quote(text)}"] if text else []


def _text(value: Any) -> str:
    """A value as ``--params`` reads it."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
