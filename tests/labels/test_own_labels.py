"""The reader in docs/own_labels.md, run as it stands there."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from action_units.errors import LabelError

PAGE = Path(__file__).parents[2] / "docs" / "own_labels.md"
AUS = (1, 12)


@pytest.fixture(scope="module")
def page():
    """What the page's code defines."""
    names = {}
    for block in re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S):
        exec(compile(block, PAGE.name, "exec"), names)  # noqa: S102 - our own page
    return names


@pytest.fixture
def labels(tmp_path):
    """The page's example file, and a second subject."""
    text = re.search(r"^    frame;AU1;AU12\n(?:    .*\n)+", PAGE.read_text("utf-8"), re.M)[0]
    folder = tmp_path / "labels"
    for subject in ("anna", "bo"):
        (folder / subject).mkdir(parents=True)
        (folder / subject / "smile.csv").write_text(text.replace("    ", ""))
    return folder


def test_the_example_is_read(page, labels):
    found = page["read_our_labels"](labels, AUS)
    assert found.scale == "intensity"
    assert found.table.to_numpy().tolist() == [
        [subject, "smile", *row]
        for subject in ("anna", "bo")
        for row in ([0, 0, 2], [1, 1, 3], [2, -1, 5])
    ]


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("1;A;C", "1;F;C", 3, "'F' is not A to E or ?"),
        ("1;A;C", "x;A;C", 3, "frame 'x' is no number"),
        ("1;A;C", "0;A;C", None, "frame 0 occurs twice"),
        ("AU12", "AU2", 1, "column AU12 is missing"),
    ],
)
def test_its_faults_are_named(page, labels, old, new, line, words):
    path = labels / "bo/smile.csv"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(LabelError) as error:
        page["read_our_labels"](labels, AUS)
    assert words in str(error.value)
    assert (error.value.path, error.value.line) == (path, line)


def test_it_becomes_a_face_store(page, labels, tmp_path):
    (tmp_path / "crops").mkdir()
    for number, name in enumerate(f"{s}_smile_{f}.png" for s in ("anna", "bo") for f in (0, 1)):
        cv2.imwrite(str(tmp_path / "crops" / name), np.full((40, 40), 50 * number, np.uint8))
    store = page["pack_our_faces"](labels, tmp_path / "crops", AUS, 32)
    assert store.aus == AUS
    assert store.labels.tolist() == [[0, 1], [0, 1]] * 2
    assert [face[0, 0] for face in store.faces] == [0, 50, 100, 150]


def test_the_functions_that_the_page_names_exist():
    named = set(re.findall(r"`labels\.([\w.]+)\.(\w+)`", PAGE.read_text("utf-8")))
    assert len(named) >= 6
    for module, name in named:
        assert hasattr(__import__(f"action_units.labels.{module}", fromlist=[name]), name)
