"""What is in the source distribution, and what an installation requires."""

import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest

from tests.conftest import PROJECT

pytest.importorskip("setuptools")


def built(project, kind):
    """The file that the build back-end makes, in a process of its own."""
    out = project / "dist"
    out.mkdir()
    code = f"import build_backend; build_backend.build_{kind}({str(out)!r})"
    subprocess.run(
        [sys.executable, "-c", code], cwd=project, env={"PYTHONPATH": "tools"}, check=True,
        capture_output=True,
    )  # fmt: skip
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
    with tarfile.open(built(clone, "sdist")) as archive:
        names = {m.name.partition("/")[2] for m in archive.getmembers() if m.isfile()}
    made = {name for name in names - tracked if "egg-info" not in name}
    assert tracked - names == set()
    assert made == {"PKG-INFO", "setup.cfg"}


@pytest.mark.parametrize(("kind", "required"), [("wheel", False), ("editable", True)])
def test_kedro_viz_comes_with_the_projects_folder_alone(clone, kind, required):
    with zipfile.ZipFile(built(clone, kind)) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith("/METADATA"))
        lines = wheel.read(name).decode().splitlines()
    requirements = [line for line in lines if line.startswith("Requires-Dist: kedro-viz")]
    assert any("extra ==" not in line for line in requirements) == required
    assert any("extra ==" in line for line in requirements)


def test_windows_is_refused_in_one_sentence():
    code = "import sys; sys.platform = 'win32'; import action_units"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    last = done.stderr.splitlines()[-1]
    assert done.returncode
    assert last.startswith("ImportError: Action Units runs on Linux and macOS")
    assert "WSL 2" in last
