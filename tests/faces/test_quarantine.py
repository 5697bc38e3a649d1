"""The list of unusable pictures."""

import os
from pathlib import Path

from action_units.faces.quarantine import Quarantine


def test_pictures_are_listed_and_counted():
    quarantine = Quarantine()
    quarantine.add(Path("a.jpg"), "no face", "none found", "ab" * 32)
    other = Quarantine()
    for name in ("b.jpg", "c.jpg"):
        other.add(name, "truncated", "cut")
    quarantine.extend(other)
    assert len(quarantine) == 3
    assert quarantine.counts() == {"truncated": 2, "no face": 1}
    assert quarantine.summary() == "2 truncated, 1 no face"
    assert quarantine.table()["path"].tolist() == ["a.jpg", "b.jpg", "c.jpg"]
    assert list(quarantine.table()) == ["path", "reason", "detail", "sha256"]


def test_names_that_are_not_utf8_can_be_written(tmp_path):
    quarantine = Quarantine()
    quarantine.add(os.fsdecode(b"caf\xe9.jpg"), "missing", "x")
    quarantine.table().to_csv(tmp_path / "q.csv")
    assert "caf\\xe9.jpg" in (tmp_path / "q.csv").read_text()


def test_an_empty_one_is_a_table_too():
    assert Quarantine().table().shape == (0, 4)
    assert Quarantine().summary() == ""
