"""Photographs as people keep them: which source a path is, and trees of folders."""

import os
import pickle
import sys
from pathlib import Path

import pytest
from upath import UPath

from action_units.errors import ConfigurationError, LabelError
from action_units.labels.names import parse_web_name
from action_units.media import paths
from action_units.media.sources import FolderSource, open_photographs
from action_units.media.tar import TarSource
from action_units.media.tsv import TsvSource
from tests.media.photograph_sets import (
    RangeStore,
    line,
    picture,
    read_all,
    travelled,
    write_tar,
)


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
        ("tree/a.jpg", "auto", ConfigurationError, "is not a folder, "),
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


FILES = {
    "b.jpg": picture(1),
    "a/2.png": picture(2, ".png"),
    "a/1.JPG": picture(3),
    "m.0a/84-FaceId-0.jpg": picture(4),
    "a/empty.jpg": b"",
    "a/page.jpg": b"<html></html>",
}
OTHERS = {
    "labels.csv": b"x",
    "a/notes.txt": b"x",
    "README": b"x",
    ".hidden.jpg": b"x",
    ".d/a.jpg": b"",
}
PLAIN = {"b_0-FaceId-0", "m.0a_84-FaceId-0"}  # the four others are numbered by their hash


@pytest.fixture
def tree(tmp_path):
    for name, content in (FILES | OTHERS).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


def contents(photographs):
    return {
        p.name: p.content if isinstance(p.content, bytes) else p.content.reason
        for p in photographs
    }


EXPECTED = {name: content or "empty" for name, content in FILES.items()}


def test_every_picture_is_there_once_and_whatever_is_in_it(tree):
    found = read_all(FolderSource(tree))
    assert contents(found) == EXPECTED
    stems = {p.stem for p in found}
    assert stems >= PLAIN
    assert len(stems) == len(FILES)
    assert {parse_web_name(f"{stem}.jpg").identity for stem in stems - PLAIN} == {"a"}
    assert found[0].location == str(tree / "b.jpg")


def test_the_order_is_of_names(tree):
    names = [p.id for p in FolderSource(tree).chunks()]
    assert names == [
        "b.jpg", "a/1.JPG", "a/2.png", "a/empty.jpg", "a/page.jpg", "m.0a/84-FaceId-0.jpg",
    ]  # fmt: skip


def test_what_is_no_picture_is_counted_and_told(tree, caplog):
    source = FolderSource(tree)
    with caplog.at_level("INFO"):
        for _ in range(2):  # the second listing does not count on
            list(source.chunks())
    assert source.ignored == {".csv": 1, ".txt": 1, "no suffix": 1, "hidden": 2}
    assert "5 files skipped, not pictures (2 hidden" in caplog.text
    assert "), such as README" in caplog.text


def test_a_stamp_changes_with_its_file_alone(tree):
    before = {p.id: p.fingerprint for p in FolderSource(tree).chunks()}
    (tree / "b.jpg").write_bytes(picture(9))
    os.utime(tree / "b.jpg", ns=(1, 1))
    (tree / "new.jpg").write_bytes(b"x")
    after = {p.id: p.fingerprint for p in FolderSource(tree).chunks()}
    assert {name for name in after if before.get(name) != after[name]} == {"b.jpg", "new.jpg"}


def test_portions_are_small_and_survive_the_trip(tree):
    chunks = list(FolderSource(tree).chunks())
    assert travelled(chunks) == chunks
    assert len(pickle.dumps(chunks[0])) < 1000


@pytest.mark.parametrize("protocol", ["file", "memory", "ranges"])
def test_stores_give_the_same(tree, memory, ranges, protocol):
    for name, content in (FILES | OTHERS).items():
        memory.pipe(f"/set/{name}", content)
        ranges[f"set/{name}"] = content
    url = {"file": f"file://{tree}", "memory": "memory://set", "ranges": "ranges://set"}[
        protocol
    ]
    source = FolderSource(url)
    chunks = travelled(source.chunks())
    found = [p for chunk in chunks for p in chunk.photographs()]
    assert contents(found) == EXPECTED
    stems = {p.stem for p in found}
    assert stems >= PLAIN
    assert len(stems) == len(FILES)
    assert {parse_web_name(f"{stem}.jpg").identity for stem in stems - PLAIN} == {"a"}
    assert source.ignored == {".csv": 1, ".txt": 1, "no suffix": 1, "hidden": 2}
    above = f"{tree}/" if protocol == "file" else f"{protocol}://"
    assert all(p.location.startswith(above) for p in found)
    assert {p.id: p.fingerprint for p in FolderSource(UPath(url)).chunks()} == {
        p.id: p.fingerprint for p in chunks
    }


def test_a_store_that_changes_or_fails_is_seen(ranges):
    ranges |= {"set/a.jpg": picture(1), "set/b.jpg": picture(2), "set/c.jpg": picture(3)}
    chunks = list(FolderSource("ranges://set").chunks())
    ranges["set/a.jpg"] = picture(4)
    after = list(FolderSource("ranges://set").chunks())
    assert [p.fingerprint == q.fingerprint for p, q in zip(chunks, after, strict=True)] == [
        False,
        True,
        True,
    ]
    del ranges["set/b.jpg"]
    RangeStore.broken.add("set/c.jpg")
    (_,), (missing,), (broken,) = (tuple(p.photographs()) for p in chunks)
    assert missing.content.reason == "missing"
    assert broken.content.reason == "unreadable"
    assert "hung up" in broken.content.detail


def test_what_cannot_be_read_is_told_of_by_the_worker(tmp_path):
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "folder.jpg" / "a.jpg").write_bytes(picture(0))
    (tmp_path / "nowhere.jpg").symlink_to("none")
    os.mkfifo(tmp_path / "pipe.jpg")
    found = contents(read_all(FolderSource(tmp_path)))
    assert found == {
        "folder.jpg": "not a file",
        "folder.jpg/a.jpg": picture(0),
        "nowhere.jpg": "missing",
        "pipe.jpg": "not a file",
    }


def test_links_are_followed_but_not_in_circles(tree, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / "z.jpg").write_bytes(picture(5))
    (other / "back").symlink_to(other)
    (tree / "link").symlink_to(other)
    (tree / "a" / "up").symlink_to(tree)
    (tree / "soft.jpg").symlink_to(tree / "b.jpg")
    names = [p.id for p in FolderSource(tree).chunks()]
    assert {"link/z.jpg", "soft.jpg"} <= set(names)
    assert len(names) == len(FILES) + 2


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_not_utf8(tmp_path):
    odd = os.fsencode(tmp_path) + b"/caf\xe9"
    Path(os.fsdecode(odd)).mkdir()
    for name in (b"/\xff.jpg", b"/\\xff.jpg", b"/a\nb.jpg"):
        with open(odd + name, "wb") as file:
            file.write(picture(1))
    found = read_all(FolderSource(os.fsdecode(odd)))
    assert len({p.name for p in found}) == len({p.stem for p in found}) == 3
    for p in found:
        assert p.content == picture(1)
        (p.name + p.stem + p.location).encode()


def test_nothing_there_is_said(tmp_path):
    with pytest.raises(LabelError, match="no such folder of photographs"):
        list(FolderSource(tmp_path / "none").chunks())
    (tmp_path / "a.csv").touch()
    with pytest.raises(LabelError, match=r"no photograph; 1 files skipped.*1 \.csv.*\.webp"):
        list(FolderSource(tmp_path).chunks())


@pytest.fixture
def unlisted(monkeypatch):
    """Refuses to list a folder of a name, whoever asks."""
    real = os.scandir

    def scandir(path):
        if str(path).endswith("/locked/"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(paths.os, "scandir", scandir)


def test_a_folder_that_cannot_be_listed_stops_the_run(tree, unlisted):
    (tree / "locked").mkdir()
    with pytest.raises(LabelError, match=r"locked: .*cannot be listed \(Permission denied\)"):
        list(FolderSource(tree).chunks())


def test_a_link_to_one_is_set_aside_alone(tree, unlisted, tmp_path_factory):
    (tree / "locked").symlink_to(tmp_path_factory.mktemp("other"))
    found = read_all(FolderSource(tree))
    assert contents(found) == EXPECTED | {"locked": "unreadable"}
    (lost,) = (p.content for p in found if p.name == "locked")
    assert lost.detail.startswith("the folder cannot be listed (Permission denied)")


def test_links_that_lead_nowhere_end_nothing(tree):
    (tree / "self").symlink_to("self")
    (tree / "long").symlink_to("x" * 300)  # as no name can be
    (tree / "a" / "self.jpg").symlink_to("self.jpg")
    found = contents(read_all(FolderSource(tree)))
    assert found == EXPECTED | {"a/self.jpg": "unreadable"}


def test_names_are_those_of_the_photographs(tree):
    source = FolderSource(tree)
    assert list(source.named()) == [(p.name, p.stem) for p in read_all(source)]
