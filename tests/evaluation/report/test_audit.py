"""The page of labels that the pre-trained network disbelieves."""

import re

import numpy as np
import pytest

from action_units.evaluation.audit import audit
from action_units.evaluation.report.audit import render_audit
from tests.evaluation.report.test_report import Page

AUS = (1, 12)


def audit_page(n=60, *, rendered=False, **columns):
    rng = np.random.default_rng(1)
    labels = rng.integers(-1, 2, (n, 2), dtype=np.int8)
    listed, counts = audit(labels, np.clip(labels * 0.5 + rng.random((n, 2)) / 2, 0, 1), AUS, 6)
    listed["image"] = [f"p{row}_1-FaceId-0.jpg" for row in listed["row"]]
    listed["identity"] = [f"p{row}" for row in listed["row"]]
    faces = rng.integers(0, 256, (n, 32, 32), dtype=np.uint8)
    return render_audit(listed.assign(**columns), counts, faces, n // 3, rendered=rendered)


@pytest.fixture(scope="module")
def html():
    return audit_page()


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_it_shows_each_listed_face_with_who_and_which_image_it_is(html, page):
    sources = [source for source in page.values("src") if source.startswith("data:image/jpeg")]
    assert len(sources) == 24
    assert (
        len(re.findall(r"<span>p\d+</span><br><span>p\d+_1-FaceId-0\.jpg</span>", html)) == 24
    )
    assert "60 photographs of 20 people it was not trained with" in " ".join(page.words.split())
    assert "to look at, not to prune by" in page.words.lower()
    assert [row[0].split()[0] for row in page.rows[1:]] == ["AU01", "AU12"]


def test_it_loads_nothing_and_its_links_have_targets(html, page):
    links = page.values("href") + page.values("src")
    assert all(link.startswith(("#", "data:")) for link in links)
    assert {link[1:] for link in links if link.startswith("#")} <= set(page.values("id"))
    assert "<script" not in html
    assert not re.search(r"\bnan\b|\bNone\b", page.words)


def test_what_the_annotator_gave_is_shown_where_there_is_any(html):
    assert "intensity" not in html
    given = audit_page(intensity=1.25, annotator_probability=np.nan, annotator="pyfeat")
    assert given.count("· intensity 1.2") == given.count("<span>pyfeat</span>") == 24
    assert "· annotator" not in given


def test_names_are_escaped():
    html = audit_page(image="<b>&'.jpg", identity='<i>"O\'Neil"')
    assert "<b>&'" not in html
    assert "<i>" not in html
    assert "&lt;b&gt;&amp;" in html


def test_a_page_without_anybody_held_out_says_so():
    page = Page(audit_page(0))
    assert "No person was held out of pre-training" in page.words
    assert len(page.values("src")) == 0
    assert page.rows == []


def test_an_undefined_count_is_not_a_number():
    one_class = np.ones((3, 2), np.int8)
    listed, counts = audit(one_class, np.full((3, 2), 0.5), AUS, 6)
    listed = listed.assign(image="a.jpg", identity="a")
    page = Page(render_audit(listed, counts, np.zeros((3, 16, 16), np.uint8), 1))
    assert page.rows[1][1:] == ["3", "n/a", "n/a", "0.500", "0", "n/a", "n/a", "n/a"]


def test_rendered_faces_are_said_to_be_rendered(html):
    assert "Rendered sample." not in html
    assert "Rendered sample." in audit_page(rendered=True)
