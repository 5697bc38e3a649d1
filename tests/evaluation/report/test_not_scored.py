"""Where AUs are not scored in every frame, the report says over what each one stands."""

from dataclasses import replace

import numpy as np
import pytest

from action_units.evaluation.predictions import Predictions
from action_units.evaluation.report.report import PageExtras, render_report
from action_units.evaluation.report.tables import (
    au_rows,
    latex_table,
    markdown_table,
    scored,
    subject_rows,
)
from action_units.evaluation.report.timeline import SubjectVideo, draw_timeline, median_video
from action_units.evaluation.summary import summarise
from tests.evaluation.made_up import GROUPS, made_up_fold, made_up_predictions
from tests.evaluation.report.test_report import Page

AUS = (1, 2, 4, 12)
HOLES = {"SN002": [4], "SN003": [4, 12], "SN005": [4]}
TEXT = (
    "Scored: AU01, AU02 in 240 frames of 6 subjects; AU12 in 200 frames of 5 subjects; "
    "AU04 in 120 frames of 3 subjects."
)


def run(holes):
    options = {"aus": AUS, "missing": 0.0, "not_scored": holes}
    return summarise([made_up_fold(n, **options) for n in (1, 2)])


@pytest.fixture(scope="module")
def uneven():
    return run(HOLES)


def row(page: Page, title: str) -> list[str]:
    return next(cells for cells in page.rows if cells[0].startswith(title))


def test_frames_and_subjects_are_those_that_are_scored(uneven):
    rows = {one["au"]: one for one in au_rows(uneven)}
    counts = {au: (one["n"], one["subjects"]) for au, one in rows.items()}
    assert counts == {"AU01": (240, 6), "AU02": (240, 6), "AU04": (120, 3), "AU12": (200, 5)}
    assert scored(uneven) == TEXT


def test_tables_for_a_paper_say_so(uneven):
    assert TEXT in latex_table(uneven)
    assert TEXT in markdown_table(uneven)


def test_the_page_says_so(uneven):
    page = Page(render_report(uneven))
    rows = {one["au"]: one for one in au_rows(uneven)}
    assert row(page, "AU04")[-2:] == [f"{rows['AU04']['support']} of 120", "3 of 3"]
    assert "Not every AU is scored in every frame" in page.words
    assert "An empty cell: the AU was not scored for the subject." in page.words
    heat = {one["subject"]: one["not_scored"] for one in subject_rows(uneven)}
    assert heat["SN003"] == [2, 3]
    assert row(page, "SN003")[3:] == ["", ""]
    assert "" not in row(page, "SN001")


def test_where_all_is_scored_nothing_is_added():
    summary = run({})
    page = Page(render_report(summary))
    assert scored(summary) == ""
    assert "scored in every frame" not in page.words
    assert "An empty cell" not in page.words
    support = au_rows(summary)[0]["support"]
    assert row(page, "AU01")[-2:] == [str(support), "6 of 6"]
    assert "Scored:" not in latex_table(summary) + markdown_table(summary)


def test_an_au_that_is_never_scored_is_named():
    summary = run({subject: [4] for group in GROUPS for subject in group})
    assert "AU04 in 0 frames of 0 subjects" in scored(summary)
    text = render_report(summary)
    assert "not defined: not scored in any frame" in text
    assert row(Page(text), "AU04")[2] == "n/a"


# ------------------------------------------------------------------------ timeline


def video(table) -> Predictions:
    return Predictions.read(table, [0.5] * len(AUS))


def drawn(predictions, au=1):
    (axes,) = draw_timeline(predictions, SubjectVideo("SN001", 0.5, 1, (au,), (0.5,))).axes
    spans = [
        (patch.get_x(), patch.get_x() + patch.get_width(), patch.get_facecolor()[:3])
        for patch in axes.patches
    ]
    return spans, axes.lines[0]


def test_frames_that_are_not_scored_are_marked():
    table = made_up_predictions(aus=AUS, missing=0.0).assign(AU01=0)
    table.loc[2:4, "AU01"] = 1
    table.loc[5:9, "AU01"] = -1
    (shown, unscored), _ = drawn(video(table))
    assert shown[:2] == (2.5, 5.5)
    assert unscored[:2] == (5.5, 10.5)
    assert shown[2] != unscored[2]


def test_the_line_breaks_where_frames_are_left_out():
    table = made_up_predictions(aus=AUS, missing=0.0).drop(index=[10, 11, 30])
    _, line = drawn(video(table))
    x = line.get_xdata()
    assert np.flatnonzero(np.isnan(x)).tolist() == [10, 29]
    assert (x[9], x[11], x[28], x[30]) == (10, 13, 30, 32)
    assert np.isnan(line.get_ydata()).tolist() == np.isnan(x).tolist()


def test_only_the_longest_of_several_recordings_is_drawn():
    table = made_up_predictions(aus=AUS, missing=0.0)
    table["recording"] = np.where(table["frame"] > 15, "long", "short")
    table.loc[table["frame"] > 15, "frame"] -= 15
    _, line = drawn(video(table))
    assert line.get_xdata().tolist() == list(range(1, 26))


def test_the_legend_has_not_scored_only_where_it_is_seen():
    fold = made_up_fold(1, aus=(1,), missing=0.0)
    clean = Predictions.read(made_up_predictions(seed=1, aus=(1,), missing=0.0), [0.5])
    assert not median_video([fold], {1: clean}).not_scored
    labels = clean.labels.copy()
    labels[1::2] = -1
    holed = {1: replace(clean, labels=labels)}
    assert median_video([fold], holed).not_scored
    page = render_report(summarise([fold]), PageExtras(predictions=holed))
    assert "not scored</span>" in page
    assert "frames that are not scored grey" in page
