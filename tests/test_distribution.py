"""What is in the source distribution, and what an installation requires."""

import shutil
import subprocess
import sys
import tarfile

import pytest

from tests.conftest import PROJECT

pytest.importorskip("setuptools")


def built(project):
    """The source distribution, made in a process of its own."""
    out = project / "dist"
    out.mkdir()
    code = f"from setuptools import build_meta; build_meta.build_sdist({str(out)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=project, check=True, capture_output=True)
    return next(out.iterdir())


@pytest.fixture(scope="module")
def tracked():
    if not (PROJECT / ".git").exists():
        pytest.skip("this is no clone, so nobody knows what is part of the project")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    return {name for name in listed.stdout.split("\0") if name and (PROJECT / name).exists()}


@pytest.fixture
def clone(tracked, tmp_path):
    for name in tracked:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(PROJECT / name, tmp_path / name)
    return tmp_path


def test_a_source_distribution_is_the_whole_project_and_nothing_private(clone, tracked):
    own = ["conf/local/credentials.yml", "data/01_raw/face.jpg", "docs/__pycache__/a.pyc"]
    for name in own:
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / name).write_text("private")
    with tarfile.open(built(clone)) as archive:
        names = {m.name.partition("/")[2] for m in archive.getmembers() if m.isfile()}
    made = {name for name in names - tracked if "egg-info" not in name}
    assert tracked - names == set()
    assert made == {"PKG-INFO", "setup.cfg"}


def test_windows_is_refused_in_one_sentence():
    code = "import sys; sys.platform = 'win32'; import action_units"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    last = done.stderr.splitlines()[-1]
    assert done.returncode
    assert last.startswith("ImportError: Action Units runs on Linux and macOS")
    assert "WSL 2" in last
