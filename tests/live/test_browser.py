"""The page in a real browser: a picture, a video and a fake webcam, at several widths."""

import csv
import io
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from action_units.live.limits import Limits
from action_units.live.server import create_app
from tests.live.browser import Browser, has_browser
from tests.live.conftest import jpeg, scene, write_video
from tests.media.encoded import VARIABLE, as_a_browser_writes, encode, needs_ffmpeg

pytestmark = pytest.mark.skipif(not has_browser(), reason="no Chromium or Chrome on the path")

WIDTHS = (360, 390, 1280)
READY = "document.querySelectorAll('#bars li').length === 12"
DONE = "!document.querySelector('#table').hidden"
OVERLAY = """(() => {
  const canvas = document.querySelector('#overlay');
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const colours = { blue: [86, 180, 233], orange: [230, 159, 0] };
  return Object.entries(colours).filter(([, [r, g, b]]) => {
    let count = 0;
    for (let i = 0; i < data.length; i += 4) {
      if (data[i] === r && data[i + 1] === g && data[i + 2] === b && data[i + 3]) count++;
    }
    return count > 200;
  }).map(([name]) => name).join(' ');
})()"""
PRESENT = "document.querySelectorAll('#bars .present').length"


@pytest.fixture(scope="module")
def address(classifier) -> Iterator[str]:
    """The live view on a port of its own."""
    listening = socket.create_server(("127.0.0.1", 0))
    app = create_app(classifier, Limits(upload_mb=2.0, megapixels=1.0))
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    server.should_exit = True
    thread.join()
    listening.close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory, camera) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile"), camera) as made:
        yield made


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Browser]:
    browser.complaints.clear()
    browser.requested.clear()
    browser.open("about:blank")
    browser.open(address)
    browser.wait_for(READY)
    yield browser
    assert browser.complaints == []
    elsewhere = ("http:", "https:", "ws:", "wss:")
    assert [
        url for url in browser.requested if url.startswith(elsewhere) and address not in url
    ] == []


def nothing_scrolls_sideways(page: Browser) -> None:
    for width in WIDTHS:
        page.resize(width)
        measured = page.evaluate("[innerWidth, document.documentElement.scrollWidth]")
        assert measured == [width, width]


def test_an_empty_page_says_what_it_is(page: Browser):
    text = page.evaluate("document.body.innerText")
    assert "Runs on this computer; nothing is stored." in text
    assert "AU12" in text
    assert "lip corner puller" in text
    nothing_scrolls_sideways(page)


def test_a_picture_shows_boxes_and_bars(page: Browser, tmp_path: Path):
    picture = tmp_path / "two.jpg"
    picture.write_bytes(jpeg(scene({1: 20, 2: 220})))
    page.choose_files("#file", [picture])
    page.wait_for(DONE)
    page.wait_for(f"{OVERLAY} === 'blue orange'")
    assert page.evaluate("document.querySelector('#status').textContent") == "2 faces"
    assert 0 < page.evaluate(PRESENT) <= 12
    assert page.evaluate("document.querySelectorAll('#faces input').length") == 2
    nothing_scrolls_sideways(page)


def test_a_video_shows_its_timeline_and_gives_its_table(page: Browser, webm: Path):
    page.evaluate(
        "URL.createObjectURL = (make => blob => {"
        "  if (blob.type === 'text/csv') blob.text().then(text => { window.table = text; });"
        "  return make.call(URL, blob); })(URL.createObjectURL)"
    )
    page.choose_files("#file", [webm])
    page.wait_for(DONE)
    assert (
        page.evaluate("document.querySelector('#status').textContent") == "20 frames, 2 faces."
    )
    assert not page.evaluate("document.querySelector('#timeline').hidden")
    seek = "document.querySelector('#video').currentTime = {}"
    page.evaluate(seek.format(1.25))
    page.wait_for(f"{OVERLAY} === 'blue orange'")
    page.evaluate(seek.format(0.35))
    page.wait_for(f"{OVERLAY} === 'blue'")
    page.evaluate(seek.format(1.85))
    page.wait_for(f"{OVERLAY} === ''")
    page.evaluate("document.querySelector('#table').click()")
    rows = list(csv.DictReader(io.StringIO(page.wait_for("window.table"))))
    assert [row["frame"] for row in rows if row["success"] == "0"] == ["17", "18", "19", "20"]
    nothing_scrolls_sideways(page)


@needs_ffmpeg
def test_boxes_come_with_the_frames_of_a_browsers_own_recording(page: Browser, tmp_path: Path):
    """Its rate varies, and the file says neither a rate nor a length."""
    frames = [scene({1: 20})] * 20 + [scene({})] * 5 + [scene({1: 20, 2: 220})] * 5
    options = (*VARIABLE, "-c:v", "libvpx", "-deadline", "realtime", "-b:v", "2M")
    recorded = encode(tmp_path / "recorded.webm", frames, *options, rate=20)
    page.choose_files("#file", [as_a_browser_writes(recorded)])
    page.wait_for(DONE)
    for moment, boxes in ((0.5, "blue"), (1.3, ""), (2.3, "blue orange"), (0.97, "blue")):
        page.evaluate(f"document.querySelector('#video').currentTime = {moment}")
        page.wait_for(f"{OVERLAY} === '{boxes}'")


def test_a_video_that_the_browser_cannot_play_still_has_a_timeline(
    page: Browser, two_people, tmp_path: Path
):
    page.choose_files("#file", [write_video(tmp_path / "two.avi", two_people)])
    page.wait_for(DONE)
    page.wait_for("!document.querySelector('#unplayable').hidden")
    assert not page.evaluate("document.querySelector('#timeline').hidden")
    go = "seek.value = {}; seek.dispatchEvent(new Event('input'));"
    nothing = "document.querySelectorAll('#bars .nothing').length"
    page.evaluate(go.format(0.5))
    assert page.evaluate(nothing) == 0
    page.evaluate(go.format(1.85))
    assert page.evaluate(nothing) == 12, "nobody is in the last frames"
    nothing_scrolls_sideways(page)


def test_the_webcam_shows_boxes_bars_and_a_running_timeline(page: Browser):
    # By keyboard: from the file to the webcam, and Enter.
    page.evaluate("document.querySelector('#file').focus()")
    page.press("Tab", 9)
    assert page.evaluate("document.activeElement.id") == "camera"
    page.press("Enter", 13)
    page.wait_for(f"{OVERLAY} === 'blue orange'")
    page.wait_for(f"{PRESENT} > 0")
    page.wait_for("!document.querySelector('#timeline').hidden")
    before = len(page.requested)
    page.evaluate("new Promise(resolve => setTimeout(resolve, 700))")
    assert len(page.requested) > before, "frames go on"
    nothing_scrolls_sideways(page)
    page.evaluate("document.querySelector('#stop').click()")
    page.wait_for("!document.querySelector('#hint').hidden")
    page.evaluate("new Promise(resolve => setTimeout(resolve, 300))")
    before = len(page.requested)
    page.evaluate("new Promise(resolve => setTimeout(resolve, 500))")
    assert len(page.requested) == before, "nothing is sent any more"


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("notes.txt", b"no picture", "not a picture"),
        ("large.mp4", bytes(2_100_000), "larger than 2 MB"),
    ],
)
def test_a_refusal_is_a_sentence_on_the_page(browser, address, tmp_path, name, content, says):
    browser.open("about:blank")
    browser.open(address)
    browser.wait_for(READY)
    path = tmp_path / name
    path.write_bytes(content)
    browser.choose_files("#file", [path])
    sentence = browser.wait_for(
        "!document.querySelector('#error').hidden && document.querySelector('#error').textContent"
    )
    assert says in sentence
    assert not browser.evaluate("document.querySelector('#hint').hidden")
    # A browser may take a refusal in the middle of an upload for a lost connection.
    sent = any(f"api/look?name={name}" in url for url in browser.requested)
    assert sent == (name == "notes.txt")


def test_light_and_dark(page: Browser):
    paper = "getComputedStyle(document.body).backgroundColor"
    page.dark(True)
    assert page.evaluate(paper) == "rgb(18, 22, 27)"
    page.dark(False)
    assert page.evaluate(paper) == "rgb(255, 255, 255)"
