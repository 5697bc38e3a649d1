"""The journal of done work: what survives kills, damage and changed settings."""

import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from action_units.errors import ArtifactError
from action_units.faces.journal import NAME, Entry, Journal, forget

SETTINGS = {"crop": {"margin": 0.0, "size": (64, 64)}}
OTHER = {"crop": {"margin": 0.2, "size": [64, 64]}}


def entry(number, fingerprint="f", crop=None):
    rows = [[crop or f"c{number}.jpg", 10 + number]]
    return Entry(f"p{number}", fingerprint, rows, [["a", "b", "c", "d"]])


def filled(folder, numbers=range(3), settings=SETTINGS):
    with Journal.open(folder, settings) as journal:
        set_input(journal, numbers)
        for number in numbers:
            journal.add([entry(number)])
    return folder / NAME


def set_input(journal, numbers):
    with journal.new_input() as add:
        for number in numbers:
            add(f"p{number}")


def read(folder, settings=SETTINGS, numbers=range(9)):
    """What is done of some chunks, why not, and what is stale, for a run with these settings."""
    with Journal.open(folder, settings) as journal:
        set_input(journal, numbers)
        return list(journal.entries()), journal.changed, sorted(journal.stale())


def test_what_is_added_is_done_in_the_next_run(tmp_path):
    filled(tmp_path)
    assert read(tmp_path) == ([entry(n) for n in range(3)], [], [])
    with Journal.open(tmp_path, SETTINGS) as journal:
        assert journal.get("p1") == entry(1)
        assert journal.get("p7") is None
        assert journal.has_crops()


def test_entries_come_in_the_order_of_the_input(tmp_path):
    filled(tmp_path)
    found, _, _ = read(tmp_path, numbers=[2, 7, 0])
    assert [one.id for one in found] == ["p2", "p0"]


def test_a_flipped_bit_costs_its_entry_or_everything_but_is_never_believed(tmp_path, caplog):
    path = filled(tmp_path, range(40))
    whole = path.read_bytes()
    kept = set()
    for place in range(0, len(whole), 97):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << (place % 8)
        path.write_bytes(damaged)
        found, _, _ = read(tmp_path, numbers=range(40))
        assert all(one == entry(int(one.id[1:])) for one in found)
        kept.add(len(found))
    assert {39, 40} <= kept
    for content in (b"no database", whole[: len(whole) // 2], whole[:10]):
        caplog.clear()
        path.write_bytes(content)
        assert read(tmp_path) == ([], [], [])
        assert "is damaged" in caplog.text
        filled(tmp_path)
        assert len(read(tmp_path)[0]) == 3


def test_a_killed_process_loses_what_it_was_adding_alone(tmp_path):
    """Its rollback journal lies on the disk, as after a power cut."""
    filled(tmp_path)
    code = (
        "import os, signal, sys; from action_units.faces.journal import *\n"
        "with Journal.open(sys.argv[1], {'crop': {'margin': 0.0, 'size': (64, 64)}}) as journal:\n"
        "    journal._database.execute('PRAGMA cache_spill = 1')\n"
        "    journal._database.execute('PRAGMA cache_size = 1')\n"
        "    def entries():\n"
        "        for n in range(3, 500): yield Entry(f'p{n}', 'f', [['x' * 500, n]], [])\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    journal.add(entries())"
    )
    run = subprocess.run([sys.executable, "-c", code, tmp_path])
    assert run.returncode == -signal.SIGKILL
    assert (tmp_path / f"{NAME}-journal").stat().st_size > 0
    assert read(tmp_path, numbers=range(500)) == ([entry(n) for n in range(3)], [], [])


def test_a_changed_setting_outdates_what_was_done_and_is_named(tmp_path):
    filled(tmp_path)
    crops = ["c0.jpg", "c1.jpg", "c2.jpg"]
    changed = ["crop.margin was 0.0 and is now 0.2"]
    assert read(tmp_path, OTHER) == ([], changed, crops)
    assert read(tmp_path, OTHER) == ([], [], crops)
    filled(tmp_path, [1], OTHER)
    assert read(tmp_path, OTHER)[2] == ["c0.jpg", "c2.jpg"]
    assert read(tmp_path)[0] == []  # and back again: what lies there was made with the other


def test_what_an_earlier_version_cropped_is_done_again(tmp_path, monkeypatch, caplog):
    with monkeypatch.context() as patch:
        patch.setattr("action_units.faces.journal._FORMAT", 1)
        filled(tmp_path)
    done, changed, stale = read(tmp_path)
    assert (done, len(stale)) == ([], 3)
    assert changed == ["this version reads and checks pictures differently"]
    (tmp_path / "journal.jsonl").write_bytes(b"0 {}\n")
    filled(tmp_path)
    assert "journal.jsonl is of an earlier version; all is processed again" in caplog.text
    assert not (tmp_path / "journal.jsonl").exists()


def test_a_chunk_done_again_replaces_the_old(tmp_path):
    filled(tmp_path)
    with Journal.open(tmp_path, SETTINGS) as journal:
        journal.add([entry(1, "new", "other.jpg")])
    done, _, stale = read(tmp_path)
    assert [one.fingerprint for one in done] == ["f", "new", "f"]
    assert stale == ["c1.jpg"]


def test_crops_stay_until_their_chunk_gives_others_or_leaves_the_input(tmp_path):
    filled(tmp_path)
    for settings in (OTHER, {"crop": 1}):
        with Journal.open(tmp_path, settings) as journal:
            set_input(journal, [0, 1])
            journal.add([Entry("p0", "f", [], [["a", "b", "c", "d"]]), entry(1)])
            assert list(journal.stale()) == ([] if settings == {"crop": 1} else ["c2.jpg"])
            journal.tidy()
    with Journal.open(tmp_path, {"crop": 1}) as journal:
        journal.add([entry(0, crop="new.jpg")])
        assert list(journal.stale()) == ["c0.jpg"]


def test_chunks_with_a_crop_of_the_same_name_are_found(tmp_path):
    with Journal.open(tmp_path, SETTINGS) as journal:
        journal.add([entry(n, crop=f"c{n % 3}.jpg") for n in range(5)])
        set_input(journal, [4, 3, 2, 0])  # without that which shares the name of p4
        assert [one.id for one in journal.repeated()] == ["p3", "p0"]


def test_two_runs_cannot_share_it(tmp_path):
    with (
        Journal.open(tmp_path, SETTINGS),
        pytest.raises(ArtifactError, match="is in use by process"),
        Journal.open(tmp_path, SETTINGS),
    ):
        pass


def test_what_is_forgotten_is_not_in_the_file_any_more(tmp_path):
    def without_seven(one):
        rows = [row for row in one.rows if row[0] != "c7.jpg"]
        return replace(one, rows=rows) if rows else None

    with Journal.open(tmp_path, SETTINGS) as journal:
        both = Entry("both", "f", [["c7.jpg", 7], ["c8.jpg", 8]], [])
        journal.add([both, *(entry(number) for number in range(50) if number != 8)])
    path = filled(tmp_path, range(50), OTHER)  # outdates the others
    assert b"c7.jpg" in path.read_bytes()
    assert forget(tmp_path, without_seven) == 3
    assert forget(tmp_path, without_seven) == 0
    assert not [text for text in (b"c7.jpg", b"p7") if text in path.read_bytes()]
    done, _, stale = read(tmp_path, OTHER, range(50))
    assert len(done) == 49
    assert stale == []
    _, _, stale = read(tmp_path, SETTINGS, range(50))
    assert len(stale) == 49
    assert "c8.jpg" in stale


def test_it_is_its_owners_alone(tmp_path):
    umask = os.umask(0)
    try:
        path = filled(tmp_path / "a")
    finally:
        os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o600
