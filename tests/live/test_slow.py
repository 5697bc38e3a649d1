"""Who is slow, silent or many holds nobody else up: with real sockets on loopback."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack, closing, contextmanager, suppress
from dataclasses import replace

import httpx
import pytest
import uvicorn

from action_units.live.limits import Limits
from action_units.live.server import configuration, create_app
from action_units.live.streaming import PredictionStream
from tests.live.conftest import jpeg, scene

LIMITS = Limits(upload_mb=2.0, frame_mb=0.5, megapixels=1.0, sessions=2, idle_seconds=0.3)
DEADLINE = 20.0  # of a socket; it ends a test that would wait for ever
HOST = b"Host: 127.0.0.1\r\n"


@contextmanager
def serving(classifier, limits: Limits) -> Iterator[tuple[str, int]]:
    """The address of a server in a thread."""
    server = uvicorn.Server(configuration(create_app(classifier, limits), limits))
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield listening.getsockname()
    finally:
        server.should_exit = server.force_exit = True
        thread.join()
        listening.close()


def post(path: str, length: int) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nContent-Length: {length}\r\n"
    return head.encode() + HOST + b"\r\n"


def opened(address, *sent: bytes) -> socket.socket:
    connection = socket.create_connection(address, timeout=DEADLINE)
    for piece in sent:
        connection.sendall(piece)
    return connection


def answer_while_dribbling(connection: socket.socket, piece: bytes) -> bytes:
    """Send a little again and again until there is an answer or an end."""
    for _ in range(int(DEADLINE * 20)):
        try:
            connection.sendall(piece)
            connection.settimeout(0.05)
            return connection.recv(1000)
        except TimeoutError:
            continue
        except OSError:
            return b""  # closed
    raise AssertionError("still open")


def ask(address, path="/api/look", content=b"") -> httpx.Response:
    return httpx.post(
        f"http://{address[0]}:{address[1]}{path}", content=content, timeout=DEADLINE
    )


def test_a_slow_upload_holds_nobody_up_and_is_ended(classifier):
    with (
        serving(classifier, replace(LIMITS, patience=1.0)) as address,
        closing(opened(address, post("/api/look", 9000), b"x")) as slow,
    ):
        answer = ask(address, content=jpeg(scene({1: 20})))
        assert json.loads(answer.text.splitlines()[-1]) == {"end": True}
        assert slow.recv(1000).startswith(b"HTTP/1.1 408 ")


def test_a_body_that_dribbles_is_ended_by_its_rate(classifier):
    with (
        serving(classifier, replace(LIMITS, patience=0.5, slowest_kb=50.0)) as address,
        closing(opened(address, post("/api/look", 1_900_000))) as slow,
    ):
        assert b"408" in answer_while_dribbling(slow, b"x")


def test_no_more_files_arrive_at_once_than_there_is_room_for(classifier):
    with (
        serving(classifier, replace(LIMITS, uploads=1)) as address,
        closing(opened(address, post("/api/look", 9000), b"x")),
    ):
        while (answer := ask(address, content=b"x")).status_code != 503:
            pass  # the first one has not been read yet
        assert "1 files are being received" in answer.json()["error"]


@pytest.mark.parametrize(
    "said", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "]
)
def test_a_request_that_never_comes_is_not_waited_for(classifier, said):
    with serving(classifier, replace(LIMITS, patience=0.3)) as address:
        with closing(opened(address, said)) as idle, suppress(ConnectionResetError):
            assert idle.recv(1000) == b""
        with closing(opened(address, said)) as slow:
            # Closed, or refused for what it has become.
            assert answer_while_dribbling(slow, b"G")[:12] in (b"", b"HTTP/1.1 400")


def test_many_connections_are_not_taken_and_the_page_comes_back(classifier):
    with serving(classifier, replace(LIMITS, connections=5, patience=0.5)) as address:
        crowd = [opened(address) for _ in range(12)]
        for one in crowd:
            with suppress(ConnectionResetError):
                assert one.recv(1) == b""
            one.close()
        assert httpx.get(f"http://127.0.0.1:{address[1]}/", timeout=DEADLINE).status_code == 200


def test_slow_frames_do_not_keep_webcams(classifier):
    with serving(classifier, replace(LIMITS, patience=10.0, idle_seconds=2.0)) as address:
        names = [ask(address, "/api/webcam").json()["session"] for _ in range(LIMITS.sessions)]
        slow = [opened(address, post(f"/api/webcam/{name}", 9000), b"x") for name in names]
        for _ in range(200):
            if ask(address, "/api/webcam").status_code == 200:
                break
            threading.Event().wait(0.05)
        else:
            raise AssertionError("the slow frames hold all webcams")
        for one in slow:
            one.close()


def test_who_does_not_read_the_answer_counts_as_gone():
    ended = []

    async def lines():
        try:
            while True:
                yield "x\n"
        finally:
            ended.append("lines")

    async def silent(*_):
        await asyncio.Event().wait()

    async def run() -> None:
        kept = AsyncExitStack()
        kept.callback(ended.append, "kept")
        scope = {"type": "http", "asgi": {"spec_version": "2.4"}}
        await asyncio.wait_for(
            PredictionStream(lines(), kept, 0.05)(scope, silent, silent), DEADLINE
        )

    asyncio.run(run())
    assert ended == ["lines", "kept"]
