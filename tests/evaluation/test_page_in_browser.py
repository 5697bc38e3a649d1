"""The page in a real browser, where there is one: nothing scrolls sideways, all is drawn."""

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest

from action_units.evaluation.report.page import render_report
from tests.evaluation.test_page import EXTRAS, run

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next((found for name in BROWSERS if (found := shutil.which(name))), None)

MEASURE = """<script>
const errors = [];
addEventListener("error", event => errors.push(String(event.message)), true);
addEventListener("load", () => {
  document.querySelectorAll("details").forEach(one => { one.open = true; });
  const root = document.documentElement;
  const drawn = one => one.getBoundingClientRect().width > 20;
  parent.postMessage(JSON.stringify({
    window: innerWidth,
    page: root.scrollWidth,
    images: [...document.images].filter(one => one.naturalWidth > 0 && drawn(one)).length,
    figures: [...document.querySelectorAll("svg")].filter(drawn).length,
    paper: getComputedStyle(document.body).backgroundColor,
    errors,
  }), "*");
});
</script>"""

# A window is never narrower than 500 px; a frame in it is as narrow as a phone.
FRAME = """<!doctype html><meta name="color-scheme" content="light dark"><script>
addEventListener("message", event => {
  document.documentElement.dataset.found = event.data;
});
</script><iframe src="page.html" width="%d" height="900" style="border:0"></iframe>"""

OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--virtual-time-budget=5000",
    "--window-size=1400,1000",
    "--dump-dom",
)


@pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome on the path")
@pytest.mark.parametrize(
    ("width", "scheme", "paper"),
    [(390, 1, "rgb(255, 255, 255)"), (1280, 0, "rgb(18, 22, 27)")],
)
def test_nothing_scrolls_sideways_and_every_figure_is_drawn(
    tmp_path: Path, width: int, scheme: int, paper: str
):
    html = render_report(run(rendered=False), EXTRAS)
    page, frame = tmp_path / "page.html", tmp_path / "frame.html"
    page.write_text(html.replace("<head>", f"<head>{MEASURE}", 1), encoding="utf-8")
    frame.write_text(FRAME % width, encoding="utf-8")
    shown = subprocess.run(
        [
            str(BROWSER),
            *OPTIONS,
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--blink-settings=preferredColorScheme={scheme}",
            frame.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    ).stdout
    measured = re.search(r'data-found="([^"]*)"', shown)
    assert measured is not None
    assert json.loads(unescape(measured[1])) == {
        "window": width,
        "page": width,
        "images": html.count("<img"),
        "figures": html.count("<svg"),
        "paper": paper,
        "errors": [],
    }
