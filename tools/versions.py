"""Tries the project with other versions of Python, PyTorch and all that it needs.

Each case has an environment of its own, made by uv, and a copy of the project. In it the whole
job runs on the tiny sample, then the tests. The table goes between two marks of
docs/installation.md; rows of cases that did not run this time stay as they were.

    python tools/versions.py                                    # every case, all quick tests
    python tools/versions.py --only lowest --tests tests/models
    python tools/versions.py --uv='--torch-backend cpu'         # without CUDA's packages
"""

import argparse
import hashlib
import os
import platform
import re
import shlex
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

PROJECT = Path(__file__).parents[1]
PAGE = PROJECT / "docs/installation.md"
BEGIN, END = "<!-- versions -->\n", "<!-- end of versions -->"
HEAD = """\
| case | Python | PyTorch | packages | `kedro run --env tiny` | networks | tests |
|---|---|---|---|---|---|---|
"""
VERSIONS = "import platform, torch; print(platform.python_version(), torch.__version__)"
LOCK, LOWEST, NEWEST = "lock", "lowest", "newest"


@dataclass(frozen=True)
class Case:
    """One environment."""

    name: str
    python: str
    packages: str
    """``LOCK``, the lowest that `pyproject.toml` allows, or the newest that there are."""
    torch: str = ""
    """A version, where it is not the one that follows from ``packages``."""


CASES = (
    Case("lock", "3.11", LOCK),
    Case("lock-3.12", "3.12", LOCK),
    Case("lock-3.13", "3.13", LOCK),
    Case("lowest", "3.11", LOWEST),
    Case("lowest-3.12", "3.12", LOWEST),
    Case("lowest-3.13", "3.13", LOWEST),
    Case("newest", "3.11", NEWEST),
    Case("newest-3.12", "3.12", NEWEST),
    Case("newest-3.13", "3.13", NEWEST),
    Case("torch-2.11", "3.12", NEWEST, "2.11.0"),
    Case("torch-2.12", "3.12", NEWEST, "2.12.0"),
    Case("torch-2.14", "3.11", NEWEST, "2.14.1"),
)


def main() -> None:
    """Try the chosen cases and put their rows into the page."""
    names = [case.name for case in CASES]
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="CASE")
    parser.add_argument("--tests", nargs="+", default=["tests"], help="what pytest runs")
    parser.add_argument("--uv", default="", help="further options of `uv pip install`")
    options = parser.parse_args()
    for case in CASES:
        if case.name in options.only:
            with TemporaryDirectory(prefix=f"versions-{case.name}-") as folder:
                row = _try(case, Path(folder), shlex.split(options.uv), options.tests)
            print(row, flush=True)
            _put(row)


def _try(case: Case, folder: Path, uv: list[str], tests: list[str]) -> str:
    """The row of one case."""
    environment, copy = folder / "environment", folder / "project"
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in _output(listed, PROJECT).split("\0")[:-1]:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(PROJECT / name, copy / name)
    python, scripts = environment / "bin/python", environment / "bin"
    _output(["uv", "venv", "--python", case.python, str(environment)], copy)
    how = {
        LOCK: ["--constraints", "requirements.lock"],
        LOWEST: ["--resolution", "lowest-direct"],
        NEWEST: ["--upgrade"],
    }[case.packages]
    pinned = [f"torch=={case.torch}"] if case.torch else []
    install = ["uv", "pip", "install", "--python", str(python), *how, *uv, "-e", ".[test]"]
    try:
        _output([*install, *pinned], copy)
    except subprocess.CalledProcessError as error:
        print(error.stderr)
        return _row(case, "", "", "cannot be installed", "", "")
    used, torch = _output([str(python), "-c", VERSIONS], copy).split()
    run = subprocess.run(
        [scripts / "kedro", "run", "--env", "tiny"], cwd=copy, capture_output=True, text=True
    )
    ran = "runs" if run.returncode == 0 else "fails"
    if run.returncode:
        print(run.stdout[-3000:], run.stderr[-3000:])
    test = subprocess.run(
        [scripts / "pytest", "-p", "no:cacheprovider", "-rf", *tests],
        cwd=copy, capture_output=True, text=True,
        env=os.environ | {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"},
    )  # fmt: skip
    print("\n".join(test.stdout.splitlines()[-30:]))
    counted = re.findall(r"\d+ (?:passed|failed|errors?|skipped)", test.stdout[-400:])
    return _row(case, used, torch, ran, _networks(copy), ", ".join(counted) or "did not run")


def _row(case: Case, *cells: str) -> str:
    used, torch, ran, networks, tests = cells
    head = [case.name, used or case.python, torch or case.torch, case.packages]
    return f"| {' | '.join([*head, ran, networks, tests])} |"


def _networks(copy: Path) -> str:
    """The first characters of a hash over the weights of all networks that were trained."""
    found = sorted(copy.glob("data/06_models/**/*.safetensors"))
    if not found:
        return ""
    whole = hashlib.sha256()
    for path in found:
        content = path.read_bytes()
        header = 8 + int.from_bytes(content[:8], "little")  # its JSON names versions
        whole.update(str(path.relative_to(copy)).encode() + content[header:])
    return f"`{whole.hexdigest()[:8]}`"


def _put(row: str) -> None:
    """Replace the row of a case in the page, or add it."""
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    table, _, after = rest.partition(END)
    rows = {line.split(" | ")[0]: line for line in table.splitlines() if line.startswith("| ")}
    rows = {name: line for name, line in rows.items() if name != "| case"}
    rows[row.split(" | ")[0]] = row
    order = [f"| {case.name}" for case in CASES]
    lines = [rows[name] for name in order if name in rows]
    body = HEAD + "".join(f"{line}\n" for line in lines)
    machine = f"{platform.system()} on {platform.machine()}, {time.strftime('%B %Y')}"
    PAGE.write_text(f"{before}{BEGIN}{body}\n{machine}.\n{END}{after}")


def _output(command: list[str], folder: Path) -> str:
    """What a command prints."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout


if __name__ == "__main__":
    main()
