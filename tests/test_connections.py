"""Nothing leaves the computer."""

import os
import socket
import subprocess
import sys
import tomllib
import urllib.request
from pathlib import Path

import onnx
import pytest

from tests.conftest import PROJECT

ELSEWHERE = "203.0.113.1"  # of no computer (RFC 5737)

CHILD = """
import socket
try:
    socket.create_connection(("203.0.113.1", 443), timeout=1)
except OSError:
    pass
"""

# The proxy closes at once, so the client sees an error.
THROUGH_THE_PROXY = """
import urllib.request
try:
    urllib.request.urlopen("http://example.invalid/", timeout=5)
except OSError:
    pass
"""


def tried(connections: Path) -> str:
    """What was noted; the guard forgets it."""
    text = connections.read_text()
    os.truncate(connections, 0)
    return text


def test_the_guard_sees_python_here_and_in_a_child_and_what_takes_the_proxy(connections):
    for attempt in (
        lambda: socket.create_connection((ELSEWHERE, 443), timeout=1),
        lambda: socket.getaddrinfo("example.invalid", 443),
        lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", (ELSEWHERE, 53)),
    ):
        with pytest.raises(PermissionError, match="stay on this computer"):
            attempt()
        assert tried(connections).startswith("socket.")
    for script, expected in ((CHILD, "socket.connect ('203"), (THROUGH_THE_PROXY, "GET http:")):
        subprocess.run([sys.executable, "-c", script], check=True)
        assert expected in tried(connections)


def test_loopback_is_no_other_computer(connections):
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
    socket.getaddrinfo("localhost", 80)
    assert urllib.request.getproxies()["http"].startswith("http://127.0.0.1:")


SESSION = """
import sys, time
if sys.argv[1] == "ours":
    from action_units.export.onnx_runtime import open_session
else:
    import onnxruntime
    open_session = lambda content: onnxruntime.InferenceSession(content)
open_session(open(sys.argv[2], "rb").read())
time.sleep(float(sys.argv[3]))
"""


def session_in(home: Path, package: str, seconds: float) -> None:
    """Open an ONNX file in a process with a home of its own."""
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    out = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Relu", ["x"], ["y"])], "g", [value], [out]
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, home / "g.onnx")
    plain = {
        k: v
        for k, v in os.environ.items()
        if k not in ("ORT_DISABLE_TELEMETRY", "DO_NOT_TRACK", "XDG_CACHE_HOME")
    }
    command = [sys.executable, "-c", SESSION, package, str(home / "g.onnx"), str(seconds)]
    subprocess.run(command, env=plain | {"HOME": str(home)}, check=True)


def test_onnx_runtime_makes_no_id_of_this_computer(tmp_path):
    session_in(tmp_path, "ours", 0)
    assert [path.name for path in tmp_path.iterdir()] == ["g.onnx"]


VIZ = """
import sys
sys.argv = ["kedro", "viz"]
import action_units.cli
from kedro_viz.integrations.pypi import get_latest_version
print(get_latest_version())
"""


def test_kedro_viz_does_not_ask_for_a_newer_version():
    done = subprocess.run([sys.executable, "-c", VIZ], stdout=subprocess.PIPE, check=True)
    assert done.stdout.strip() == b"None"


def test_kedro_reports_nothing_outside_a_project_either(tmp_path, connections):
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    entries = project["entry-points"]["kedro.init"].items()
    installed = tmp_path / "site" / "ours-1.dist-info"  # as installing the project writes it
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: ours\nVersion: 1\n")
    lines = ["[kedro.init]", *(f"{name} = {value}" for name, value in entries)]
    (installed / "entry_points.txt").write_text("\n".join(lines))
    silent = ("DO_NOT_TRACK", "KEDRO_DISABLE_TELEMETRY")
    environment = {name: value for name, value in os.environ.items() if name not in silent}
    environment["PYTHONPATH"] = f"{installed.parent}{os.pathsep}{environment['PYTHONPATH']}"
    command = [sys.executable, "-m", "kedro", "run"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True)
    assert b"No such command 'run'" in done.stderr
    assert not tried(connections)


@pytest.mark.slow
def test_onnx_runtime_reports_nothing_within_the_time_it_takes_to_report(tmp_path, connections):
    session_in(tmp_path, "ours", 20)
    assert not tried(connections)
    session_in(tmp_path, "theirs", 20)  # the guard does see it
    if (tmp_path / ".cache").exists():  # this build of the package reports at all
        assert "CONNECT mobile.events.data.microsoft.com" in tried(connections)
