"""The pages in a real browser, where there is one: nothing scrolls sideways, all is drawn."""

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest

from action_units.evaluation.report.comparison import render_comparison
from tests.evaluation.report.test_audit import audit_page
from tests.evaluation.report.test_comparison import compared
from tests.evaluation.report.test_cross import whole_page as cross_page
from tests.evaluation.report.test_report import whole_page

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next((found for name in BROWSERS if (found := shutil.which(name))), None)

WIDTHS = (360, 390, 1280)

MEASURE = """<script>
const errors = [];
addEventListener("error", event => errors.push(String(event.message)), true);
const complain = console.error;
console.error = (...said) => { errors.push(said.join(" ")); complain(...said); };
addEventListener("load", () => {
  document.querySelectorAll("details").forEach(one => { one.open = true; });
  const root = document.documentElement;
  const drawn = one => {
    const box = one.getBoundingClientRect();
    return box.width > 20 && box.height > 20;
  };
  const sized = [...document.querySelectorAll(".scroll")];
  parent.postMessage({
    window: innerWidth,
    page: root.scrollWidth,
    images: [...document.images].filter(one => one.naturalWidth > 0 && drawn(one)).length,
    figures: [...document.querySelectorAll("svg")].filter(drawn).length,
    unreachable: sized.filter(one => one.scrollWidth > one.clientWidth && one.tabIndex).length,
    paper: getComputedStyle(document.body).backgroundColor,
    errors,
  }, "*");
});
</script>"""

# A window is never narrower than 500 px; a frame in it is as narrow as a phone.
FRAME = """<!doctype html><meta name="color-scheme" content="light dark"><script>
const found = [];
addEventListener("message", event => {
  found.push(event.data);
  document.documentElement.dataset.found = JSON.stringify(found);
});
</script>""" + "".join(
    f'<iframe src="page.html" width="{width}" height="900" style="border:0"></iframe>'
    for width in WIDTHS
)

HEADLESS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # it would ask its maker
    "--hide-scrollbars",
)
OPTIONS = (*HEADLESS, "--virtual-time-budget=5000", "--window-size=1400,1000", "--dump-dom")


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return {
        "report": whole_page(rendered=False),
        "comparison": render_comparison([compared("a", 0.5)], {"a": {"seed": 1}}),
        "cross": cross_page(),
        "audit": audit_page(),
    }


@pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome on the path")
@pytest.mark.parametrize("name", ["report", "comparison", "cross", "audit"])
@pytest.mark.parametrize(
    ("scheme", "paper"),
    [(1, "rgb(255, 255, 255)"), (0, "rgb(18, 22, 27)")],
    ids=["light", "dark"],
)
def test_nothing_scrolls_sideways_and_every_figure_is_drawn(
    tmp_path: Path, pages: dict[str, str], name: str, scheme: int, paper: str
):
    html = pages[name]
    page, frame = tmp_path / "page.html", tmp_path / "frame.html"
    page.write_text(html.replace("<head>", f"<head>{MEASURE}", 1), encoding="utf-8")
    frame.write_text(FRAME, encoding="utf-8")
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
        timeout=80,
        check=True,
    ).stdout
    measured = re.search(r'data-found="([^"]*)"', shown)
    assert measured is not None
    found = sorted(json.loads(unescape(measured[1])), key=lambda one: one["window"])
    expected = {
        "images": html.count("<img"),
        "figures": html.count("<svg"),
        "unreachable": 0,
        "paper": paper,
        "errors": [],
    }
    assert found == [{"window": width, "page": width, **expected} for width in WIDTHS]
