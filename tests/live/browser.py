"""A headless Chromium that is told what to do through a pipe (Chrome DevTools Protocol)."""

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.evaluation.report.test_page_in_browser import BROWSER, HEADLESS

OPTIONS = (
    *HEADLESS,
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--remote-debugging-pipe",
)
PATIENCE = 40.0  # seconds for one answer


class Browser:
    """One browser with one page; use it in a ``with``."""

    def __init__(self, profile: Path, camera: Path | None = None) -> None:
        more = [f"--user-data-dir={profile}"]
        if camera is not None:
            more.append(f"--use-file-for-fake-video-capture={camera}")
        self._options = [str(BROWSER), *OPTIONS, *more, "about:blank"]
        self._sent, self._rest = 0, b""
        self.complaints: list[str] = []
        self.requested: list[str] = []

    def __enter__(self) -> "Browser":
        (theirs_in, self._in), (self._out, theirs_out) = os.pipe(), os.pipe()
        # Chromium reads from 3 and writes to 4; a shell puts the pipes there.
        command = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'
        self._process = subprocess.Popen(
            ["bash", "-c", command, "bash", *self._options],
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self._ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "DOM"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)
        os.close(self._out)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Ask the page for something."""
        return self._ask(method, self._session, **parameters)

    def open(self, address: str, width: int = 1280, height: int = 900) -> None:
        self.resize(width, height)
        self.call("Page.navigate", url=address)

    def resize(self, width: int, height: int = 900) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def dark(self, dark: bool) -> None:
        feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[feature])

    def evaluate(self, script: str) -> Any:
        told = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def wait_for(self, script: str, seconds: float = PATIENCE) -> Any:
        """Wait until a script gives something true, and give it."""
        end = time.monotonic() + seconds
        while not (value := self.evaluate(script)):
            if time.monotonic() > end:
                shown = self.evaluate("document.body.innerText")
                raise AssertionError(f"never true: {script}\n{shown}\n{self.complaints}")
            time.sleep(0.1)
        return value

    def choose_files(self, selector: str, paths: Sequence[Path]) -> None:
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path) for path in paths])

    def press(self, key: str, code: int) -> None:
        for kind in ("keyDown", "keyUp"):
            text = "\r" if key == "Enter" else ""
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=code,
                text=text if kind == "keyDown" else "",
            )

    def screenshot(self, path: Path, whole: bool = True) -> Path:
        told = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(told["data"]))
        return path

    def _ask(
        self, method: str, session: str | None = None, **parameters: Any
    ) -> dict[str, Any]:
        self._sent += 1
        message: dict[str, Any] = {"id": self._sent, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        os.write(self._in, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + PATIENCE
        while True:
            told = self._next(end)
            if told.get("id") == self._sent:
                assert "error" not in told, told
                return dict(told["result"])
            self._hear(told)

    def _next(self, end: float) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._out], [], [], max(0.0, end - time.monotonic()))
            assert ready, "the browser does not answer"
            piece = os.read(self._out, 1 << 16)
            assert piece, "the browser ended"
            self._rest += piece
        first, self._rest = self._rest.split(b"\0", 1)
        return dict(json.loads(first))

    def _hear(self, told: dict[str, Any]) -> None:
        about = told.get("params", {})
        if told.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(about["exceptionDetails"])[:500])
        if told.get("method") == "Runtime.consoleAPICalled" and about["type"] == "error":
            self.complaints.append(json.dumps(about["args"])[:500])
        if told.get("method") == "Log.entryAdded" and about["entry"]["level"] == "error":
            self.complaints.append(about["entry"]["text"] + " " + about["entry"].get("url", ""))
        if told.get("method") == "Network.requestWillBeSent":
            self.requested.append(about["request"]["url"])


def has_browser() -> bool:
    return BROWSER is not None and shutil.which("bash") is not None
