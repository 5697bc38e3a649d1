"""Pictures and videos: what is found, what is refused, and that nothing is left behind."""

import io
import json
import socket
import tempfile
import threading
from pathlib import Path

import anyio
import numpy as np
import pandas as pd
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from action_units import predict
from action_units.errors import ActionUnitsError, ConfigurationError
from action_units.live.limits import Limits
from action_units.live.server import create_app, serve
from action_units.prediction.engine import Engine
from tests.live.conftest import jpeg, scene
from tests.media.encoded import encode, needs_ffmpeg

SCOPE = {
    "type": "http", "method": "POST", "path": "/api/look", "raw_path": b"/api/look",
    "query_string": b"", "http_version": "1.1", "scheme": "http", "root_path": "",
    "headers": [(b"host", b"127.0.0.1")],
}  # fmt: skip


@pytest.fixture(autouse=True)
def uploads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where uploads lie; nothing may be left in it but the server's own empty folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def left(uploads: Path) -> list[Path]:
    return [path for path in uploads.rglob("*") if not path.is_dir()]


def told(answer) -> dict:
    """All lines of an answer put together."""
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert "begin" in lines[0]
    return {
        **lines[0]["begin"],
        "frames": [frame for line in lines for frame in line.get("frames", [])],
        "table": lines[0]["begin"]["csv"] + "".join(line.get("csv", "") for line in lines),
        "end": lines[-1],
    }


def test_the_page_and_the_classifier_are_told(client: TestClient):
    page = client.get("/")
    assert "nothing is stored" in page.text
    for name in ("page.css", "page.js", "drawing.js", "server.js", "work.js"):
        assert client.get(f"/{name}").status_code == 200
    assert "javascript" in client.get("/page.js").headers["content-type"]
    assert "://" not in page.text, "nothing comes from elsewhere"
    about = client.get("/api/classifier").json()
    assert about["name"] == "test/fold1"
    assert about["aus"][6] == {
        "code": "AU12",
        "name": "lip corner puller",
        "threshold": 0.5,
        "intensity": False,
    }


def test_of_a_moving_picture_it_is_said_that_the_first_was_taken(client):
    file = io.BytesIO()
    first, second = (Image.fromarray(scene({1: x})) for x in (20, 60))
    first.save(file, "GIF", save_all=True, append_images=[second])
    answer = told(client.post("/api/look?name=a.gif", content=file.getvalue()))
    assert answer["left_out"] == "the first of 2 pictures was taken"
    still = told(client.post("/api/look?name=a.jpg", content=jpeg(scene({1: 20}))))
    assert still["left_out"] == ""


def test_a_picture_gets_what_predict_says(client, classifier, uploads, tmp_path):
    content = jpeg(scene({1: 20, 2: 220}))
    path = tmp_path / "two.jpg"
    path.write_bytes(content)
    answer = told(client.post("/api/look?name=two.jpg", content=content))
    path.unlink()
    assert (answer["kind"], answer["width"], answer["height"]) == ("picture", 420, 240)
    assert answer["end"] == {"end": True}
    (frame,) = answer["frames"]
    assert [face["id"] for face in frame["faces"]] == [0, 1]
    table = pd.read_csv(io.StringIO(answer["table"]))
    path.write_bytes(content)
    expected = predict(path, classifier)
    path.unlink()
    assert list(table) == list(expected)
    p = [name for name in table if name.endswith("_p")]
    np.testing.assert_array_equal(table[p].astype(np.float32), expected[p])
    assert np.allclose([face["p"] for face in frame["faces"]], expected[p], atol=1e-4)
    assert left(uploads) == []


def test_a_video_gets_what_predict_says(client, classifier, webm, uploads):
    answer = told(client.post("/api/look", content=webm.read_bytes()))
    assert (answer["kind"], answer["rate"], answer["end"]) == ("video", 10.0, {"end": True})
    assert [frame["frame"] for frame in answer["frames"]] == list(range(1, 21))
    assert [len(frame["faces"]) for frame in answer["frames"]] == [1] * 8 + [2] * 8 + [0] * 4
    assert answer["frames"][3]["seconds"] == 0.3
    expected = predict(webm, classifier)
    assert answer["table"] == expected.to_csv(index=False, lineterminator="\n")
    assert left(uploads) == []


@needs_ffmpeg
def test_the_page_is_told_the_size_of_square_pixels(client, tmp_path):
    options = ("-c:v", "mpeg4", "-vf", "setsar=2")
    path = encode(tmp_path / "a.mp4", [scene({}, (64, 96))] * 2, *options)
    answer = told(client.post("/api/look", content=path.read_bytes()))
    assert (answer["width"], answer["height"]) == (192, 64)


@pytest.mark.parametrize("honest", [True, False], ids=["length given", "length not given"])
def test_too_large_is_refused_while_it_comes(client, limits, uploads, honest):
    sent = 0

    def pieces():
        nonlocal sent
        for _ in range(1000):
            sent += 100_000
            yield bytes(100_000)

    content = bytes(int(limits.upload_mb * 1e6) + 1) if honest else pieces()
    answer = client.post("/api/look", content=content)
    assert answer.status_code == 413
    assert "larger than 2 MB" in answer.json()["error"]
    assert left(uploads) == []


def test_a_length_that_lies_does_not_help(classifier, limits, uploads):
    """Reads only what it must of a body that goes on for ever."""
    taken = 0

    async def ask() -> list[dict]:
        app, said = create_app(classifier, limits), []
        scope = {**SCOPE, "headers": [(b"host", b"127.0.0.1"), (b"content-length", b"10")]}

        async def receive() -> dict:
            nonlocal taken
            taken += 100_000
            return {"type": "http.request", "body": bytes(100_000), "more_body": True}

        async def send(message: dict) -> None:
            said.append(message)

        async with app.router.lifespan_context(app):
            await app(scope, receive, send)
            assert left(uploads) == []
        return said

    said = anyio.run(ask)
    assert said[0]["status"] == 413
    assert taken <= limits.upload_mb * 1e6 + 200_000


def test_too_many_pixels_are_refused_before_they_are_decoded(client, uploads, two_people):
    bomb = io.BytesIO()
    Image.new("1", (5000, 5000)).save(bomb, "PNG")
    answer = client.post("/api/look", content=bomb.getvalue())
    assert answer.status_code == 422
    assert "above 1 megapixels" in answer.json()["error"]
    assert left(uploads) == []


def test_a_video_of_too_many_pixels_is_refused(classifier, webm, uploads):
    with TestClient(
        create_app(classifier, Limits(megapixels=0.05)), base_url="http://127.0.0.1"
    ) as client:
        answer = client.post("/api/look", content=webm.read_bytes())
    assert answer.status_code == 422
    assert "420 × 240 pixels are above 0.05 megapixels" in answer.json()["error"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not a picture"),
        (b"<html>no", "not a picture"),
        (bytes(500), "not a picture"),
        (b"\xff\xd8\xff\xe0 cut", "cannot be used: truncated"),
        (b"\0\0\0\x18ftypmp42" + bytes(200), ""),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_sentence(client, uploads, content, says):
    answer = client.post("/api/look", content=content)
    assert answer.status_code == 422
    sentence = answer.json()["error"]
    assert says in sentence.lower()
    assert sentence[0].isupper()
    assert str(uploads) not in sentence, "nobody is told where it lay"
    assert left(uploads) == []


def test_a_video_that_breaks_off_says_so_in_its_last_line(client, webm, uploads, monkeypatch):
    def broken(self, path, max_megapixels):
        yield from ()
        raise ActionUnitsError("frame 3 is damaged.")

    monkeypatch.setattr(Engine, "video", broken)
    answer = told(client.post("/api/look", content=webm.read_bytes()))
    assert answer["end"] == {"error": "Frame 3 is damaged."}
    monkeypatch.setattr(Engine, "video", lambda *_: iter_that_fails())
    answer = told(client.post("/api/look", content=webm.read_bytes()))
    assert answer["end"]["error"].startswith("An unexpected error")
    assert left(uploads) == []


def iter_that_fails():
    yield from ()
    raise ZeroDivisionError


def test_when_the_page_goes_the_work_ends_and_the_file_is_deleted(
    classifier, webm, uploads, monkeypatch
):
    closed, there = [], []

    def endless(self, path, max_megapixels):
        try:
            rows = next(iter(real(self, path)))
            while True:
                there.append(path.exists())
                yield rows
        finally:
            closed.append(threading.current_thread())

    real = Engine.video
    monkeypatch.setattr(Engine, "video", endless)

    async def ask(after: int) -> None:
        app = create_app(classifier)
        gone = anyio.Event()
        sent = [{"type": "http.request", "body": webm.read_bytes(), "more_body": False}]
        pieces = 0

        async def receive() -> dict:
            if sent:
                return sent.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict) -> None:
            nonlocal pieces
            pieces += 1
            if pieces >= after:
                gone.set()
                await anyio.sleep(0.01)

        async with app.router.lifespan_context(app):
            with anyio.fail_after(20):
                await app(dict(SCOPE), receive, send)
            assert left(uploads) == []

    for after in (1, 4):
        anyio.run(ask, after)
    assert all(there)
    # Ending the work takes its time, so not in the thread that answers all pages.
    assert closed
    assert threading.main_thread() not in closed
    assert list(uploads.iterdir()) == [], "the server's own folder goes with the server"


def test_when_the_page_goes_while_it_sends_the_file_is_deleted(classifier, webm, uploads):
    async def ask() -> None:
        app, there = create_app(classifier), []

        async def receive() -> dict:
            there.append(len(left(uploads)))
            if len(there) > 2:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": bytes(1000), "more_body": True}

        async def send(message: dict) -> None:
            pass

        async with app.router.lifespan_context(app):
            await app(dict(SCOPE), receive, send)
            assert there == [1, 1, 1]
            assert left(uploads) == []
            there.clear()
            await app(dict(SCOPE), receive, send)
            assert there == [1, 1, 1], "the next one is taken"

    anyio.run(ask)


def test_one_upload_at_a_time(client, webm, monkeypatch):
    seen = []

    def asks_again(self, path, max_megapixels):
        other = client.post("/api/look", content=webm.read_bytes())
        seen.append((other.status_code, other.json()["error"]))
        yield from ()

    monkeypatch.setattr(Engine, "video", asks_again)
    client.post("/api/look", content=webm.read_bytes())
    assert seen == [
        (503, "Another picture or video is being processed; try again when it is done.")
    ]
    monkeypatch.undo()
    assert client.post("/api/look", content=webm.read_bytes()).status_code == 200


def test_a_port_that_is_taken_is_named(classifier):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"port {port}, cannot be listened to"):
            serve(classifier, port=port)
    with pytest.raises(ConfigurationError, match="megapixels=0 must be above 0"):
        serve(classifier, max_megapixels=0)
