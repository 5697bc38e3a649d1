import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from action_units.evaluation.examples import KINDS, Example
from action_units.evaluation.report.page import PageExtras, render_report
from action_units.evaluation.results import FoldEvaluation
from action_units.evaluation.summary import RunSummary, summarise
from action_units.evaluation.theme import STAND_INS
from action_units.facs.action_units import AU_NAMES, DISFA_AUS, au_column
from tests.evaluation.made_up import made_up_curve, made_up_fold

VOID = {"area", "br", "col", "hr", "img", "input", "link", "meta"}


class Page(HTMLParser):
    """The page's tags, attributes, texts of table rows; fails on wrong nesting."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.rows: list[list[str]] = []
        self.words = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag, attrs):
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.words += data
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data

    def values(self, attribute: str) -> list[str]:
        return [value for _, name, value in self.attributes if name == attribute]


def faces(n: int = 6) -> dict[int, dict[str, list[Example]]]:
    """Noise: faces compress better."""
    random = np.random.default_rng(5)

    def face() -> Example:
        pixels = random.integers(0, 256, (64, 64), dtype=np.uint8)
        return Example(pixels, "SN001", "17", 0.5)

    return {au: {kind: [face() for _ in range(n)] for kind in KINDS} for au in DISFA_AUS}


QUARANTINE = pd.DataFrame(
    {
        "source": ["web", "web", "disfa"],
        "path": ["a<b>.jpg", "c.jpg", "d.jpg"],
        "reason": ["no face", "no face", "truncated"],
        "detail": "",
    }
)
EXTRAS = PageExtras(faces(), QUARANTINE, made_up_curve())


def run(folds: Sequence[int] = (1, 2, 3), rendered: bool = True) -> RunSummary:
    """A run in which nobody shows AU 5 in fold 1."""
    made = [made_up_fold(f, scratch=True, absent=(5,) if f == 1 else ()) for f in folds]
    return summarise([replace(fold, rendered=rendered) for fold in made])


@pytest.fixture(scope="module")
def summary() -> RunSummary:
    return run()


@pytest.fixture(scope="module")
def html(summary) -> str:
    return render_report(summary, EXTRAS)


@pytest.fixture(scope="module")
def page(html) -> Page:
    return Page(html)


def test_the_page_loads_nothing_from_anywhere(html, page):
    links = page.values("href") + page.values("src") + page.values("srcset")
    assert all(link.startswith(("#", "data:")) for link in links)
    assert "@import" not in html
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", html))
    assert "<script" not in html
    assert len(html) < 3_000_000


def test_ids_are_unique_and_every_reference_has_its_target(html, page):
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    targets = [link[1:] for link in page.values("href") if link.startswith("#")]
    targets += re.findall(r"url\(#([^)]*)\)", html)
    assert targets
    assert set(targets) <= set(ids)


def test_the_overview_prints_the_summary(summary, page):
    header = next(row for row in page.rows if "pooled" in row)
    printed = {row[0].strip().split()[0]: row for row in page.rows if len(row) == len(header)}
    for au in DISFA_AUS:
        row, line = printed[au_column(au)], summary.scores["finetuned"].aus[au]
        assert row[0].strip() == f"{au_column(au)} {AU_NAMES[au]}"
        expected = {
            "F1": line.mean_of_folds.value,
            "floor": summary.floor.aus[au].mean_of_folds.value,
            "scratch": summary.scores["scratch"].aus[au].mean_of_folds.value,
            "pooled": line.pooled.value,
            **{f"fold {fold}": value for fold, value in line.by_fold.items()},
        }
        for column, value in expected.items():
            text = "n/a" if np.isnan(value) else f"{value:.3f}"
            assert row[header.index(column)].strip() == text, (au, column)
        gain = summary.au_difference[au].value
        assert row[header.index("gain")] == f"{gain:+.3f}".replace("-", "−")


def test_every_fold_and_network_has_a_table_of_every_au_and_average(summary, page):
    width = len(next(row for row in page.rows if "threshold" in row))
    rows = [row for row in page.rows if len(row) == width]
    n_tables = 2 * len(summary.folds)
    for name in [*map(au_column, DISFA_AUS), "8 AUs", "12 AUs"]:
        assert sum(row[0].startswith(name) for row in rows) == n_tables


def test_both_averages_and_the_gain_lead_the_page(summary, html):
    head = html[: html.index('id="aus"')]
    for name, line in summary.scores["finetuned"].averages.items():
        assert f"{name}, mean of folds" in head
        assert f"{line.mean_of_folds.value:.3f}" in head
        assert f"{line.pooled.value:.3f}" in head
    gains = {n: f"{e.value:+.3f}".replace("-", "−") for n, e in summary.difference.items()}
    assert f'Gain from pre-training, 12 AUs</h2>\n    <p class="big">{gains["12 AUs"]}<' in head
    assert f"<dt>gain, 8 AUs</dt><dd>{gains['8 AUs']}</dd>" in head
    assert "35 of 36" in head


def test_what_is_undefined_is_na_and_says_why(page):
    assert not re.search(r"\bnan\b|\bNone\b|\binf\b", page.words, re.IGNORECASE)
    titles = [value for tag, name, value in page.attributes if (tag, name) == ("span", "title")]
    assert titles
    assert all(title.startswith("not defined: ") for title in titles)
    assert page.words.count("n/a") >= len(titles)


def test_rendered_faces_are_never_set_beside_people():
    drawn, filmed = render_report(run()), render_report(run(rendered=False))
    assert "Rendered sample." in drawn
    assert "FMAE-IAT" not in drawn
    assert "Rendered sample." not in filmed
    caption = filmed[filmed.index("Published results on DISFA") :]
    assert "FMAE-IAT" in caption
    assert "on\n  the test fold" in caption
    assert "6.5 points" in caption


def test_missing_folds_are_said(summary):
    assert "2 of 3 folds are evaluated (fold 1, 3)" in Page(render_report(run((1, 3)))).words


def test_text_from_outside_is_escaped(html):
    assert "a&lt;b&gt;.jpg" in html
    assert "a<b>.jpg" not in html
    hostile = replace(EXTRAS, title="<script>alert(1)</script>")
    assert "<script" not in render_report(run((1,)), hostile)


def test_quarantined_pictures_are_counted_by_reason(page):
    rows = {tuple(row[:3]) for row in page.rows}
    assert {("web", "no face", "2"), ("disfa", "truncated", "1")} <= rows


def test_a_threshold_that_could_not_be_fitted_is_marked():
    fold = made_up_fold(1)
    table = fold.finetuned.au_table.assign(threshold_fallback=[True] + [False] * 11)
    marked = replace(fold, finetuned=replace(fold.finetuned, au_table=table))

    def stars(one: FoldEvaluation) -> int:
        return render_report(summarise([one])).count(">*</abbr>")

    assert (stars(fold), stars(marked)) == (0, 1)


def test_the_figures_follow_the_theme(html, page):
    assert "<svg" in html
    assert "stroke: var(--ours)" in html
    assert not any(colour in html for colour in vars(STAND_INS).values())
    images = [tag for tag, name, _ in page.attributes if (tag, name) == ("img", "alt")]
    assert len(images) == 12 * len(KINDS) * 6


def test_the_same_run_gives_the_same_page(summary, html):
    assert render_report(summary, EXTRAS) == html
