"""Tars as WebDataset writes them, and as they should not be."""

import io
import os
import pickle
import random
import tarfile

import pytest
from upath import UPath

from action_units.errors import ConfigurationError, LabelError, UnusableFace
from action_units.media import tar as tar_module
from action_units.media.tar import TarSource
from tests.media.photograph_sets import RangeStore, picture, read_all, travelled, write_tar

FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
N = 30


def samples(n=N):
    members = []
    for k in range(n):
        members += [
            (f"{k:05d}.jpg", picture(k)),
            (f"{k:05d}.json", b"{}"),
            (f"{k:05d}.cls", b"1"),
        ]
    return members


@pytest.fixture
def path(tmp_path):
    return write_tar(tmp_path / "set-000.tar", samples())


def outcomes(source):
    return {
        p.name: p.content if isinstance(p.content, bytes) else p.content.reason
        for p in read_all(source)
    }


@pytest.mark.parametrize("run", [1, 7, 512])
def test_every_picture_comes_once_whatever_the_runs(path, run):
    source = TarSource(path, run)
    chunks = travelled(source.chunks())
    found = [p for chunk in chunks for p in chunk.photographs()]
    assert [p.name for p in found] == [f"set-000.tar/{k:05d}.jpg" for k in range(N)]
    assert [p.content for p in found] == [picture(k) for k in range(N)]
    assert found[3].stem == "set-000~00003_0-FaceId-0"
    assert found[3].location == f"{path}, member 00003.jpg"
    assert [p.weight for p in chunks] == [min(run, N - s) for s in range(0, N, run)]
    assert len({p.id for p in chunks}) == len(chunks)
    assert source.ignored == {".json": N, ".cls": N}
    assert all(len(pickle.dumps(p)) < 1000 for p in chunks)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("run", [1, 512])
def test_names_and_kinds_of_every_format(tmp_path, form, run):
    folder, link, hard, fifo = (tarfile.TarInfo(n) for n in ("d", "l.jpg", "h.jpg", "f.jpg"))
    folder.type, link.type, hard.type, fifo.type = (
        tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE,
    )  # fmt: skip
    link.linkname = hard.linkname = "d/1.jpg"
    long = "/".join(["x" * 90, "y" * 60 + ".jpg"])
    names = ["./d/1.jpg", "m.0a/84-FaceId-0.jpg", long]
    if form != "ustar":
        link.linkname = "z" * 300
        names += ["é" * 300 + ".png", "caf\udce9.jpg"]
    members = [(folder, b""), (link, b""), (hard, b""), (fifo, b"")]
    members += [(name, picture(k)) for k, name in enumerate(names)]
    options = {"pax_headers": {"comment": "all"}} if form == "pax" else {}
    path = write_tar(tmp_path / "a.tar", members, format=FORMATS[form], **options)
    source = TarSource(path, run)
    found = read_all(source)
    assert [p.content for p in found] == [picture(k) for k in range(len(names))]
    assert found[1].stem == "m.0a_84-FaceId-0"
    assert found[0].stem.startswith("d_")
    assert found[2].stem.startswith("=~" if long.startswith(".") else long[:5])
    assert source.ignored == {"no file": 4}
    for p in found:
        (p.name + p.stem + p.location).encode()


def test_the_same_members_as_tarfile_gives(tmp_path):
    rng = random.Random(0)
    for k in range(12):
        names = [
            "".join(rng.choices("abc/.é", k=rng.choice([3, 90, 99, 100, 101, 154, 255, 400])))
            + f"{i}.jpg"
            for i in range(8)
        ]
        members = [(n, rng.randbytes(rng.choice([1, 511, 512, 513, 5000]))) for n in names]
        path = write_tar(
            tmp_path / f"{k}.tar",
            members,
            format=(tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)[k % 2],
        )
        with tarfile.open(path) as tar:
            expected = [(m.offset, m.offset_data, m.size, m.name) for m in tar]
        size = path.stat().st_size
        with path.open("rb") as file:
            found = [
                (m.offset, m.offset_data, m.size, m.name)
                for m in tar_module.walk(file, 0, size, size)
            ]
        assert found == expected


def test_sparse_members_are_skipped_whole(tmp_path):
    """GNU tar's old sparse format, with a map that goes on in a second block."""
    info = tarfile.TarInfo("hole.jpg")
    info.size = 1024
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[156:157] = b"S"
    header[482] = 1
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    rest = io.BytesIO()
    with tarfile.open(fileobj=rest, mode="w") as tar:
        after = tarfile.TarInfo("b.jpg")
        after.size = 5
        tar.addfile(after, io.BytesIO(b"after"))
    (tmp_path / "a.tar").write_bytes(
        bytes(header) + b"1" * 504 + bytes(8) + b"1" * 1024 + rest.getvalue()
    )
    source = TarSource(tmp_path / "a.tar")
    assert [(p.name, p.content) for p in read_all(source)] == [("a.tar/b.jpg", b"after")]
    assert source.ignored == {"no file": 1}
    pax = {"GNU.sparse.major": "1", "GNU.sparse.name": "hole.jpg"}
    sparse = tarfile.TarInfo("GNUSparseFile.0/hole.jpg")
    sparse.pax_headers = pax
    write_tar(tmp_path / "a.tar", [(sparse, b""), ("b.jpg", b"after")])
    assert [p.name for p in read_all(TarSource(tmp_path / "a.tar"))] == ["a.tar/b.jpg"]


def test_links_have_no_data_whatever_size_they_say(tmp_path):
    link = tarfile.TarInfo("l.jpg")
    link.type, link.linkname, link.size = tarfile.SYMTYPE, "b.jpg", 5000
    content = link.tobuf() + write_tar(tmp_path / "a.tar", [("b.jpg", b"after")]).read_bytes()
    (tmp_path / "a.tar").write_bytes(content)
    assert outcomes(TarSource(tmp_path / "a.tar")) == {"a.tar/b.jpg": b"after"}


def test_sums_of_signed_bytes_are_known_too(tmp_path):
    path = write_tar(tmp_path / "a.tar", [("é" * 2 + ".jpg", b"x")], format=tarfile.GNU_FORMAT)
    content = bytearray(path.read_bytes())
    content[148:156] = b" " * 8
    signed = sum(content[:512]) - 256 * sum(byte > 127 for byte in content[:512])
    content[148:156] = b"%06o\0 " % signed
    path.write_bytes(content)
    assert [p.content for p in read_all(TarSource(path))] == [b"x"]


def test_sizes_above_8_gib_are_read(tmp_path):
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        info = tarfile.TarInfo("big.jpg")
        info.size = 9 << 30
        head = info.tobuf(form)
        with (tmp_path / "big.tar").open("wb") as file:  # the data are a hole in the file
            file.write(head)
            file.truncate(len(head) + info.size)
            file.seek(0, os.SEEK_END)
            small = tarfile.TarInfo("b.jpg")
            small.size = 1
            file.write(small.tobuf() + b"x".ljust(512, b"\0") + bytes(1024))
        assert outcomes(TarSource(tmp_path / "big.tar")) == {
            "big.tar/big.jpg": "too large", "big.tar/b.jpg": b"x",
        }  # fmt: skip


@pytest.mark.parametrize("size", [-1, -1024, -(1 << 40)])
def test_a_size_below_0_is_damage_and_no_way_back(tmp_path, size):
    header = bytearray(tarfile.TarInfo("a.jpg").tobuf())
    header[124:136] = (size % (1 << 96)).to_bytes(12, "big")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    content = write_tar(tmp_path / "a.tar", [("b.jpg", b"before")]).read_bytes()
    (tmp_path / "a.tar").write_bytes(content[:1024] + header + bytes(2048))
    found = read_all(TarSource(tmp_path / "a.tar"))
    assert found[0].content == b"before"
    assert found[-1].content.reason == "damaged"


@pytest.mark.parametrize("run", [4, 512])
def test_a_damaged_header_ends_the_tar_with_a_word(path, run):
    content = bytearray(path.read_bytes())
    with tarfile.open(path) as tar:
        at = tar.getmember("00010.jpg").offset
    content[at + 3] ^= 0x40
    path.write_bytes(content)
    found = read_all(TarSource(path, run))
    assert [p.content for p in found[:-1]] == [picture(k) for k in range(10)]
    assert found[-1].content.reason == "damaged"
    assert f"byte {at:,} should begin a header" in found[-1].content.detail
    assert "members after it are lost" in found[-1].content.detail
    assert found[-1].location.startswith(f"{path}, after byte")


@pytest.mark.parametrize("run", [4, 512])
def test_a_tar_that_was_cut_says_so(path, run):
    content = path.read_bytes()
    end = content.rstrip(b"\0").__len__()
    for kept in [*range(1, end, 4001), end, end // 512 * 512]:
        path.write_bytes(content[:kept])
        found = read_all(TarSource(path, run))
        assert [p.content for p in found[:-1]] == [picture(k) for k in range(len(found) - 1)]
        assert found[-1].content.reason == "truncated"


def test_tars_laid_behind_each_other_are_read_to_the_end(path, tmp_path):
    more = write_tar(tmp_path / "more.tar", [("z.jpg", picture(77))])
    path.write_bytes(path.read_bytes() + more.read_bytes())
    assert read_all(TarSource(path))[-1].content == picture(77)


@pytest.mark.parametrize("run", [1, 2, 512])
def test_a_name_that_comes_again_is_set_aside(tmp_path, run):
    names = ["a.jpg", "b.jpg", "a.jpg", "c.jpg", "./a.jpg"]
    path = write_tar(tmp_path / "a.tar", [(n, picture(k)) for k, n in enumerate(names)])
    found = read_all(TarSource(path, run))
    assert [getattr(p.content, "reason", None) for p in found] == [
        None,
        None,
        "duplicate",
        None,
        "duplicate",
    ]
    assert len({p.name for p in found}) == len({p.stem for p in found}) == 5


def test_names_of_different_tars_stay_apart(tmp_path):
    for tar in ("a", "b"):
        write_tar(
            tmp_path / f"{tar}.tar", [("1.jpg", picture(1)), ("1.png", picture(1, ".png"))]
        )
    found = read_all(TarSource(tmp_path))
    assert [p.stem for p in found] == [
        f"{name}_0-FaceId-0" for name in ("a~1", "a~1.png", "b~1", "b~1.png")
    ]


def test_names_that_climb_are_harmless(tmp_path):
    names = ["../../up.jpg", "/etc/abs.jpg", "a/../b.jpg"]
    found = read_all(TarSource(write_tar(tmp_path / "a.tar", [(n, b"x") for n in names])))
    identities = [p.stem.rsplit("_", 1)[0] for p in found]
    assert identities == ["=2E.~..", "~etc", "a~.."]


@pytest.mark.parametrize("protocol", ["file", "memory", "ranges"])
def test_stores_give_the_same(path, memory, ranges, protocol):
    for k in range(2):
        memory.pipe(f"/s/set-00{k}.tar", path.read_bytes())
        ranges[f"s/set-00{k}.tar"] = path.read_bytes()
    (path.parent / "set-001.tar").write_bytes(path.read_bytes())
    base = {"file": f"file://{path.parent}", "memory": "memory://s", "ranges": "ranges://s"}[
        protocol
    ]
    names = [f"set-00{t}.tar/{k:05d}.jpg" for t in range(2) for k in range(N)]
    for named in (base, f"{base}/set-*.tar", f"{base}/set-{{000..001}}.tar", UPath(base)):
        chunks = travelled(TarSource(named).chunks())
        assert len(chunks) == 2
        found = [p for chunk in chunks for p in chunk.photographs()]
        assert [p.name for p in found] == names
        assert [p.content for p in found] == [picture(k) for k in range(N)] * 2


def test_a_store_that_fails_or_damages_is_told_of(path, ranges):
    ranges["s/a.tar"] = path.read_bytes()[:5000]
    ranges["s/b.tar"] = path.read_bytes()
    chunks = list(TarSource("ranges://s").chunks())
    RangeStore.broken.add("s/b.tar")
    cut, lost = (list(p.photographs())[-1].content for p in chunks)
    assert (cut.reason, lost.reason) == ("truncated", "unreadable")


def test_what_cannot_be_read_is_refused(tmp_path):
    write_tar(
        tmp_path / "packed.tar",
        samples(1),
    )
    with tarfile.open(tmp_path / "zipped.tar", "w:gz"):
        pass
    (tmp_path / "a.tgz").touch()
    write_tar(tmp_path / "none.tar", [("a.json", b"{}")])
    (tmp_path / "empty").mkdir()
    for name, error, says in (
        ("zipped.tar", ConfigurationError, "is compressed despite its name"),
        ("a.tgz", ConfigurationError, "is compressed, and cannot be read from the middle"),
        ("none.tar", LabelError, r"no member of it is a picture by its name \(1 \.json; the f"),
        ("empty", LabelError, r"there is no \*\.tar file"),
        ("x-{00..02}.tar", LabelError, r"x-00\.tar: there is no such file"),
        ("x-*.tar", LabelError, r"there is no \*\.tar file"),
        ("x-{9..1}.tar", ConfigurationError, r"expected first\.\.last"),
    ):
        with pytest.raises(error, match=says):
            list(TarSource(tmp_path / name).chunks())


def test_any_damage_gives_all_pictures_or_a_reason(path):
    """No crash, no picture lost without a word, whatever bytes are changed."""
    content = path.read_bytes()
    rng = random.Random(1)
    ended = 0
    for _ in range(100):
        damaged = bytearray(content)
        for _ in range(rng.choice([1, 5, 50])):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        path.write_bytes(damaged)
        found = read_all(TarSource(path, 5))
        bad = [p for p in found if isinstance(p.content, UnusableFace)]
        assert len({p.name for p in found}) == len(found)
        assert len(found) == N or bad
        ended += bool(bad)
    assert ended > 30


def test_a_tar_without_pictures_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(tar_module, "FIRST_MEMBERS", 3)
    others = [(f"{k}.cls", b"1") for k in range(4)]
    write_tar(tmp_path / "a.tar", others)
    with pytest.raises(LabelError, match=r"none of the first 3 members .*3 \.cls.*is 0\.cls"):
        next(TarSource(tmp_path / "a.tar").chunks())
    write_tar(tmp_path / "a.tar", [*others[:2], ("a.jpg", picture(1)), *others[2:]])
    assert len(read_all(TarSource(tmp_path / "a.tar"))) == 1


def test_names_are_known_from_the_headers_alone(tmp_path, ranges):
    for tar in ("a", "b"):
        members = [("anna/1.jpg", picture(1)), ("1.json", b"{}"), ("00012.png", b"?")]
        write_tar(tmp_path / f"{tar}.tar", members)
    source = TarSource(tmp_path)
    named = list(source.named())
    assert named == [(p.name, p.stem) for p in read_all(source)]
    assert [name for name, _ in named][:2] == ["a.tar/anna/1.jpg", "a.tar/00012.png"]
    (tmp_path / "b.tar").write_bytes((tmp_path / "b.tar").read_bytes()[:1500])
    assert len(list(TarSource(tmp_path / "b.tar").named())) == 1
    ranges["s/set.tar"] = (tmp_path / "a.tar").read_bytes()
    assert TarSource("ranges://s/set.tar").named() is None
