"""The page of two runs: their differences, which is better, what they are."""

import re

import pytest

from action_units.errors import ConfigurationError
from action_units.evaluation.comparison import Comparison, compare
from action_units.evaluation.predictions import Predictions
from action_units.evaluation.report.comparison import render_comparison
from action_units.labels.action_units import DISFA_AUS, au_column
from tests.evaluation.made_up import GROUPS, made_up_predictions
from tests.evaluation.report.test_report import Page


def predictions(skill: float) -> dict[int, Predictions]:
    return {
        fold: Predictions.read(
            made_up_predictions(GROUPS[fold - 1], seed=fold, skill=skill, absent=(5,)),
            [0.5] * 12,
        )
        for fold in (1, 2)
    }


def compared(name: str, skill: float, base: str = "plain & simple") -> Comparison:
    return compare(predictions(skill), predictions(0.2), names=(name, base))


@pytest.fixture(scope="module")
def comparisons() -> list[Comparison]:
    return [compared("better", 0.5), compared("worse", 0.05)]


@pytest.fixture(scope="module")
def html(comparisons) -> str:
    about = {
        "better": {"seed": 1, "recipe": "<b>"},
        "plain & simple": {"seed": 2, "recipe": "<b>"},
    }
    return render_comparison(comparisons, about)


@pytest.fixture(scope="module")
def page(html) -> Page:
    return Page(html)


def test_rows_are_the_comparisons_scores(comparisons, page):
    rows = {row[0].split()[0]: row for row in page.rows if len(row) == 7}
    scores = comparisons[1].first["f1"], comparisons[1].second["f1"]
    difference = comparisons[1].differences["f1"]
    for au in DISFA_AUS:
        row, figure = rows[au_column(au)], difference.aus[au].mean_of_folds
        if au == 5:
            assert row[2:] == ["n/a"] * 5
            continue
        assert row[2:4] == [f"{part.aus[au].mean_of_folds.value:.3f}" for part in scores]
        assert row[4] == f"{figure.value:+.3f}".replace("-", "−")
        assert row[5] == f"{figure.low:+.3f} to {figure.high:+.3f}".replace("-", "−")
        assert row[6] == f"{difference.aus[au].pooled.value:+.3f}".replace("-", "−")


def test_each_run_has_its_section_and_its_verdict(page, html):
    assert "better against plain & simple" in page.words
    assert "worse against plain & simple" in page.words
    assert re.search(r'class="big better">\+0\.\d{3}<', html)
    assert re.search(r'class="big worse">−0\.\d{3}<', html)


def test_marks_lie_within_the_tracks(html):
    places = [float(place) for place in re.findall(r"left:([-\d.]+)%", html)]
    wide = [
        float(a) + float(b) for a, b in re.findall(r"left:([-\d.]+)%;width:([\d.]+)%", html)
    ]
    assert places
    assert all(0 <= place <= 100 for place in places)
    assert all(end <= 100.2 for end in wide)


def test_what_was_recorded_is_set_side_by_side(page, html):
    assert ["recipe", "<b>", "<b>", "n/a"] in page.rows
    assert ["seed", "2", "1", "n/a"] in page.rows
    assert "<b></td>" not in html


def test_it_loads_nothing_and_closes_every_table(html, page):
    links = page.values("href") + page.values("src")
    assert all(link.startswith(("#", "data:")) for link in links)
    assert {link[1:] for link in links if link.startswith("#")} <= set(page.values("id"))
    assert "<script" not in html
    assert html.count("<table") == html.count("<caption")
    assert not re.search(r"\bnan\b|\bNone\b", page.words)


def test_rendered_faces_are_said_to_be_rendered(comparisons, html):
    assert "Rendered sample." not in html
    assert "Rendered sample." in render_comparison(comparisons[:1], rendered=True)


def test_runs_that_were_compared_with_different_ones_are_refused(comparisons):
    with pytest.raises(ConfigurationError, match="with plain & simple and with other"):
        render_comparison([comparisons[0], compared("c", 0.3, "other")])
    with pytest.raises(ConfigurationError, match="nothing to compare"):
        render_comparison([])
