"""What all tests share."""

import os
import re
import socket
import sys
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from action_units import hints
from tests.portraits import portrait

PROJECT = Path(__file__).parents[1]
REAL_LABELS = PROJECT.parent / "shared" / "data"
GUARD = Path(__file__).parent / "guard"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """With ``-n``: a file's tests run in one process, and so do all that share ``finished``."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return "finished" if _uses_finished(PROJECT / file) else file

    return Scheduling(config, log)


@cache
def _uses_finished(file: Path) -> bool:
    """Whether a file's tests use the project that has been run once."""
    return re.search(r"\b(finished|copied)\b", file.read_text()) is not None


@pytest.fixture(scope="session")
def connections(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file that names each attempt to connect to another computer, and so ends empty.

    Sockets of Python are watched in this process and its children. Native code, such as
    ONNX Runtime's, is seen by the proxy that it is told to connect through.
    """
    noted = tmp_path_factory.mktemp("guard") / "connections.txt"
    noted.touch()
    listener = socket.create_server(("127.0.0.1", 0))
    proxy = f"http://127.0.0.1:{listener.getsockname()[1]}"

    def listen() -> None:
        while True:
            connection, _ = listener.accept()
            connection.settimeout(1)
            with connection:
                try:
                    first = connection.recv(200).split(b"\r\n")[0]
                except OSError:
                    first = b"silent"
                with noted.open("a") as file:
                    file.write(f"through the proxy: {first!r}\n")

    threading.Thread(target=listen, name="proxy", daemon=True).start()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            patch.setenv(name, proxy)
            patch.setenv(name.upper(), proxy)
        for name in ("no_proxy", "NO_PROXY"):
            patch.setenv(name, "localhost,127.0.0.1,::1")
        patch.setenv("CONNECTIONS_NOTED", str(noted))
        patch.setenv("PYTHONPATH", str(GUARD), prepend=os.pathsep)
        patch.syspath_prepend(GUARD)
        sys.modules.pop("sitecustomize", None)
        __import__("sitecustomize")
        yield noted


@pytest.fixture(autouse=True)
def no_connections(connections: Path) -> Iterator[None]:
    """Fail a test during which anything tried to connect to another computer."""
    before = connections.stat().st_size
    yield
    if connections.stat().st_size > before:
        pytest.fail(f"beyond this computer: {connections.read_text()[before:]}")


@pytest.fixture
def real_labels() -> Path:
    """The folder of real label files; the test is skipped where they are not at hand."""
    if not REAL_LABELS.is_dir():
        pytest.skip("the real label files are not beside the project")
    return REAL_LABELS


@pytest.fixture(autouse=True)
def no_run_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages name the commands of no run that an earlier test began."""
    monkeypatch.setattr(hints, "current", None)


@pytest.fixture(scope="session")
def portraits():
    """Three people, gray (192, 192)."""
    return [portrait(seed) for seed in range(3)]
