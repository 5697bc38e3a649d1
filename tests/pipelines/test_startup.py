"""Commands that do not train do not wait for torch."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from action_units.files import SUMS
from action_units.sample.layout import MARKER

HEAVY = {"torch", "matplotlib", "sklearn"}

SCRIPT = """
import sys
from kedro.framework.cli.cli import main
for command in {commands}:
    sys.argv[1:] = command
    try:
        main()
    except SystemExit as stop:
        assert not stop.code, stop.code
print("imported:", *sys.modules)
"""


def all_but_a_few(folder, names):
    """Of a rendered sample what would make it larger, and the marks by which it is one."""
    names = sorted(names)
    subjects = [name for name in names if re.search(r"SN(?!00[123])\d+", name)]
    photographs = [name for name in names if name.endswith(".jpg")][20:]
    return {*subjects, *photographs, MARKER, SUMS}


def test_commands_that_do_not_train_do_not_import_torch(finished, empty_project):
    """Preprocessing is of a few photographs and three subjects."""
    raw = Path("data/01_raw/tiny")
    shutil.copytree(finished[0].path / raw, empty_project.path / raw, ignore=all_but_a_few)
    commands = [
        ["registry", "list"],
        ["catalog", "describe-datasets"],
        ["run", "--env", "tiny", "--pipeline", "preprocess", "--params", "workers=1"],
    ]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(commands=commands)],
        cwd=empty_project.path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    imported = set(done.stdout.split("imported:")[1].split())
    assert "kedro" in imported
    assert not imported & HEAVY


IPYTHON = """
import shutil
from kedro.framework.cli import project
project.call = lambda command: print("starts:", shutil.which(command[0]))
from kedro.framework.cli.cli import main
main()
"""


def test_kedro_ipython_is_of_this_environment_though_none_is_active(empty_project):
    done = subprocess.run(
        [sys.executable, "-c", IPYTHON, "ipython"],
        cwd=empty_project.path,
        env={**os.environ, "PATH": os.defpath},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    started = Path(done.stdout.partition("starts: ")[2].strip())
    assert started == Path(sysconfig.get_path("scripts"), "ipython"), done.stderr


REPORTING = """
import kedro_telemetry.plugin as plugin
plugin._send_heap_event = lambda **event: print("sent:", event["event_name"])
from {module} import main
main({arguments})
"""


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("kedro.framework.cli.cli", ""),
        ("action_units.commands", "['run', '--env', 'tiny', '--pipeline', 'evaluate']"),
    ],
)
def test_kedros_plugin_reports_nothing_without_the_checkouts_file(
    empty_project, module, arguments
):
    """As in a wheel of `kedro package`, beside which there is no .telemetry."""
    (empty_project.path / ".telemetry").unlink()
    if module == "action_units.commands":
        (empty_project.path / "pyproject.toml").unlink()
    script = REPORTING.format(module=module, arguments=arguments)
    known = ("DO_NOT_TRACK", "KEDRO_DISABLE_TELEMETRY")
    done = subprocess.run(
        [sys.executable, "-c", script, "catalog", "describe-datasets"],
        cwd=empty_project.path,
        env={name: value for name, value in os.environ.items() if name not in known},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    # It came as far as a catalog.
    assert "coded_faces" in done.stdout or "04_feature/tiny/disfa" in done.stderr
    assert "sent:" not in done.stdout
