"""Which source a path is, and what is said where it is none."""

import pytest

from action_units.errors import ConfigurationError, LabelError
from action_units.media.sources import FolderSource, open_photographs
from action_units.media.tar import TarSource
from action_units.media.tsv import TsvSource
from tests.media.photograph_sets import line, picture, read_all, write_tar


@pytest.fixture
def places(tmp_path):
    for name in ("tree", "tars", "tsvs", "both", "bare"):
        (tmp_path / name).mkdir()
    (tmp_path / "tree" / "a.jpg").write_bytes(picture(0))
    (tmp_path / "tree" / "labels.tsv").touch()
    for name in ("tars/a[0].tar", "both/a.tar", "a.tar"):
        write_tar(tmp_path / name, [("a.jpg", picture(0))])
    for name in ("tsvs/a.tsv", "both/a.tsv", "a.tsv"):
        (tmp_path / name).write_bytes(line(0))
    (tmp_path / "tars" / "readme.md").touch()
    return tmp_path


KINDS = {
    "tree": FolderSource, "tars": TarSource, "tsvs": TsvSource, "a.tar": TarSource, "a.tsv": TsvSource,
    "tars/*.tar": TarSource, "{a,a}.tsv": TsvSource, "bare": FolderSource, "tars/a[0].tar": TarSource,
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_kinds_are_told_by_what_is_there(places, name):
    assert type(open_photographs(places / name)) is KINDS[name]
    if name not in ("bare", "{a,a}.tsv"):
        (photograph,) = read_all(open_photographs(places / name))
        assert photograph.content == picture(0)


@pytest.mark.parametrize("name", ["tree", "tars", "tsvs"])
def test_kinds_are_told_in_stores(places, memory, ranges, name):
    for path in (places / name).iterdir():
        memory.pipe(f"/{name}/{path.name}", path.read_bytes())
        ranges[f"{name}/{path.name}"] = path.read_bytes()
    for protocol in ("memory", "ranges"):
        source = open_photographs(f"{protocol}://{name}")
        assert type(source) is KINDS[name]
        (photograph,) = read_all(source)
        assert photograph.content == picture(0)


def test_a_kind_can_be_said(places):
    assert type(open_photographs(places / "both", "tar")) is TarSource
    assert type(open_photographs(places / "both", "folder")) is FolderSource
    (places / "a.tar").rename(places / "a.data")
    (photograph,) = read_all(open_photographs(places / "a.data", "tar"))
    assert photograph.content == picture(0)


@pytest.mark.parametrize(
    ("name", "kind", "error", "says"),
    [
        (
            "tree",
            "zip",
            ConfigurationError,
            "kind='zip' is unknown: choose auto, folder, tsv, tar",
        ),
        ("none", "auto", LabelError, "no such file or folder"),
        ("none", "folder", LabelError, "no such file or folder"),
        ("none.tar", "tar", LabelError, "no such file or folder"),
        ("memory://none", "auto", LabelError, "no such file or folder"),
        ("a.tar", "folder", ConfigurationError, "is a file; kind='folder' expects a folder"),
        ("both", "auto", ConfigurationError, "has both"),
        ("tree/a.jpg", "auto", ConfigurationError, "is no folder, "),
        ("a.tsv.gz", "auto", ConfigurationError, "compressed"),
    ],
)
def test_what_cannot_be_opened_is_said(places, memory, name, kind, error, says):
    path = name if "://" in name else places / name
    with pytest.raises(error, match=says):
        open_photographs(path, kind)


def test_a_pattern_in_a_folder_with_an_odd_name(places):
    odd = places / "odd[1]"
    (places / "tars").rename(odd)
    (photograph,) = read_all(open_photographs(odd / "*.tar"))
    assert photograph.content == picture(0)


def test_two_files_of_one_name_are_refused(places):
    (places / "more").mkdir()
    (places / "more" / "a.tsv").write_bytes(line(1))
    with pytest.raises(LabelError, match="has the same name; rename one"):
        list(open_photographs(places / "{more,tsvs}" / "a.tsv").chunks())
