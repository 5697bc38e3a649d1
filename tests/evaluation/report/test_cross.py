"""The page of a cross-data-set test: what it is, its scores, what it may not claim."""

import re
from dataclasses import replace

import pytest

from action_units.evaluation.cross.scores import ensemble
from action_units.evaluation.report.cross import draw_cross, render_cross
from action_units.evaluation.report.theme import to_png
from action_units.labels.action_units import au_column
from tests.evaluation.cross.made_up import (
    AUS,
    PEOPLE,
    THRESHOLDS,
    labelled,
    made_up_test,
    network,
)
from tests.evaluation.report.test_report import Page

COMMAND = "`kedro run --params coded=studio`"


def predictions():
    labels = labelled()
    return ensemble({fold: network(labels, fold) for fold in THRESHOLDS}).predictions


def whole_page():
    about = {"git_commit": "abc", "weights": {"fold 1": "123"}, "recipe": "<b>"}
    return render_cross(made_up(), COMMAND, predictions(), about)


def made_up():
    return replace(made_up_test(), left_out=("SN001",), warnings=("Cut out in another way.",))


@pytest.fixture(scope="module")
def scored():
    return made_up()


@pytest.fixture(scope="module")
def html(scored):
    return whole_page()


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def words(page):
    return " ".join(page.words.split())


def test_the_heading_says_what_was_tested_on_whom(page):
    text = words(page)
    assert "Cross-data-set test: disfa to studio" in text
    assert "3 networks of run main learned from disfa and were tested on studio" in text
    assert "6 people that each network has not seen, 240 frames, 4 action units" in text
    assert "The decision thresholds are those of training" in text
    assert "not coded in studio: AUs 2, 25. Coded in studio and unknown to the" in text
    assert "Every network has learned from SN001: not tested." in text
    assert "Cut out in another way." in text


def test_rows_are_the_test_s_scores(page, scored):
    rows = {row[0].split()[0]: row for row in page.rows if len(row) == 12}
    for au in AUS:
        line, row = scored.scores["f1"].aus[au], rows[au_column(au)]
        assert row[2] == f"{line.mean.value:.3f}"
        assert row[3] == f"{line.mean.low:.3f}–{line.mean.high:.3f}"
        assert row[4] == f"{scored.scores['floor_f1'].aus[au].mean.value:.3f}"
        assert row[5] == f"{line.ensemble.value:.3f}"
        assert row[7:10] == [f"{value:.3f}" for value in line.by_network.values()]
        (rests,) = (one for one in scored.support if one.au == au)
        assert row[10:] == [f"{rests.positive} of {rests.frames}", "6 of 6"]


def test_differences_within_the_set_and_of_thresholds_are_shown(page, scored):
    rows = [row for row in page.rows if len(row) == 9 and row[0].startswith("AU12")]
    for row, paired in zip(rows, (scored.within.paired, scored.refitted.paired), strict=True):
        parts = paired.scores["f1"], paired.other["f1"], paired.differences["f1"]
        one, two, difference = (part.aus[12] for part in parts)
        assert row[2:4] == [f"{one.mean.value:.3f}", f"{two.mean.value:.3f}"]
        assert row[4] == f"{difference.mean.value:+.3f}".replace("-", "−")
        assert row[7] == f"{difference.ensemble.value:+.3f}".replace("-", "−")
    assert f"({', '.join(scored.refitted.fitted_on)})" in words(page)


def test_without_a_run_of_that_set_the_page_gives_the_command(scored):
    alone = replace(
        made_up_test(), within=None, refitted=None, rendered=False, rendered_training=False
    )
    page = Page(render_cross(alone, COMMAND))
    text = words(page)
    assert "No run main was trained on studio" in text
    assert "kedro run --params coded=studio makes one" in text
    assert "Rendered sample." not in text
    assert "re-fitted" not in text


@pytest.mark.parametrize(
    ("rendered", "training", "what"),
    [
        (True, True, "These faces are drawings"),
        (True, False, "The faces tested on are drawings"),
        (False, True, "The faces trained on are drawings"),
    ],
)
def test_rendered_faces_are_said_to_be_rendered(rendered, training, what):
    one = replace(
        made_up_test(),
        within=None,
        refitted=None,
        rendered=rendered,
        rendered_training=training,
    )
    assert what in words(Page(render_cross(one, COMMAND)))


def test_people_whom_one_network_alone_has_not_seen():
    one = replace(
        made_up_test(),
        within=None,
        refitted=None,
        subjects={1: PEOPLE[:3], 2: PEOPLE[3:], 3: ()},
    )
    assert "the network tested on them has not seen" in words(Page(render_cross(one, COMMAND)))


def test_it_loads_nothing_and_compares_with_nothing_published(html, page):
    links = page.values("href") + page.values("src")
    assert all(link.startswith(("#", "data:")) for link in links)
    assert {link[1:] for link in links if link.startswith("#")} <= set(page.values("id"))
    assert "<script" not in html
    assert html.count("<table") == html.count("<caption")
    assert not re.search(r"\bnan\b|\bNone\b", page.words)
    assert "ublished" not in page.words
    ids = page.values("id")
    assert len(ids) == len(set(ids))


def test_every_figure_can_be_drawn(scored):
    figures = draw_cross(scored, predictions())
    assert set(figures) == {"au", "confusion", "precision_recall", "reliability"}
    assert to_png(figures["au"], dpi=40).startswith(b"\x89PNG")
