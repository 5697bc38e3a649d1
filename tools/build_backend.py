"""setuptools' build back-end; what it installs as editable includes the extra ``viz``.

``pip install -e .`` is for people who work in the project's folder, where `kedro viz` is one of
the commands. Who installs the package to predict with it needs no Kedro-Viz.
"""

from typing import Any

from setuptools import Distribution, build_meta
from setuptools.build_meta import (
    build_sdist,
    build_wheel,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]


def prepare_metadata_for_build_editable(*args: Any, **options: Any) -> str:
    """Write the metadata alone, from which pip sees what to install."""
    _require_viz()
    return str(build_meta.prepare_metadata_for_build_editable(*args, **options))


def build_editable(*args: Any, **options: Any) -> str:
    """Build the wheel that points to ``src``."""
    _require_viz()
    return str(build_meta.build_editable(*args, **options))


def _require_viz() -> None:
    """Add to what setuptools reads from `pyproject.toml`; a hook has a process of its own."""
    read = Distribution.parse_config_files

    def read_and_add(self: Distribution, *args: Any, **options: Any) -> None:
        read(self, *args, **options)
        self.install_requires = [*self.install_requires, *self.extras_require["viz"]]
        self.metadata.install_requires = self.install_requires

    Distribution.parse_config_files = read_and_add
