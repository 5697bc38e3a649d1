"""A project of its own for the tests, and the whole job run in it once, very small."""

import contextlib
import io
import logging
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner
from kedro.framework.startup import bootstrap_project

from action_units.cli import run
from tests.conftest import PROJECT


@dataclass(frozen=True)
class Project:
    """A copy of the project's configuration, with data of its own."""

    path: Path

    def run(self, *arguments: str, fails: bool = False, within: str = "") -> str:
        """Do what ``kedro run`` does, in this process, and give what a user would read."""
        log = io.StringIO()
        handler = logging.StreamHandler(log)
        with contextlib.chdir(self.path / within):
            bootstrap_project(self.path)
            logging.root.addHandler(handler)
            try:
                done = CliRunner().invoke(run, arguments)
            finally:
                logging.root.removeHandler(handler)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        printed = log.getvalue() + done.output
        assert (done.exit_code != 0) == fails, printed
        return printed

    def copy(self, folder: Path) -> "Project":
        """The same project once more, to be changed.

        Data are links to the same files, as the project replaces files and never changes
        them; but a journal is changed in place.
        """
        journals = Path("data/02_intermediate")
        data = shutil.ignore_patterns("02_intermediate")
        shutil.copytree(self.path, folder, ignore=shutil.ignore_patterns("data"))
        shutil.copytree(self.path / "data", folder / "data", ignore=data, copy_function=os.link)
        shutil.copytree(self.path / journals, folder / journals)
        return Project(folder)

    def state(self) -> dict[Path, tuple[int, int]]:
        """Time and size of every file."""
        files = [path for path in self.path.rglob("*") if path.is_file()]
        return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in files}

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
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Project, str]]:
    """A project in which ``kedro run`` has ended, and what it printed; only to be read."""
    project = make_project(tmp_path_factory.mktemp("finished"))
    printed = project.run("--env", "tiny")
    before = project.state()
    yield project, printed
    after = project.state()
    changed = sorted(str(path) for path in before.keys() | after.keys()
                     if before.get(path) != after.get(path))  # fmt: skip
    assert not changed, f"a test changed the shared project: {changed[:5]}"


@pytest.fixture
def copied(finished: tuple[Project, str], tmp_path: Path) -> Project:
    """The finished project once more, to be changed."""
    return finished[0].copy(tmp_path / "copy")
