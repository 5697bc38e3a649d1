"""The journal of done work: what survives kills, damage and changed settings."""

import json

import pytest

from action_units.errors import ArtifactError
from action_units.faces.journal import NAME, Entry, Journal

SETTINGS = {"crop": {"margin": 0.0, "size": (64, 64)}}


def entry(number, fingerprint="s"):
    return Entry(
        f"p{number}", fingerprint, [[f"c{number}.jpg", 10 + number]], [["a", "b", "c", "d"]]
    )


def filled(folder, numbers=range(3), settings=SETTINGS):
    with Journal.open(folder, settings) as journal:
        for number in numbers:
            journal.add([entry(number)])
    return folder / NAME


def read(folder, settings=SETTINGS):
    with Journal.open(folder, settings) as journal:
        return journal


def test_what_is_added_is_done_in_the_next_run(tmp_path):
    filled(tmp_path)
    journal = read(tmp_path)
    assert journal.done == {f"p{n}": entry(n) for n in range(3)}
    assert not journal.changed
    assert not journal.void


def test_a_torn_last_line_is_cut_off_wherever_it_was_torn(tmp_path):
    path = filled(tmp_path, range(2))
    whole = path.read_bytes()
    last = whole[:-1].rfind(b"\n") + 1
    for cut in range(last, len(whole)):
        path.write_bytes(whole[:cut])
        assert list(read(tmp_path).done) == ["p0"]
        filled(tmp_path, [7])
        assert list(read(tmp_path).done) == ["p0", "p7"]


def test_every_flipped_bit_costs_its_line_alone(tmp_path, caplog):
    path = filled(tmp_path, range(4))
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    start = sum(map(len, lines[:2]))  # of the second entry's line
    for place in range(start, start + len(lines[2]) - 1):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << (place % 8)
        if damaged[place] in b"\r\n":
            continue
        path.write_bytes(damaged)
        assert list(read(tmp_path).done) == ["p0", "p2", "p3"]
    assert "1 damaged lines" in caplog.text


def test_below_a_damaged_heading_nothing_counts_as_done(tmp_path):
    path = filled(tmp_path)
    content = bytearray(path.read_bytes())
    content[12] ^= 1
    path.write_bytes(content)
    journal = read(tmp_path)
    assert not journal.done
    assert [void.id for void in journal.void] == ["p0", "p1", "p2"]
    filled(tmp_path, [5])
    assert list(read(tmp_path).done) == ["p5"]


def test_a_changed_setting_voids_what_was_done_and_is_named(tmp_path):
    filled(tmp_path)
    other = {"crop": {"margin": 0.2, "size": [64, 64]}}
    journal = read(tmp_path, other)
    assert not journal.done
    assert journal.changed == ["crop.margin was 0.0 and is now 0.2"]
    assert [void.id for void in journal.void] == ["p0", "p1", "p2"]
    again = read(tmp_path, other)
    assert not again.changed
    assert [void.id for void in again.void] == ["p0", "p1", "p2"]
    assert not read(tmp_path).done  # and back again: what lies there was made with the other


def test_what_an_earlier_version_cropped_is_done_again(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("action_units.faces.journal._FORMAT", 1)
        filled(tmp_path)
    journal = read(tmp_path)
    assert not journal.done
    assert journal.changed == ["pictures are read and refused otherwise now"]
    assert [void.id for void in journal.void] == ["p0", "p1", "p2"]


def test_a_portion_done_anew_replaces_the_old(tmp_path):
    filled(tmp_path)
    with Journal.open(tmp_path, SETTINGS) as journal:
        journal.add([entry(1, "new")])
    journal = read(tmp_path)
    assert journal.done["p1"].fingerprint == "new"
    assert [void.fingerprint for void in journal.void] == ["s"]


def test_tidying_forgets_the_void_and_the_unwanted_on_disk(tmp_path):
    path = filled(tmp_path)
    other = {"crop": 1}
    filled(tmp_path, range(2, 5), other)
    with Journal.open(tmp_path, other) as journal:
        journal.tidy(["p2", "p4"])
    assert path.read_bytes().count(b"\n") == 3
    before = path.stat().st_ino
    with Journal.open(tmp_path, other) as journal:
        assert list(journal.done) == ["p2", "p4"]
        assert not journal.void
        journal.tidy(["p4", "p2"])
    assert path.stat().st_ino == before


def test_two_runs_cannot_share_it(tmp_path):
    with (
        Journal.open(tmp_path, SETTINGS),
        pytest.raises(ArtifactError, match="is in use by process"),
        Journal.open(tmp_path, SETTINGS),
    ):
        pass


def test_a_line_is_what_the_module_says(tmp_path):
    import zlib

    line = filled(tmp_path).read_bytes().splitlines()[1]
    total, text = line.split(b" ", 1)
    assert int(total, 16) == zlib.crc32(text)
    assert json.loads(text)[0][0] == "p0"
