"""Commands that do not train do not wait for torch."""

import os
import shutil
import subprocess
import sys

import pytest

HEAVY = {"torch", "matplotlib", "sklearn"}

SCRIPT = """
import sys
from kedro.framework.cli.cli import main
try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
print("imported:", *sys.modules)
"""


@pytest.mark.parametrize(
    "command",
    [
        ["registry", "list"],
        ["catalog", "describe-datasets"],
        ["run", "--env", "tiny", "--pipeline", "preprocess"],
    ],
)
def test_a_command_that_does_not_train_does_not_import_torch(finished, empty_project, command):
    rendered = finished[0].path / "data/01_raw"
    shutil.copytree(rendered, empty_project.path / "data/01_raw")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *command],
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


def test_kedro_ipython_is_of_this_environment_though_none_is_active(empty_project):
    done = subprocess.run(
        [sys.executable, "-m", "kedro", "ipython", "--no-banner", "-c", "import sys; print(sys.prefix)"],
        cwd=empty_project.path,
        env={**os.environ, "PATH": os.defpath},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split()[-1] == sys.prefix


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
    assert "disfa_faces" in done.stdout + done.stderr  # it came as far as a catalog
    assert "sent:" not in done.stdout
