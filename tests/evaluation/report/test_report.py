import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from action_units.evaluation.fold import FoldEvaluation
from action_units.evaluation.predictions import Predictions
from action_units.evaluation.report import published
from action_units.evaluation.report.examples import KINDS, Example
from action_units.evaluation.report.report import PageExtras, render_report
from action_units.evaluation.report.tables import latex_table, markdown_table
from action_units.evaluation.report.theme import LIGHT
from action_units.evaluation.summary import RunSummary, summarise
from action_units.labels.action_units import AU_NAMES, DISFA_AUS, au_column, au_columns
from action_units.labels.folds import FoldProtocol
from tests.evaluation.made_up import (
    GROUPS,
    from_scratch,
    made_up_curve,
    made_up_fold,
    made_up_predictions,
)

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
GAINS = pd.DataFrame(
    [
        {
            "option": option,
            "measure": measure,
            "average": average,
            "value": 0.5 + gain,
            "low": 0.4,
            "high": 0.7,
            "gain": gain,
            "gain_low": gain - 0.01,
            "gain_high": gain + 0.01,
        }
        for option, gain in (("raw", 0.0), ("temperature", 0.111), ("smoothing", -0.004))
        for average in ("8 AUs", "12 AUs")
        for measure in ("f1", "ece")
    ]
)
LOST = pd.DataFrame(
    {
        "subject": ["SN001", "SN002", "SN003"],
        "frames": [100, 100, 1000],
        "lost": [0, 4, 25],
        "reasons": ["", "no face", "no face 20, several faces 5"],
    }
)
PROVENANCE = {
    "git_commit": "0a1b2c3",
    "wall_time": "4 min",
    "packages": {"torch": "2.13", "numpy": "2.4"},
    "configuration": {"network": {"width": "<wide>"}},
    "note": ["a", "b"],
}


def predictions() -> dict[int, Predictions]:
    """The predictions of the network of `run`, with intensities."""
    random = np.random.default_rng(2)
    found = {}
    for fold in (1, 2, 3):
        table = made_up_predictions(
            GROUPS[fold - 1], seed=fold, absent=(5,) if fold == 1 else ()
        )
        for column in au_columns(DISFA_AUS):
            strong = random.integers(2, 6, len(table))
            table[f"{column}_r"] = np.where(table[column] == 1, strong, 0)
            table[f"{column}_e"] = 5 * table[f"{column}_p"] ** 2
            table[f"{column}_m"] = 0.7
        found[fold] = Predictions.read(table, [0.5] * 12)
    return found


EXTRAS = PageExtras(
    faces(),
    QUARANTINE,
    made_up_curve(),
    predictions=predictions(),
    gains=GAINS,
    lost=LOST,
    provenance=PROVENANCE,
)


@cache
def run(folds: Sequence[int] = (1, 2, 3), rendered: bool = True) -> RunSummary:
    """A run in which nobody shows AU 5 in fold 1."""
    made = [made_up_fold(f, scratch=True, absent=(5,) if f == 1 else ()) for f in folds]
    return summarise([replace(fold, rendered=rendered) for fold in made])


@cache
def whole_page(rendered: bool) -> str:
    """The page with all its parts; drawing it takes seconds."""
    with pytest.MonkeyPatch.context() as patch:  # published results need published folds
        patch.setattr(published, "PROTOCOLS", (FoldProtocol("standard", GROUPS),))
        return render_report(run(rendered=rendered), EXTRAS)


@pytest.fixture(scope="module")
def summary() -> RunSummary:
    return run(rendered=False)


@pytest.fixture(scope="module")
def html() -> str:
    return whole_page(rendered=False)


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
            "all-positive": summary.all_positive.aus[au].mean_of_folds.value,
            "scratch": summary.scores["scratch"].aus[au].mean_of_folds.value,
            "pooled": line.pooled.value,
            **{f"fold {fold}": value for fold, value in line.by_fold.items()},
        }
        for column, value in expected.items():
            text = "n/a" if np.isnan(value) else f"{value:.3f}"
            assert row[header.index(column)].strip() == text, (au, column)
        gain = summary.gains["f1"].aus[au].mean_of_folds.value
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
    gains = {
        n: f"{e.mean_of_folds.value:+.3f}".replace("-", "−")
        for n, e in summary.gains["f1"].averages.items()
    }
    assert f'Gain from pre-training, 12 AUs</h2>\n    <p class="big">{gains["12 AUs"]}<' in head
    assert f"<dt>gain, 8 AUs</dt><dd>{gains['8 AUs']}</dd>" in head
    assert "35 of 36" in head


def test_what_is_undefined_is_na_and_says_why(page):
    assert not re.search(r"\bnan\b|\bNone\b|\binf\b", page.words, re.IGNORECASE)
    titles = [value for tag, name, value in page.attributes if (tag, name) == ("span", "title")]
    assert titles
    assert all(title.startswith("not defined: ") for title in titles)
    assert not any(title.count("not defined") > 1 for title in titles)
    assert page.words.count("n/a") >= len(titles)


def test_the_verdict_comes_first(summary, html, page):
    lede = re.search(r'<p class="lede">(.*?)</p>', html, re.DOTALL)[1]
    best = summary.scores["finetuned"].averages["12 AUs"].mean_of_folds
    floor, gain = (
        summary.all_positive.averages["12 AUs"],
        summary.gains["f1"].averages["12 AUs"].mean_of_folds,
    )
    said = " ".join(re.sub("<[^>]*>", "", lede).split())
    assert (
        f"F1 of {best.value:.3f} over 12 AUs (95 %: {best.low:.3f} to {best.high:.3f})" in said
    )
    assert f"positive gives {floor.mean_of_folds.value:.3f}" in said
    assert f"pre-training is worth {gain.value:+.3f}" in said
    sections = [v for tag, name, v in page.attributes if (tag, name) == ("section", "id")]
    assert sections == [
        "aus",
        "intensity",
        "fails",
        "calibration",
        "folds",
        "published",
        "data",
        "paper",
        "provenance",
    ]


def test_the_intensity_that_counts_as_present_is_read_from_the_labels(html):
    assert "Intensities from 2 count as positive." in html
    one = predictions()[1]
    weaker = replace(one, intensities=np.where(one.intensities == 2, 1, one.intensities))
    assert (one.present_from, weaker.present_from) == (2, 1)
    assert replace(one, intensities=None).present_from is None


def test_intensities_stand_beside_their_floors():
    tables = {
        "finetuned": {
            fold: made_up_predictions(GROUPS[fold - 1], seed=fold, aus=(1, 12)).assign(
                AU12_r=lambda t: 3 * (t["AU12"] == 1),
                AU12_e=lambda t: 4 * t["AU12_p"],
                AU12_m=0.5,
            )
            for fold in (1, 2, 3)
        }
    }
    run = summarise([made_up_fold(n, aus=(1, 12)) for n in (1, 2, 3)], predictions=tables)
    page = Page(render_report(run))
    header = next(row for row in page.rows if "always 0" in row)
    (row,) = (row for row in page.rows if row[0].startswith("AU12") and len(row) == len(header))
    scores = {n: m.aus[12].mean_of_folds.value for n, m in run.metrics["finetuned"].items()}
    shown = ("mae", "mae_of_zero", "mae_of_mean", "icc", "pcc", "mse")
    assert {f"{scores[name]:.3f}" for name in shown} <= set(row)
    (none,) = (
        row for row in page.rows if row[0].startswith("AU01") and len(row) == len(header)
    )
    assert set(none[1:]) == {"n/a"}


def test_a_network_below_the_baseline_is_said_to_be():
    guessing = render_report(summarise([made_up_fold(1, skill=0.0, aus=(1, 12))]))
    words = " ".join(Page(guessing).words.split())
    assert "That is no better than calling every frame positive" in words
    assert "Calling every frame positive gives" not in words
    assert "from random weights" not in words
    assert "Recipe" not in words[: words.index("By action unit")]


def test_every_metric_is_there_for_both_averages(summary, page):
    for name in ("F1-norm", "precision", "MCC", "prevalence"):
        found = [
            row
            for row in page.rows
            if row[0].split("\xa0")[0].strip() == name and len(row) == 7
        ]
        assert len(found) == 2
    f1 = [row for row in page.rows if row[0].strip().startswith("F1\xa0")]
    for average, row in zip(("8 AUs", "12 AUs"), f1[:2], strict=True):
        line = summary.scores["finetuned"].averages[average]
        assert row[1] == f"{line.mean_of_folds.value:.3f}"
        assert row[3] == f"{line.pooled.value:.3f}"
        assert row[-1] == f"{line.defined} of {line.possible}"


def test_every_au_has_its_panels_and_each_says_what_it_shows(page):
    said = [v for tag, name, v in page.attributes if (tag, name) == ("svg", "aria-label")]
    assert all(said)
    for au in map(au_column, DISFA_AUS):
        for what in (
            *(
                "precision against recall",
                "reliab",
                "coded intensity",
                "coded level",
                "frames:",
            ),
        ):
            kind = "share of positive frames against" if what == "reliab" else what
            assert sum(one.startswith(au) and kind in one for one in said) == 1, (au, what)
    assert sum("frames that show that of a row" in one for one in said) == 3
    assert sum(one.startswith("Probabilities of AU") for one in said) == 1
    assert sum(one.startswith("Intensities of AU") for one in said) == 1


def test_parts_that_are_missing_leave_no_empty_heading(summary):
    bare = render_report(summary)
    for heading in (
        "Intensity</h2>",
        "One video",
        "Which action units",
        "Precision against",
        "Faces</h3>",
    ):
        assert heading not in bare
    assert "No calibration or smoothing was tried" in bare
    assert "No image was quarantined" in bare


def test_the_gains_of_postprocessing_stand_beside_the_raw_figures(page):
    rows = [row for row in page.rows if row[0] in ("raw", "temperature", "smoothing")]
    assert len(rows) == 6
    assert rows[0][1] == "0.500"
    assert rows[1][1] == "0.611+0.111 (+0.101 to +0.121)"
    assert rows[2][1] == "0.496−0.004 (−0.014 to +0.006)"


def test_only_gains_whose_interval_holds_no_zero_are_bold(html):
    part = html[html.index('class="gains"') : html.index('<section id="folds">')]
    assert part.count('<small class="strong">+0.111') == 4
    assert '<small class="strong">−0.004' not in part


def test_lost_frames_are_told_by_subject(page):
    assert "29 of 1,200 coded frames of" in page.words
    rows = [row for row in page.rows if row[-1].startswith("no face")]
    assert [row[:4] for row in rows] == [
        ["SN003", "1,000", "25", "2.5%"],
        ["SN002", "100", "4", "4.0%"],
    ]


def test_the_tables_for_a_paper_can_be_copied_whole(summary, html):
    fields = re.findall(r"<textarea[^>]*>\n(.*?)</textarea>", html, re.DOTALL)
    assert [unescape(one) for one in fields] == [latex_table(summary), markdown_table(summary)]


def test_provenance_is_given_and_gaps_are_na(html):
    foot = html[html.index('<section id="provenance">') :]
    facts = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", foot))
    assert facts["git commit"] == "0a1b2c3"
    assert facts["packages"] == "torch 2.13, numpy 2.4"
    assert facts["note"] == "a b"
    assert facts["device"] == facts["weights, SHA-256"] == "n/a"
    assert "&lt;wide&gt;" in foot
    for fold in (1, 2, 3):
        assert " ".join(GROUPS[fold - 1]) in foot


def test_tables_have_captions_and_scopes_and_can_be_scrolled_by_keyboard(html, page):
    assert html.count("<table") == html.count("<caption")
    heads = [tag for tag, name, _ in page.attributes if (tag, name) == ("th", "scope")]
    assert len(heads) == len(re.findall(r"<th[ >]", html))
    for opening in re.findall(r'<div class="scroll"[^>]*>', html):
        assert 'tabindex="0"' in opening
        assert 'role="region"' in opening
    assert html.index('class="skip"') < html.index("<header>")


def test_each_undefined_figure_of_a_fold_gives_its_own_reason():
    fold = made_up_fold(1, absent=(5,), aus=(1, 5))
    table = fold.finetuned.au_table
    table.loc[table["au"] == 5, "why"] = "f1: one reason; recall: another"
    told = render_report(summarise([fold]))
    row = next(r for r in re.findall("<tr>.*?</tr>", told, re.DOTALL) if "another" in r)
    assert 'strong"><span class="na" title="not defined: one reason">' in row
    assert '<td><span class="na" title="not defined: another">' in row


def test_rendered_faces_are_never_set_beside_people():
    drawn, filmed = render_report(run((1,))), whole_page(rendered=False)
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
    hostile = PageExtras(title="<script>alert(1)</script>")
    assert "<script" not in render_report(run((1,)), hostile)


def test_quarantined_pictures_are_counted_by_reason(page):
    rows = {tuple(row[:3]) for row in page.rows}
    assert {("web", "no face", "2"), ("disfa", "truncated", "1")} <= rows


def test_a_threshold_that_could_not_be_fitted_is_marked():
    fold = made_up_fold(1, aus=(1, 12))
    table = fold.finetuned.au_table.assign(threshold_fallback=[True, False])
    marked = replace(fold, finetuned=replace(fold.finetuned, au_table=table))

    def stars(one: FoldEvaluation) -> int:
        return render_report(summarise([one])).count(">*</abbr>")

    assert (stars(fold), stars(marked)) == (0, 1)


def test_the_figures_follow_the_theme(html, page):
    assert "<svg" in html
    assert "stroke: var(--ours)" in html
    assert not any(
        colour in svg
        for svg in re.findall("<svg.*?</svg>", html, re.DOTALL)
        for colour in vars(LIGHT).values()
    )
    images = [tag for tag, name, _ in page.attributes if (tag, name) == ("img", "alt")]
    assert len(images) == 12 * len(KINDS) * 6


def test_the_same_run_gives_the_same_page():
    one_au = {
        fold: Predictions.read(made_up_predictions(GROUPS[fold - 1], aus=(12,)), [0.5])
        for fold in (1, 2, 3)
    }
    few = replace(EXTRAS, predictions=one_au)
    short = summarise([made_up_fold(1, scratch=True, aus=(1, 12))])
    assert render_report(short, few) == render_report(short, few)


def test_without_pre_training_nothing_is_called_pre_trained():
    summary = summarise([from_scratch(made_up_fold(n, aus=(1, 12))) for n in (1, 2, 3)])
    page = Page(render_report(summary))
    assert "Trained on coded frames alone, from random weights" in page.words
    assert "Fold 1, from scratch" in page.words
    assert "re-train" not in page.words
    assert "From scratch" in markdown_table(summary)
    assert "re-train" not in markdown_table(summary) + latex_table(summary)
