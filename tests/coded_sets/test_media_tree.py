"""Finding videos, folders and pictures by the names that tables have."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from action_units.coded_sets.media_tree import MediaTree, number_of, path_below, without_suffix
from action_units.errors import LabelError

FILES = (
    "anna/smile.mp4", "anna/talk.AVI", "bo/smile.mp4", "bo/frames/1.png", "bo/frames/2.PNG",
    "cleo/img_0001.jpg", "cleo/img_0001.png", "cleo/notes.txt", ".hidden/a.mp4", "cleo/.b.mp4",
    "Jörg/a.jpg", "jörg/a.jpg", "dora.jpg", "top.mp4", "bo/top.mp4",
)  # fmt: skip


@pytest.fixture
def root(tmp_path):
    for name in FILES:
        path = tmp_path / unicodedata.normalize("NFD" if "ö" in name else "NFC", name)
        path.parent.mkdir(exist_ok=True, parents=True)
        path.touch()
    return tmp_path


@pytest.mark.parametrize(
    ("name", "subject", "expected"),
    [
        ("anna/smile.mp4", "anna", "anna/smile.mp4"),
        ("Anna/Smile", "x", "anna/smile.mp4"),
        ("smile.mp4", "anna", "anna/smile.mp4"),
        ("smile", "bo", "bo/smile.mp4"),
        ("talk", "x", "anna/talk.AVI"),
        ("talk.mp4", "x", None),
        ("alk", "x", None),
        ("frames", "x", "bo/frames"),
        ("bo/frames", "x", "bo/frames"),
        ("cleo", "cleo", "cleo"),
        ("top", "anna", "top.mp4"),
        ("b", "x", None),
        ("a", "x", None),
    ],
)
def test_a_recording(root, name, subject, expected):
    assert MediaTree(root).recording(name, subject) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bo/frames/1.png", "bo/frames/1.png"),
        ("2.png", "bo/frames/2.PNG"),
        ("img_0001.jpg", "cleo/img_0001.jpg"),
        ("dora", "dora.jpg"),
        ("1", "bo/frames/1.png"),
        ("3.png", None),
        ("bo/1.png", None),
    ],
)
def test_a_picture(root, name, expected):
    assert MediaTree(root).picture(name, "x") == expected


def test_a_name_that_fits_several_is_refused(root):
    tree = MediaTree(root)
    with pytest.raises(ValueError, match="fits both anna/smile.mp4 and bo/smile.mp4"):
        tree.recording("smile", "cleo")
    with pytest.raises(ValueError, match="fits both anna/smile.mp4 and bo/smile.mp4"):
        tree.recording("SMILE", "cleo")
    with pytest.raises(ValueError, match=r"fits both cleo/img_0001.jpg and cleo/img_0001.png"):
        tree.picture("img_0001", "cleo")
    found = tree.picture(path_below("Jörg/a.jpg"), "x")
    assert unicodedata.normalize("NFC", found) == "Jörg/a.jpg"
    assert (root / found).exists()


def test_numbered_pictures(root):
    tree = MediaTree(root)
    assert tree.numbered("bo/frames") == {
        n: root / p for n, p in ((1, FILES[3]), (2, FILES[4]))
    }
    with pytest.raises(LabelError, match=r"img_0001.png: img_0001.jpg has the same number"):
        tree.numbered("cleo")
    assert tree.numbered("Jörg") == {}


def test_what_is_left(root):
    left = MediaTree(root).others({"anna/smile.mp4", "bo/frames", "cleo/img_0001.jpg"})
    names = {unicodedata.normalize("NFC", str(path.relative_to(root))) for path in left}
    used = (FILES[0], *FILES[3:6], *FILES[7:10])
    assert names == set(FILES) - set(used)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(LabelError, match="media cannot be read"):
        MediaTree(tmp_path / "none")


@pytest.mark.parametrize("name", ["/a.mp4", "C:\\a.mp4", "c:/a", "~/a", "\\\\server\\a"])
def test_absolute_paths_are_refused(name):
    with pytest.raises(ValueError, match="is absolute"):
        path_below(name)


@pytest.mark.parametrize("name", ["..", "../a", "a/../../b", "a\\..\\..\\b", "."])
def test_paths_that_lead_out_are_refused(name):
    with pytest.raises(ValueError, match="leads out"):
        path_below(name)


@given(st.text(st.sampled_from("aä./\\ éB1"), min_size=1))
def test_a_path_below_stays_below(name):
    try:
        path = path_below(unicodedata.normalize("NFD", name))
    except ValueError:
        return
    assert path == path_below(path) == unicodedata.normalize("NFC", path)
    assert ".." not in path.split("/")


@pytest.mark.parametrize(
    ("name", "number"),
    [("a/1.png", 1), ("x_0001.jpg", 1), ("a12", 12), ("1_a.png", None), ("f007.v2.png", 2)],
)
def test_numbers_in_names(name, number):
    assert number_of(name) == number


def test_only_suffixes_of_media_are_suffixes():
    assert [without_suffix(n) for n in ("a.MP4", "a.b", "a.1", "x/a.jpg")] == [
        "a", "a.b", "a.1", "x/a",
    ]  # fmt: skip
