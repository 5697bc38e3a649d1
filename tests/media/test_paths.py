"""What a tree's pictures are, and how its links are followed."""

import os
from pathlib import Path

import pytest
from upath import UPath

from action_units.errors import ArtifactError
from action_units.media.file_types import PICTURES, is_hidden, is_picture
from action_units.media.paths import any_path, given_path, walk


def names(top):
    return [(branch.name, [entry.name for entry in branch.entries]) for branch in walk(top)]


@pytest.mark.parametrize("suffix", PICTURES)
def test_a_suffix_counts_in_any_case(suffix):
    assert is_picture(f"a b{suffix}")
    assert is_picture(f"x/y{suffix.upper()}")
    assert not is_picture(f".x/y{suffix}")


def test_other_names_are_no_pictures():
    assert not any(map(is_picture, ("a", "a.jpg.csv", "a.mp4", ".jpg", "jpg")))
    assert is_hidden("a/.b/c")
    assert not is_hidden("./a/../b.c")


def test_folders_come_before_what_is_in_them_by_the_bytes_of_their_names(tmp_path):
    for name in ("b/1", "a/x/2", "a/0", "é/3", ".git/4", "a.b/5"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert names(tmp_path) == [
        ("", [".git", "a", "a.b", "b", "é"]),
        ("a/", ["0", "x"]),
        ("a/x/", ["2"]),
        ("a.b/", ["5"]),
        ("b/", ["1"]),
        ("é/", ["3"]),
    ]


def test_links_are_followed_once_and_broken_ones_are_entries(tmp_path, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / "back").symlink_to(other)
    (other / "home").symlink_to(tmp_path)
    (tmp_path / "link").symlink_to(other)
    (tmp_path / "link2").symlink_to("link")
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "long").symlink_to("x" * 300)
    assert names(tmp_path) == [
        ("", ["link", "link2", "long", "self"]),
        ("link/", ["back", "home"]),
        ("link2/", ["back", "home"]),
    ]


def test_a_folder_that_cannot_be_listed_is_told_of(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    real = os.scandir

    def scandir(path):
        if path.endswith("/a/"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    told = {branch.name: branch.error and branch.error.strerror for branch in walk(tmp_path)}
    assert told == {"": None, "a/": "Permission denied", "b/": None}


def test_a_tilde_is_the_home_folder_of_whoever_is_meant(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert given_path("~/a/b") == tmp_path / "a/b"
    assert given_path(Path("~")) == tmp_path
    assert given_path("~nobody_of_that_name/a") == Path("~nobody_of_that_name/a")
    assert given_path("a/~/b") == Path("a/~/b")
    assert any_path("~/crops") == tmp_path / "crops"
    assert any_path("~/photographs") == tmp_path / "photographs"


def test_a_local_path_is_a_plain_path_however_it_is_given():
    for given in ("file:///a/b", "/a/b", Path("/a/b"), UPath("/a/b"), UPath("file:///a/b")):
        path = any_path(given)
        assert type(path) is type(Path())
        assert path == Path("/a/b")
    assert any_path("memory://a/b").path == "/a/b"


def test_a_protocol_that_is_unknown_is_named():
    with pytest.raises(ArtifactError, match="nosuch://a cannot be reached"):
        any_path("nosuch://a")
