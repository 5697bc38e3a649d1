"""Working through chunks: what is new, after kills, and around what kills."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from action_units.errors import ArtifactError, LabelError
from action_units.faces.incremental import work_through
from action_units.faces.journal import Entry, Journal
from action_units.faces.workers import Workers


@dataclass(frozen=True)
class Numbers:
    """A chunk of some numbers."""

    id: str
    numbers: tuple[int, ...]
    fingerprint: str = "s"
    weight: int = field(default=1)


@dataclass(frozen=True)
class Square:
    """Squares numbers, leaves a file for each shard it did, and dies of some numbers."""

    seen: Path
    deadly: frozenset = frozenset()
    once: frozenset = frozenset()

    def __call__(self, shard, at, skip):
        entries = []
        for chunk in shard:
            entry = Entry(chunk.id, chunk.fingerprint, [], [])
            for number in chunk.numbers:
                at(f"number {number}")
                if f"number {number}" in skip:
                    entry.quarantined.append([f"number {number}", "crash", "", ""])
                    continue
                first = self.seen / f"died-of-{number}"
                if number in self.deadly or (number in self.once and not first.exists()):
                    first.touch()
                    os._exit(9)
                entry.rows.append([f"{number}.jpg", number**2])
            entries.append(entry)
        (self.seen / f"did-{shard[0].id}").write_text(" ".join(p.id for p in shard))
        return entries


def chunks(count, each=1):
    return [
        Numbers(f"p{k:03d}", tuple(range(k * each, k * each + each)), weight=each)
        for k in range(count)
    ]


def run(tmp_path, items, job=None, workers=0, files_exist=lambda entry: True, **options):
    seen = tmp_path / "seen"
    seen.mkdir(exist_ok=True)
    for path in seen.glob("did-*"):
        path.unlink()
    with Journal.open(tmp_path / "journal", {}) as journal:
        new = work_through(
            items, job or Square(seen), journal, files_exist, Workers(workers), **options
        )
        shards = sorted(path.read_text().split() for path in seen.glob("did-*"))
        return new, {entry.id: entry for entry in journal.entries()}, shards


def rows(done):
    return [row for entry in done.values() for row in entry.rows]


@pytest.mark.parametrize("workers", [0, 2])
def test_all_is_done_whatever_the_number_of_workers(tmp_path, workers):
    new, done, shards = run(tmp_path, chunks(10), workers=workers, shard_weight=4)
    assert rows(done) == [[f"{n}.jpg", n**2] for n in range(10)]
    assert max(len(shard) for shard in shards) <= 4
    assert sorted(name for shard in shards for name in shard) == [
        f"p{k:03d}" for k in range(10)
    ]
    assert new == 10


def test_the_last_shards_are_small_and_the_others_full(tmp_path):
    _, _, shards = run(tmp_path, chunks(400), shard_weight=40, workers=2)
    sizes = [len(shard) for shard in shards]
    assert sum(sizes) == 400
    assert sizes[:4] == [40] * 4
    assert min(sizes[:-1]) == 8 == sizes[-2]  # not smaller: each costs a wait for the disk
    assert sizes[4:] == sorted(sizes[4:], reverse=True)


def test_a_second_run_does_nothing_and_new_portions_alone_are_done(tmp_path):
    run(tmp_path, chunks(6))
    new, _, shards = run(tmp_path, chunks(6))
    assert (new, shards) == (0, [])
    added = [Numbers("a", (100,)), *chunks(6)]  # before all others
    new, done, shards = run(tmp_path, added)
    assert (new, shards) == (1, [["a"]])
    assert rows(done)[0] == ["100.jpg", 10_000]


def test_changed_and_lost_portions_are_done_again(tmp_path):
    run(tmp_path, chunks(6))
    items = chunks(6)
    items[2] = Numbers("p002", (2,), fingerprint="other")
    _, _, shards = run(tmp_path, items, files_exist=lambda entry: entry.id != "p004")
    assert shards == [["p002"], ["p004"]]


def test_an_error_stops_the_run_and_what_was_done_stays_done(tmp_path):
    def fail(shard, at, skip):
        if shard[0].id == "p002":
            raise LabelError("video.avi", "damaged.")
        return [Entry(chunk.id, chunk.fingerprint, [], []) for chunk in shard]

    with pytest.raises(LabelError):
        run(tmp_path, chunks(6), fail, shard_weight=1)
    with Journal.open(tmp_path / "journal", {}) as journal:
        assert [entry.id for entry in journal.entries()] == ["p000", "p001"]


def test_a_worker_that_dies_once_costs_its_shard_a_retry(tmp_path):
    job = Square(tmp_path / "seen", once=frozenset({7}))
    _, done, _ = run(tmp_path, chunks(5, each=4), job, workers=2, shard_weight=4)
    assert rows(done) == [[f"{n}.jpg", n**2] for n in range(20)]
    assert not any(entry.quarantined for entry in done.values())


def test_what_kills_twice_is_set_aside_by_name_and_nothing_else(tmp_path, caplog):
    job = Square(tmp_path / "seen", deadly=frozenset({7, 13, 14}))
    _, done, _ = run(tmp_path, chunks(5, each=4), job, workers=2, shard_weight=4)
    assert [row[0] for row in rows(done)] == [
        f"{n}.jpg" for n in range(20) if n not in job.deadly
    ]
    aside = [line for entry in done.values() for line in entry.quarantined]
    assert [line[0] for line in aside] == ["number 7", "number 13", "number 14"]
    assert "number 7 crashed the process" in caplog.text


def test_a_machine_on_which_everything_dies_is_told_of(tmp_path):
    def die(shard, at, skip):
        os._exit(9)

    with pytest.raises(ArtifactError, match="crash, not because of one picture"):
        run(tmp_path, chunks(2), die, workers=1)
