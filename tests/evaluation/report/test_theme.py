"""The inline SVG: its colours, ids and text, and its place in a page."""

import base64
import io
import re
import xml.etree.ElementTree as ET
from dataclasses import fields

import numpy as np
from PIL import Image

from action_units.evaluation.report import theme
from action_units.evaluation.report.plots import draw_training_curves
from action_units.evaluation.report.theme import LIGHT
from tests.evaluation.made_up import made_up_curve


def inline(name: str = "curves1", description: str = "Curves by epoch") -> str:
    curves = {"finetuned": made_up_curve(), "scratch": made_up_curve()}
    figure = draw_training_curves(curves, "Fold 1")
    return theme.to_inline_svg(figure, name, description)


def test_it_is_one_well_formed_element_that_needs_nothing_else():
    text = inline()
    root = ET.fromstring(text)
    assert root.tag == "svg"
    assert root.get("role") == "img"
    assert root.get("aria-label") == "Curves by epoch"
    assert "http" not in text
    assert "xlink" not in text
    assert "metadata" not in text


def test_the_width_is_the_figures_in_pixels():
    # 3.7 inches at 96 CSS pixels.
    assert "max-width:355px" in inline()


def test_all_colours_are_the_pages():
    text = inline()
    assert {f"var(--{name})" for name in ("ink", "muted", "grid", "ours", "scratch")} <= set(
        re.findall(r"var\(--\w+\)", text)
    )
    colours = set(re.findall(r"(?:fill|stroke): (#\w+)", text))
    assert not colours & {getattr(LIGHT, field.name) for field in fields(LIGHT)}
    assert len({getattr(LIGHT, field.name) for field in fields(LIGHT)}) == len(fields(LIGHT))


def test_text_is_text_in_the_pages_font():
    text = inline()
    words = [element.text for element in ET.fromstring(text).iter("text")]
    assert {"validation F1", "pre-trained", "from scratch", "Fold 1"} <= set(words)
    assert "DejaVu" not in text
    assert "var(--sans)" in text


def test_ids_are_unique_in_the_page_and_all_links_arrive():
    texts = [inline("one"), inline("two")]
    ids = [id_ for text in texts for id_ in re.findall(r'\sid="([^"]+)"', text)]
    assert ids
    assert len(ids) == len(set(ids))
    for name, text in zip(("one", "two"), texts, strict=True):
        targets = set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", text))
        assert targets == set(re.findall(r'\sid="([^"]+)"', text))
        assert all(target.startswith(f"{name}-") for target in targets)


def test_the_description_is_escaped():
    root = ET.fromstring(inline(description='F1 < 0.5 & "n/a"'))
    assert root.get("aria-label") == 'F1 < 0.5 & "n/a"'


def test_faces_in_colour_are_shown_as_they_are():
    red, grey = np.full((16, 16, 3), (200, 60, 20), np.uint8), np.full((16, 16), 90, np.uint8)
    for face in (red, grey):
        kind, _, content = theme.to_inline_jpeg(face).partition(",")
        assert kind == "data:image/jpeg;base64"
        shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))
        assert shown.shape == face.shape
        assert np.abs(shown.astype(int) - face).max() <= 3
