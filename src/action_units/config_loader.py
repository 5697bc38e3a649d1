"""Where settings come from, and which folder their paths are relative to.

The last one of the same setting holds: conf/base, the environment of --env, conf/local (the
user's own settings), --params. Kedro itself reads one folder besides conf/base, so with --env
it would not read conf/local. It makes only some paths absolute; the others would be relative
to the current folder. In the catalog, ``${chosen:run}`` is the run of the checked parameters.
"""

import os
import re
from collections.abc import Callable
from copy import deepcopy
from fnmatch import fnmatch
from pathlib import Path, PureWindowsPath
from typing import Any

import yaml
from kedro.config import MissingConfigException, OmegaConfigLoader
from kedro.framework.context import KedroContext
from omegaconf import DictConfig, OmegaConf

from action_units.config import Parameters
from action_units.errors import ConfigurationError
from action_units.hints import leaves
from action_units.pipelines.parameters import read_parameters

OWN = "local"
"""The folder of the user's own settings, which hold in every environment."""

PATHS = {
    "catalog": [
        f"*.{name}"
        for name in (
            "path", "filepath", "filename", "images", "predictions", "stores",
        )
    ],
    "parameters": [
        "source", "model", "predict.neutral", "preprocess.detector.model",
        "preprocess.openface.binary",
        "recipes.*.backbone_weights", "coded_sets.*.labels", "coded_sets.*.media",
        "coded_sets.*.annotations.path", "evaluation.groups",
        "web_sets.*.photographs", "web_sets.*.identities", "web_sets.*.annotations.path",
        "web_sets.*.second_annotations.path",
    ],
    "mlflow": ["server.mlflow_*_uri"],
}  # fmt: skip
"""Which settings are paths, by their names with dots."""

_PROGRAMS = ("preprocess.openface.binary",)  # a bare name is looked for on the PATH
_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*(::|://)")
_SQLITE = "sqlite:///"


class ProjectConfigLoader(OmegaConfigLoader):
    """Kedro's loader; conf/local holds in every environment, and paths become absolute.

    A path in the configuration is relative to the project's folder. One in ``--params`` is
    relative to the current folder, or to the project's if it exists only there. ``~`` is the
    home folder in both.

    Attributes:
        project: The project's folder; None leaves paths as they are.
    """

    project: Path | None = None

    def __init__(
        self,
        conf_source: str | Path,
        env: str | None = None,
        runtime_params: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        """Name the configuration, as for Kedro's loader.

        Raises:
            ConfigurationError: There is no configuration, or none for the environment.
        """
        self._known: dict[tuple[str, Path | None], dict[str, Any]] = {}
        super().__init__(conf_source, env, runtime_params, **options)
        if not self._fs.isdir(self._get_conf_env_path(self.base_env)):
            raise ConfigurationError(
                f"{conf_source} has no folder {self.base_env!r}, so there is no configuration; "
                "run it in the project's folder, or name the configuration by --conf-source."
            )
        if env and not self._fs.isdir(self._get_conf_env_path(env)):
            names = sorted(path.name for path in Path(conf_source).glob("*/"))
            raise ConfigurationError(
                f"the environment {env!r} has no folder in {conf_source}"
                + (f"; there are {', '.join(names)}." if names else ".")
            )

    def __getitem__(self, key: str) -> dict[str, Any]:
        """The merged configuration of a kind, such as ``catalog``; its files are read once.

        Raises:
            MissingConfigException: There is none.
            ConfigurationError: Of the catalog, a parameter is unknown, missing or wrong.
        """
        if key in self.data or key not in self.config_patterns:
            return super().__getitem__(key)
        known = key, self.project
        if known not in self._known:
            self._known[known] = self._merged(key)
        return deepcopy(self._known[known])

    def _merged(self, key: str) -> dict[str, Any]:
        if key == "catalog":
            names = self.parameters().names_in_paths()
            OmegaConf.register_new_resolver("chosen", lambda name: names[name], replace=True)
        shared: dict[str, Any] = {}
        missing = None
        try:
            shared = super().__getitem__(key)
        except MissingConfigException as error:
            missing = error
        folder = self._get_conf_env_path(OWN)
        try:
            own = self.load_and_merge_dir_config(
                folder, self.config_patterns[key], key, set(), key == "credentials"
            )
        except MissingConfigException:  # they are optional
            own = {}
        if missing and not own:
            raise missing
        merged: dict[str, Any] = self._merge_configs(shared, own, key, folder)
        if self.project is not None and key in PATHS:
            _replace(merged, PATHS[key], self._absolute)
        return merged

    def parameters(self) -> Parameters:
        """All parameters, checked; raises ConfigurationError."""
        return read_parameters(self["parameters"], self["globals"], self.runtime_params or {})

    def load_and_merge_dir_config(self, conf_path: str, *args: Any, **options: Any) -> Any:
        """As Kedro's, which does not name a damaged file, or counts its lines from 0.

        Raises:
            ConfigurationError: A file is not YAML; names it and the line.
        """
        try:
            return super().load_and_merge_dir_config(conf_path, *args, **options)
        except (yaml.YAMLError, UnicodeDecodeError, AttributeError):
            for path in sorted(Path(conf_path).rglob("*.y*ml")):
                _check_yaml(path)
            raise

    def _absolute(self, name: str, text: str) -> str:
        """The absolute path of a setting."""
        assert self.project is not None
        if text.startswith(_SQLITE):
            return _SQLITE + str(self.project / text.removeprefix(_SQLITE))
        if not text or _URL.match(text) or PureWindowsPath(text).drive:
            return text
        path = Path(os.path.expanduser(text))  # noqa: PTH111 (takes an unknown ~name as a name)
        in_project = self.project / path
        if name in _PROGRAMS and path.name == text and not in_project.exists():
            return text
        typed = Path.cwd() / path
        is_typed = any(name == given for given, _ in leaves(self.runtime_params))
        return str(
            typed if is_typed and (typed.exists() or not in_project.exists()) else in_project
        )


class ProjectContext(KedroContext):
    """Kedro's context with typed parameters, whose loader knows where the project is.

    Kedro types the parameters that the run's nodes annotate. Here all are built, so that a
    wrong one is an error whatever runs, and also ``training``, which is in no file.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """As Kedro's."""
        super().__init__(*args, **kwargs)
        if isinstance(self.config_loader, ProjectConfigLoader):
            self.config_loader.project = self.project_path

    @property
    def params(self) -> dict[str, Any]:
        """All parameters, each as its class of ``action_units.config``.

        Raises:
            ConfigurationError: A parameter is unknown, missing or wrong.
        """
        loader = self.config_loader
        given = loader.runtime_params or {}
        return read_parameters(loader["parameters"], loader["globals"], given).to_params()


def _check_yaml(path: Path) -> None:
    try:
        content = OmegaConf.load(path)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        what = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise ConfigurationError(f"{path}{line}: this is not YAML ({what}).") from error
    if not isinstance(content, DictConfig):
        raise ConfigurationError(f"{path}: names with values are expected, not a list.")


def _replace(
    values: dict[str, Any],
    patterns: list[str],
    make: Callable[[str, str], str],
    above: str = "",
) -> None:
    """Replace every text, or list of texts, whose name fits a pattern."""
    for key, value in values.items():
        name = f"{above}{key}"
        if isinstance(value, dict):
            _replace(value, patterns, make, f"{name}.")
        elif any(fnmatch(name, pattern) for pattern in patterns):
            if isinstance(value, str):
                values[key] = make(name, value)
            elif isinstance(value, list):
                values[key] = [make(name, v) if isinstance(v, str) else v for v in value]
