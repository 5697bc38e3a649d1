"""The lines of MS-Celeb-1M, cut into ranges by arithmetic."""

import base64
import os
import pickle
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from action_units.errors import ConfigurationError, LabelError, UnusableFace
from action_units.media import tsv
from action_units.media.images import decode
from action_units.media.tsv import TsvSource, parse_line
from tests.media.photograph_sets import RangeStore, line, picture, read_all, travelled

N = 40


@pytest.fixture
def path(tmp_path):
    (tmp_path / "set.tsv").write_bytes(b"".join(line(k) for k in range(N)))
    return tmp_path / "set.tsv"


def ids(source):
    return {p.id: p.fingerprint for p in source.chunks()}


def reason_of(photograph):
    assert isinstance(photograph.content, UnusableFace)
    return photograph.content.reason


@pytest.mark.parametrize("range_bytes", [7, 100, 1000, 5000, 1 << 24])
def test_every_face_comes_once_wherever_the_ranges_are_cut(path, range_bytes):
    found = read_all(TsvSource(path, range_bytes))
    assert [p.name for p in found] == [f"m.0d27_{k // 4}/{k}-FaceId-0.jpg" for k in range(N)]
    assert [p.content for p in found] == [picture(k) for k in range(N)]
    assert found[5].stem == "m.0d27_1_5-FaceId-0"
    assert abs(int(decode(found[5].content).mean()) - 35) <= 2


@settings(max_examples=100, deadline=None)
@given(
    lines=st.lists(st.sampled_from([b"", b"\r", b"x" * 3, b"y" * 40, b"z\r"]), max_size=12),
    end=st.sampled_from([b"", b"\n", b"\r\n", b"\n\n"]),
    range_bytes=st.integers(1, 60),
)
def test_lines_are_those_that_splitting_gives(tmp_path_factory, lines, end, range_bytes):
    content = b"\n".join(lines) + end
    path = tmp_path_factory.mktemp("t") / "a.tsv"
    path.write_bytes(content)
    found = []
    with path.open("rb") as file:
        for start in range(0, len(content), range_bytes):
            stop = min(start + range_bytes, len(content))
            found += tsv._lines(file, start, stop)
    expected, at = [], 0
    for whole in (
        content.splitlines(keepends=True) if b"\r" not in content else content.split(b"\n")
    ):
        whole = whole if whole.endswith(b"\n") or b"\r" not in content else whole + b"\n"
        if at < len(content):
            expected.append((at, whole.rstrip(b"\r\n")))
        at += len(whole)
    assert found == expected


def test_line_ends_of_every_kind(path):
    path.write_bytes(line(0, b"\r\n") + b"\n\r\n  \n" + line(1) + line(2, b""))
    assert [p.content for p in read_all(TsvSource(path))] == [picture(k) for k in range(3)]


@pytest.mark.parametrize(
    ("columns", "reason", "says"),
    [
        ({"mid": b"a\tb"}, "damaged", "8 columns, expected 7: MID, rank"),
        ({"mid": b""}, "damaged", "expected a MID and a number"),
        ({"rank": b"x"}, "damaged", "expected a MID and a number"),
        ({"rank": "²".encode()}, "damaged", "expected a MID and a number"),
        ({"face_id": b"0"}, "damaged", "expected one like FaceId-0"),
        ({"data": b"abc"}, "damaged", "face data: not base64"),
        ({"data": b"ab\x00d"}, "damaged", "face data: not base64"),
        ({"data": b""}, "empty", "empty"),
        ({"face": b"AAAA"}, "damaged", "face rectangle of 3 bytes, expected 16"),
        ({"face": b"!"}, "damaged", "face rectangle: not base64"),
        ({"face": base64.b64encode(b"\0\0\xc0\x7f" * 4)}, "damaged", "not of finite numbers"),
    ],
)
def test_a_bad_line_is_set_aside_and_the_others_are_read(path, columns, reason, says):
    start = line(0)
    path.write_bytes(start + line(1, **columns) + line(2))
    before, bad, after = read_all(TsvSource(path))
    assert (before.content, after.content) == (picture(0), picture(2))
    assert reason_of(bad) == reason
    assert says in bad.content.detail
    assert bad.name == f"set.tsv@{len(start)}"
    assert bad.location.startswith(f"{path}, byte {len(start):,} (`tail -c +{len(start) + 1} ")


def test_a_rectangle_may_be_empty(path):
    path.write_bytes(line(0, face=b""))
    assert read_all(TsvSource(path))[0].content == picture(0)


def test_a_hostile_identity_is_but_a_name(path):
    path.write_bytes(line(0, mid=b"../../etc") + line(1, mid=b"\xff\xfe\\"))
    first, second = read_all(TsvSource(path))
    assert first.stem.startswith("=2E.~..~etc_")
    assert "/" not in second.stem
    second.name.encode()


def test_a_line_without_end_is_skipped_without_being_held(path, monkeypatch):
    monkeypatch.setattr(tsv, "MAX_LINE", 1 << 20)
    long = line(1, jpeg=os.urandom(12 << 20))
    path.write_bytes(line(0) + long + line(2))
    source = TsvSource(path, 1 << 20)
    chunks = list(source.chunks())
    tracemalloc.start()
    found = [p for chunk in chunks for p in chunk.photographs()]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [p.content for p in (found[0], found[2])] == [picture(0), picture(2)]
    assert reason_of(found[1]) == "too large"
    assert len(found) == 3
    assert peak < 8 << 20
    with pytest.raises(UnusableFace, match="too large"):
        parse_line(None)


def test_appended_lines_leave_full_ranges_as_they_were(path):
    before = ids(TsvSource(path, 2000))
    with path.open("ab") as file:
        file.write(b"".join(line(k) for k in range(N, N + 10)))
    after = ids(TsvSource(path, 2000))
    assert set(before) < set(after)
    assert [name for name in before if before[name] != after[name]] == [list(before)[-1]]


def test_a_cut_line_that_is_completed_is_read_again(path):
    """The range in which a line begins is done again when the rest of the line comes."""
    content = path.read_bytes()
    lines = content.split(b"\n")
    begin = sum(len(one) + 1 for one in lines[:30])
    for kept in range(begin + 1, begin + len(lines[30]), 37):
        path.write_bytes(content[:kept])
        range_bytes = begin + 10
        cut = ids(TsvSource(path, range_bytes))
        found = read_all(TsvSource(path, range_bytes))
        assert [p.content == picture(k) for k, p in enumerate(found)] == [True] * 30 + [False]
        path.write_bytes(content)
        whole = ids(TsvSource(path, range_bytes))
        assert cut["set.tsv@0"] != whole["set.tsv@0"]


@pytest.mark.parametrize("where", ["replaced", "inserted", "removed", "moved"])
def test_any_other_file_has_other_stamps(path, where):
    before = ids(TsvSource(path, 2000))
    lines = [line(k) for k in range(N)]
    if where == "replaced":
        lines = [line(k, jpeg=picture(k + 100)) for k in range(N)]
    elif where == "inserted":
        lines.insert(10, line(99))
    elif where == "removed":
        del lines[10]
    else:
        lines = lines[20:] + lines[:20]
    path.write_bytes(b"".join(lines))
    after = ids(TsvSource(path, 2000))
    same = [name for name in before if before[name] == after.get(name)]
    untouched = sum(len(line(k)) for k in range(10)) // 2000
    assert len(same) <= (untouched if where in ("inserted", "removed") else 0)


def test_portions_are_small_weighed_and_survive_the_trip(path):
    chunks = list(TsvSource(path, 2000).chunks())
    assert travelled(chunks) == chunks
    assert len(pickle.dumps(chunks[0])) < 1000
    assert abs(sum(p.weight for p in chunks) - N) <= len(chunks)


def test_listing_reads_little_of_the_file(ranges, path, monkeypatch):
    ranges["s/set.tsv"] = path.read_bytes() + b"x" * (8 << 20)
    assert len(list(TsvSource("ranges://s/set.tsv", 1 << 16).chunks())) > 100
    assert sum(stop - start for _, start, stop in RangeStore.fetched) < 3 << 20


@pytest.mark.parametrize("protocol", ["file", "memory", "ranges"])
def test_stores_give_the_same(path, memory, ranges, protocol):
    memory.pipe("/s/set.tsv", path.read_bytes())
    ranges["s/set.tsv"] = path.read_bytes()
    urls = {
        "file": f"file://{path}",
        "memory": "memory://s/set.tsv",
        "ranges": "ranges://s/set.tsv",
    }
    source = TsvSource(urls[protocol], 3000)
    chunks = travelled(source.chunks())
    found = [p for chunk in chunks for p in chunk.photographs()]
    assert [p.content for p in found] == [picture(k) for k in range(N)]
    assert len(chunks) > 3


def test_a_store_that_fails_is_told_of(ranges, path):
    ranges["s/set.tsv"] = path.read_bytes()
    chunks = list(TsvSource("ranges://s/set.tsv", 3000).chunks())
    RangeStore.broken.add("s/set.tsv")
    (lost,) = chunks[1].photographs()
    assert reason_of(lost) == "unreadable"
    assert lost.name == chunks[1].id


def test_several_files_are_read_in_order(tmp_path, path):
    (tmp_path / "more.tsv").write_bytes(line(50))
    for named in (tmp_path, tmp_path / "*.tsv"):
        found = read_all(TsvSource(named))
        assert [p.content for p in found] == [picture(50), *(picture(k) for k in range(N))]


def test_what_cannot_be_read_is_refused(tmp_path):
    (tmp_path / "a.tsv.gz").write_bytes(b"\x1f\x8b")
    (tmp_path / "b.tsv").write_bytes(b"\x1f\x8b\x08\x00\x00\x00")
    (tmp_path / "c.tsv").touch()
    for name, error, says in (
        ("a.tsv.gz", ConfigurationError, "is compressed.*Unpack it first"),
        ("b.tsv", ConfigurationError, "is compressed despite its name"),
        ("c.tsv", LabelError, "the file is empty"),
        ("d.tsv", LabelError, "there is no such file"),
    ):
        with pytest.raises(error, match=says):
            list(TsvSource(tmp_path / name).chunks())


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"a\t1\thttp://x\t/9j/\n" * 3000, r"line 1: 4 columns, expected 7: MID, .*; the line "
         r"begins 'a\\t1\\thttp://x\\t/9j/'\. Not one of the first 1,000 lines is a face's"),
        (b"\n\nmid,rank,url\nm.0,1,x\n", "line 3: 1 columns.*'mid,rank,url'.*first 2 lines"),
        (line(0, data=b"!") * 5, "line 1: face data: not base64.*first 5 lines"),
    ],
)  # fmt: skip
def test_a_file_of_something_else_is_refused_at_once(path, content, says):
    path.write_bytes(content)
    with pytest.raises(LabelError, match=says):
        next(TsvSource(path).chunks())


def test_a_face_among_the_first_lines_is_enough(path):
    path.write_bytes(b"mid\trank\n" + b"?\n" * 998 + line(0))
    found = read_all(TsvSource(path))
    assert len(found) == 1000
    assert found[-1].content == picture(0)
