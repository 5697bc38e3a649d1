"""A project of its own for the tests, and the whole job run in it once, very small."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import PROJECT


@dataclass(frozen=True)
class Project:
    """A copy of the project's configuration, with data of its own."""

    path: Path

    def kedro(self, *arguments: str, fails: bool = False, within: str = "") -> str:
        """Run the kedro command as a user would, and give what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "kedro", *arguments],
            cwd=self.path / within,
            env={**os.environ, "DO_NOT_TRACK": "1", "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        printed = done.stdout + done.stderr
        assert (done.returncode != 0) == fails, printed
        return printed

    def bytes_of(self, pattern: str) -> dict[str, bytes]:
        """The content of every file that a pattern finds, by its path."""
        return {
            str(path.relative_to(self.path)): path.read_bytes()
            for path in sorted(self.path.glob(pattern))
            if path.is_file()
        }


def make_project(folder: Path) -> Project:
    """Copy what a run needs; the package itself is the installed one."""
    own = shutil.ignore_patterns("local")  # settings of whoever runs the tests
    shutil.copytree(PROJECT / "conf", folder / "conf", ignore=own)
    shutil.copy(PROJECT / "pyproject.toml", folder)
    shutil.copy(PROJECT / ".telemetry", folder)
    (folder / "src").mkdir()
    return Project(folder)


@pytest.fixture
def empty_project(tmp_path: Path) -> Project:
    """A project in which nothing has been run."""
    return make_project(tmp_path)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, str]:
    """A project in which ``kedro run`` has ended, and what it printed."""
    project = make_project(tmp_path_factory.mktemp("finished"))
    return project, project.kedro("run", "--env", "tiny")
